"""Improved residual units with squeeze-and-excitation, as ArcFace's backbones, e4e and HFGI use them.

Sources: ArcFace (Deng et al. 2019), section 3.2.2; squeeze-and-excitation: Hu et al. 2018.
"""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional as F

STAGES = ((64, 3), (128, 4), (256, 14), (512, 3))
"""Width and number of units; the first unit of each stage halves the size."""


class SqueezeExcite(nn.Module):
    """Channels weighted by what the whole picture holds of them."""

    def __init__(self, channels: int, reduction: int = 16):
        super().__init__()
        self.fc1 = nn.Conv2d(channels, channels // reduction, 1, bias=False)
        self.fc2 = nn.Conv2d(channels // reduction, channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        pooled = x.mean((2, 3), keepdim=True)
        return x * self.fc2(F.relu(self.fc1(pooled))).sigmoid()


class Subsample(nn.Module):
    """Every `stride`-th pixel."""

    def __init__(self, stride: int):
        super().__init__()
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        return x[:, :, :: self.stride, :: self.stride]


class Unit(nn.Module):
    """Main path and shortcut, summed, no activation after."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1, excite: bool = True):
        super().__init__()
        if inputs == outputs:
            self.shortcut_layer = Subsample(stride)
        else:
            self.shortcut_layer = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )
        self.res_layer = nn.Sequential(
            nn.BatchNorm2d(inputs),
            nn.Conv2d(inputs, outputs, 3, 1, 1, bias=False),
            nn.PReLU(outputs),
            nn.Conv2d(outputs, outputs, 3, stride, 1, bias=False),
            nn.BatchNorm2d(outputs),
            *([SqueezeExcite(outputs)] if excite else []),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.shortcut_layer(x) + self.res_layer(x)


def stem(inputs: int, outputs: int) -> nn.Sequential:
    """Convolution, batch normalisation, PReLU, at full size."""
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, 1, 1, bias=False), nn.BatchNorm2d(outputs), nn.PReLU(outputs))


def group(widths: tuple[int, ...], stride: int = 1, excite: bool = False) -> nn.Sequential:
    """Units from each width to the next; the first has the stride."""
    pairs = pairwise(widths)
    return nn.Sequential(*(Unit(a, b, 1 if i else stride, excite) for i, (a, b) in enumerate(pairs)))


def body(stages: tuple[tuple[int, int], ...] = STAGES) -> nn.Sequential:
    """The 24 units of IR-SE50, or of other stages."""
    units, inputs = [], stages[0][0]
    for width, count in stages:
        for i in range(count):
            units.append(Unit(inputs, width, 1 if i else 2))
            inputs = width
    return nn.Sequential(*units)
