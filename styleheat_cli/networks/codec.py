"""The embedded family's encoder and generator: a picture to (w, f at 64x64) and back, small enough for a laptop.

The roles of StyleHEAT's GAN inversion and of StyleGAN2 entered at its 64x64 feature (Yin et al. 2022, section 3.1): f
holds the structure and is what gets warped, w modulates every convolution of the synthesis (Karras et al. 2020).
Both are convolutional, so a crop of f synthesises the crop of the picture.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

STRIDE = 8  # picture pixels per cell of f


class Encoder(nn.Module):
    """Picture (N, 3, H, W) in [-1, 1] -> f (N, channels, H/8, W/8) and w (N, style)."""

    def __init__(self, channels: int = 64, style: int = 64, widths: tuple[int, int, int] = (24, 48, 64)):
        super().__init__()
        self.entry = nn.Conv2d(12, widths[0], 3, padding=1)
        self.down = nn.ModuleList(
            nn.Conv2d(a, b, 4, stride=2, padding=1) for a, b in pairwise(widths)
        )
        self.body = nn.Sequential(nn.Conv2d(widths[-1], widths[-1], 3, padding=1), nn.SiLU())
        self.feature = nn.Conv2d(widths[-1], channels, 1)
        self.style = nn.Sequential(nn.Linear(widths[-1], style), nn.SiLU(), nn.Linear(style, style))

    def levels(self, image: Tensor) -> list[Tensor]:
        """What it sees at a half, a quarter and an eighth of the picture's size: (N, width, h, w) each."""
        seen = [F.silu(self.entry(F.pixel_unshuffle(image, 2)))]
        for conv in self.down:
            seen.append(F.silu(conv(seen[-1])))
        return [*seen[:-1], self.body(seen[-1]) + seen[-1]]

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        x = self.levels(image)[-1]
        return self.feature(x), self.style(x.mean((2, 3)))


class ModulatedConv(nn.Module):
    """A 3x3 convolution whose input channels w scales, weights brought back to unit norm (Karras et al. 2020, eq. 3)."""

    def __init__(self, inputs: int, outputs: int, style: int):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, 3, 3) / (3 * inputs**0.5))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.gain = nn.Parameter(torch.ones(outputs))
        self.scale = nn.Linear(style, inputs)
        nn.init.zeros_(self.scale.weight)
        nn.init.zeros_(self.scale.bias)

    def folded(self, w: Tensor) -> Tensor:
        """(outputs, inputs, 3, 3): the plain convolution that one style (style,) makes of this one."""
        weight = self.weight * (1 + self.scale(w))[None, :, None, None]
        norm = weight.square().sum((1, 2, 3), keepdim=True).add(1e-8).rsqrt()
        return weight * norm * self.gain[:, None, None, None]

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """x (N, inputs, H, W), w (N, style) -> (N, outputs, H, W)."""
        scale = 1 + self.scale(w)  # [N I]
        norm = torch.einsum("oikl,ni->no", self.weight.square(), scale.square()).add(1e-8).rsqrt()
        y = F.conv2d(x * scale[:, :, None, None], self.weight, padding=1)
        return y * (norm * self.gain)[:, :, None, None] + self.bias[:, None, None]


class Generator(nn.Module):
    """f (N, channels, h, w) and w (N, style) -> picture (N, 3, 8h, 8w), nominally in [-1, 1]."""

    def __init__(self, channels: int = 64, style: int = 64, widths: tuple[int, int, int] = (64, 48, 24)):
        super().__init__()
        self.entry = ModulatedConv(channels, widths[0], style)
        self.blocks = nn.ModuleList(ModulatedConv(a, a, style) for a in widths)
        self.up = nn.ModuleList(ModulatedConv(a, 4 * b, style) for a, b in pairwise(widths))
        self.rgb = nn.Conv2d(widths[-1], 12, 3, padding=1)

    def forward(self, f: Tensor, w: Tensor) -> Tensor:
        x = F.silu(self.entry(f, w))
        for block, up in zip(self.blocks, (*self.up, None), strict=True):
            x = x + F.silu(block(x, w))
            if up is not None:
                x = F.silu(F.pixel_shuffle(up(x, w), 2))
        return F.pixel_shuffle(self.rgb(x), 2)
