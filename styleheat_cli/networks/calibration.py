"""CalibrationNet: a warped feature to the scale and shift that heal it.

Source: StyleHEAT (Yin et al. 2022), section 4.2: a U-shaped network whose up path hears the motion's descriptor.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from .layers import ROOT_TWO, AdaIN, DownBlock, EqualConv2d, FusedLeakyReLU, ScaledLeakyReLU, conv_layer, resize

DESCRIPTOR_SLOPE = 0.1
INJECTION_SLOPE = 0.01


class UpConv(EqualConv2d):
    """Bilinear to twice the size, equalised 3x3 convolution, fused leaky ReLU."""

    def __init__(self, channels: int):
        super().__init__(channels, channels, 3, padding=1, bias=False)
        self.activation = FusedLeakyReLU(channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.activation(super().forward(resize(x, (2 * x.shape[-2], 2 * x.shape[-1]))))


class UpBlock(nn.Module):
    """Residual block to twice the size."""

    def __init__(self, channels: int):
        super().__init__()
        self.conv1 = conv_layer(channels, channels, 3)
        self.conv2 = UpConv(channels)
        self.skip = EqualConv2d(channels, channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        main = self.conv2(self.conv1(x))
        skip = resize(self.skip(x), main.shape[-2:])  # a 1x1 convolution and a resize commute
        return (main + skip) / ROOT_TWO


class Injection(nn.Module):
    """The descriptor enters a feature; the residual starts from the first activation."""

    def __init__(self, channels: int, descriptor: int):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.norm1 = AdaIN(channels, descriptor)
        self.norm2 = AdaIN(channels, descriptor)

    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        a = F.leaky_relu(self.norm1(self.conv1(x), z), INJECTION_SLOPE)
        return a + self.norm2(self.conv2(a), z)


class CalibrationNet(nn.Module):
    """Args: inputs: channels of f; channels: of the network; descriptor: length; blocks: halvings, 64 px to 4."""

    def __init__(self, inputs: int = 512, channels: int = 256, descriptor: int = 256, blocks: int = 4):
        super().__init__()
        self.conv_body_first = conv_layer(inputs, channels, 1)
        self.conv_body_down = nn.ModuleList(DownBlock(channels, channels) for _ in range(blocks))
        self.final_conv = conv_layer(channels, channels, 3)
        self.conv_body_up = nn.ModuleList(UpBlock(channels) for _ in range(blocks))
        self.linear_3dmm = nn.Sequential(
            nn.Linear(descriptor, channels), nn.LeakyReLU(DESCRIPTOR_SLOPE), nn.Linear(channels, channels)
        )
        self.inject_3dmm = nn.ModuleList(Injection(channels, channels) for _ in range(blocks))
        self.condition_scale = nn.ModuleList(_head(channels, inputs) for _ in range(blocks))
        self.condition_shift = nn.ModuleList(_head(channels, inputs) for _ in range(blocks))

    def forward(self, f: Tensor, descriptor: Tensor) -> tuple[Tensor, Tensor]:
        """(N, C, 64, 64) warped feature, (N, 256, 1) descriptor -> scale and shift, (N, C, 64, 64) each."""
        return self.heads(-1, self.pyramid(f, descriptor)[-1])

    def all_conditions(self, f: Tensor, descriptor: Tensor) -> list[Tensor]:
        """Scale and shift of every size, smallest first; only the last pair is ever used."""
        pyramid = self.pyramid(f, descriptor)
        return [tensor for i, x in enumerate(pyramid) for tensor in self.heads(i, x)]

    def pyramid(self, f: Tensor, descriptor: Tensor) -> list[Tensor]:
        """The features that the heads read: 8, 16, 32 and 64 px."""
        skips, x = [], self.conv_body_first(f)
        for down in self.conv_body_down:
            x = down(x)
            skips.append(x)
        z, found, x = self.linear_3dmm(descriptor.flatten(1)), [], self.final_conv(x)
        for up, inject, skip in zip(self.conv_body_up, self.inject_3dmm, reversed(skips), strict=True):
            x = inject(up(x + skip), z)
            found.append(x)
        return found

    def heads(self, i: int, x: Tensor) -> tuple[Tensor, Tensor]:
        """Scale and shift from the i-th feature of the pyramid."""
        return self.condition_scale[i](x), self.condition_shift[i](x)


def _head(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        EqualConv2d(inputs, inputs, 3, padding=1), ScaledLeakyReLU(), EqualConv2d(inputs, outputs, 3, padding=1)
    )
