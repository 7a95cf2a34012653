"""The embedded family's calibration: heals a warped f where the source had nothing to show.

The network and idea of StyleHEAT's calibration network (Yin et al. 2022, section 3.2: a U-Net on the warped feature with
the motion descriptor that predicts a scale and a shift, spatial feature transform) at a smaller size; it also sees masks
of the openings, so that it knows where a mouth opens that was closed.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

GUIDES = 6  # guide maps: opening and iris of the target, of the warped source; where a cell comes from, across and down


class Healer(nn.Module):
    """Warped f (N, C, h, w), guides (N, 6, h, w), motion (N, M) -> f * (1 + scale) + shift, same shape."""

    def __init__(self, channels: int = 64, motion: int = 67, width: int = 64):
        super().__init__()
        self.entry = nn.Conv2d(channels + GUIDES, width, 3, padding=1)
        self.down = nn.ModuleList(nn.Conv2d(width, width, 4, stride=2, padding=1) for _ in range(3))
        self.mid = nn.Conv2d(width, width, 3, padding=1)
        self.motion = nn.Sequential(nn.Linear(motion, 64), nn.SiLU(), nn.Linear(64, 2 * width))
        self.up = nn.ModuleList(nn.Conv2d(2 * width, width, 3, padding=1) for _ in range(3))
        self.out = nn.Conv2d(width, 2 * channels, 3, padding=1)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, f: Tensor, guides: Tensor, motion: Tensor) -> Tensor:
        x = F.silu(self.entry(torch.cat([f, guides], 1)))
        skips = []
        for conv in self.down:
            skips.append(x)
            x = F.silu(conv(x))
        scale, shift = self.motion(motion)[:, :, None, None].chunk(2, 1)
        x = F.silu(self.mid(x) * (1 + scale) + shift)
        for conv, skip in zip(self.up, reversed(skips), strict=True):
            x = F.interpolate(x, size=skip.shape[2:], mode="bilinear", align_corners=False)
            x = F.silu(conv(torch.cat([x, skip], 1)))
        scale, shift = self.out(x).chunk(2, 1)
        return f * (1 + scale) + shift
