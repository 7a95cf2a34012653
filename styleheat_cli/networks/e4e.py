"""e4e: a picture to the 18 rows of its code.

Source: Tov et al. 2021 (encoder for editing): one row is predicted, the others as offsets from it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .irse import STAGES, body, stem
from .layers import EqualLinear, resize


class Head(nn.Module):
    """A feature to one row: strided convolutions down to one pixel, then a linear layer."""

    def __init__(self, channels: int, side: int):
        super().__init__()
        layers: list[nn.Module] = []
        while side > 1:
            layers += [nn.Conv2d(channels, channels, 3, 2, 1), nn.LeakyReLU(0.01)]
            side //= 2
        self.convs = nn.Sequential(*layers)
        self.linear = EqualLinear(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(self.convs(x).flatten(1))


class Encoder4Editing(nn.Module):
    """Codes without the average code, which travels beside the weights.

    Args:
        rows: of the code.
        stages: of the body; the last three give the features that the heads read.
        side: of the input picture.
        coarse, middle: rows from which the second and the third feature are read.
    """

    def __init__(
        self,
        rows: int = 18,
        stages: tuple[tuple[int, int], ...] = STAGES,
        side: int = 256,
        coarse: int = 3,
        middle: int = 7,
    ):
        super().__init__()
        width = stages[-1][0]
        self.coarse, self.middle = coarse, middle
        self.input_layer = stem(3, stages[0][0])
        self.body = body(stages)
        smallest = side // 2 ** len(stages)
        self.styles = nn.ModuleList(
            Head(width, smallest * (1 if i < coarse else 2 if i < middle else 4)) for i in range(rows)
        )
        self.latlayer1 = nn.Conv2d(stages[-2][0], width, 1)
        self.latlayer2 = nn.Conv2d(stages[-3][0], width, 1)
        ends = [sum(count for _, count in stages[: i + 1]) - 1 for i in range(len(stages))]
        self.taps = tuple(ends[-3:])

    def forward(self, image: Tensor) -> Tensor:
        """(N, 3, 256, 256) in [-1, 1] -> (N, 18, 512)."""
        c1, c2, c3 = self.features(image)
        p2 = resize(c3, c2.shape[-2:]) + self.latlayer1(c2)
        p1 = resize(p2, c1.shape[-2:]) + self.latlayer2(c1)
        read = [c3] * self.coarse + [p2] * (self.middle - self.coarse) + [p1] * (len(self.styles) - self.middle)
        first, *offsets = [head(feature) for head, feature in zip(self.styles, read, strict=True)]
        return torch.stack([first, *(first + offset for offset in offsets)], 1)

    def features(self, image: Tensor) -> list[Tensor]:
        """The body's features after its last three stages: 64, 32 and 16 px of a 256 px picture."""
        x, found = self.input_layer(image), []
        for i, unit in enumerate(self.body):
            x = unit(x)
            if i in self.taps:
                found.append(x)
        return found
