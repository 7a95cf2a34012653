"""From a voice to a mouth: log-mel rows to the expression of the lower face, and whether anybody speaks.

A stack of dilated convolutions over time that sees half a second either way, so neighbouring frames agree; several stacks
side by side (as groups of one) are averaged where the family has more than one. Role of
StyleHEAT's audio motion generator (Yin et al. 2022, section 3.2), here in the space of the landmark morphable model.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

BANDS = 80
DILATIONS = (1, 2, 4, 8, 1, 2)
KERNEL = 5
NORMED = 8  # groups of channels of one stack that are normalised together
HEARD = 1 + (KERNEL // 2) * sum(DILATIONS)  # rows either way that one row depends on
VISEMES = ("bilabial", "labiodental", "rounded", "open", "spread", "other", "silence")
FREQUENCIES, SWAYS = 40, 7  # of the head's own motion; see the buffers


class Step(nn.Module):
    """One dilated convolution over time, normalised row by row, added to what came in."""

    def __init__(self, channels: int, members: int, dilation: int, dropout: float):
        super().__init__()
        self.conv = nn.Conv1d(channels, channels, KERNEL, padding=dilation * (KERNEL // 2), dilation=dilation, groups=members)
        self.scale = nn.Parameter(torch.ones(channels))
        self.shift = nn.Parameter(torch.zeros(channels))
        self.groups, self.dropout = members * NORMED, nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv(x)
        parts = y.unflatten(1, (self.groups, -1))
        parts = (parts - parts.mean(2, keepdim=True)) * torch.rsqrt(parts.var(2, keepdim=True, unbiased=False) + 1e-3)
        y = parts.flatten(1, 2) * self.scale[:, None] + self.shift[:, None]
        return x + self.dropout(F.gelu(y))


class Speech(nn.Module):
    """Levelled log-mel (N, 80, M) -> what every stack says of each row: (N, members, modes + 2 + VISEMES, M).

    The first numbers are amounts of `modes`, in standard deviations; then the logits that somebody speaks and that the
    lips are closed, and those of the kinds of sound in the order of `VISEMES`. Buffers, made by the training job along with the weights: `basis` (modes, 64): each mode as expression;
    `frequencies` (F,) Hz, `sway` (F, 7, 7): pitch, yaw, roll (rad), x, y, size (head sizes, log) and brows of a
    speaking head, as amplitudes of independent waves; `brow` (64,): the expression of brows raised by one; `blinks` (3,):
    seconds between blinks (median), their spread (of the logarithm), seconds a blink lasts.
    """

    def __init__(self, width: int = 96, members: int = 1, modes: int = 12, dropout: float = 0.25):
        super().__init__()
        channels = width * members
        self.members, self.modes = members, modes
        self.entry = nn.Conv1d(BANDS, channels, 3, padding=1)
        self.steps = nn.ModuleList(Step(channels, members, dilation, dropout) for dilation in DILATIONS)
        self.out = nn.Conv1d(channels, members * (modes + 2 + len(VISEMES)), 1, groups=members)
        self.register_buffer("basis", torch.zeros(modes, 64))
        self.register_buffer("frequencies", torch.zeros(FREQUENCIES))
        self.register_buffer("sway", torch.zeros(FREQUENCIES, SWAYS, SWAYS))
        self.register_buffer("brow", torch.zeros(64))
        self.register_buffer("blinks", torch.zeros(3))

    def forward(self, mel: Tensor) -> Tensor:
        x = F.gelu(self.entry(mel))
        for step in self.steps:
            x = step(x)
        return self.out(x).unflatten(1, (self.members, -1))
