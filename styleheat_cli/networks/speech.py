"""From a voice to a mouth: log-mel rows to the expression of the lower face, and whether anybody speaks.

Two stacks of dilated convolutions side by side (groups of one): the first moves the mouth, the second listens for what is said,
so that neither has to give way to the other. Each sees half a second either way, so neighbouring rows agree. Role of StyleHEAT's
audio motion generator (Yin et al. 2022, section 3.2), here in the space of the landmark morphable model.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

BANDS = 80
DILATIONS = (1, 2, 4, 8, 1, 2)
KERNEL = 5
STACKS = 2
NORMED = 8  # groups of channels of one stack that are normalised together
HEARD = 1 + (KERNEL // 2) * sum(DILATIONS)  # rows either way that one row depends on
PHONEMES = (
    "AA", "AE", "AH", "AO", "AW", "AY", "B", "CH", "D", "DH", "EH", "ER", "EY", "F",
    "G", "HH", "IH", "IY", "JH", "K", "L", "M", "N", "NG", "NSN", "OW", "OY", "P",
    "R", "S", "SH", "SIL", "T", "TH", "UH", "UW", "V", "W", "Y", "Z", "ZH",
)  # fmt: skip
"""ARPABET, with SIL for silence and NSN for other noises."""
BILABIAL = ("M", "B", "P")
FREQUENCIES, SWAYS = 40, 7  # of the head's own motion; see the buffers


class Step(nn.Module):
    """One dilated convolution over time, normalised row by row, added to what came in."""

    def __init__(self, channels: int, dilation: int, dropout: float):
        super().__init__()
        self.conv = nn.Conv1d(channels, channels, KERNEL, padding=dilation * (KERNEL // 2), dilation=dilation, groups=STACKS)
        self.scale = nn.Parameter(torch.ones(channels))
        self.shift = nn.Parameter(torch.zeros(channels))
        self.groups, self.dropout = STACKS * NORMED, nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv(x)
        parts = y.unflatten(1, (self.groups, -1))
        parts = (parts - parts.mean(2, keepdim=True)) * torch.rsqrt(parts.var(2, keepdim=True, unbiased=False) + 1e-3)
        y = parts.flatten(1, 2) * self.scale[:, None] + self.shift[:, None]
        return x + self.dropout(F.gelu(y))


class Speech(nn.Module):
    """Levelled log-mel (N, 80, M) -> what each stack says of each row: (N, 2, modes + 2 + PHONEMES, M).

    The first numbers are amounts of `modes`, in standard deviations; then the logits that somebody speaks and that the lips
    meet, and those of the sounds in the order of `PHONEMES`. Buffers, made by the training job along with the weights:
    `basis` (modes, 64): each mode as expression; `frequencies` (F,) Hz, `sway` (F, 7, 7): pitch, yaw, roll (rad), x, y, size
    (head sizes, log) and brows of a speaking head, as amplitudes of independent waves; `brow` (64,): the expression of brows
    raised by one; `blinks` (3,): seconds between blinks (median), their spread (of the logarithm), seconds a blink lasts.
    """

    def __init__(self, width: int = 96, modes: int = 12, dropout: float = 0.25):
        super().__init__()
        channels = width * STACKS
        self.modes = modes
        self.entry = nn.Conv1d(BANDS, channels, 3, padding=1)
        self.steps = nn.ModuleList(Step(channels, dilation, dropout) for dilation in DILATIONS)
        self.out = nn.Conv1d(channels, STACKS * (modes + 2 + len(PHONEMES)), 1, groups=STACKS)
        self.register_buffer("basis", torch.zeros(modes, 64))
        self.register_buffer("frequencies", torch.zeros(FREQUENCIES))
        self.register_buffer("sway", torch.zeros(FREQUENCIES, SWAYS, SWAYS))
        self.register_buffer("brow", torch.zeros(64))
        self.register_buffer("blinks", torch.zeros(3))

    def forward(self, mel: Tensor) -> Tensor:
        x = F.gelu(self.entry(mel))
        for step in self.steps:
            x = step(x)
        return self.out(x).unflatten(1, (STACKS, -1))

    def said(self, mel: Tensor) -> Tensor:
        """(N, modes + 2 + PHONEMES, M): the first stack's modes, and what the second heard."""
        both = self(mel)
        return torch.cat([both[:, 0, : self.modes], both[:, 1, self.modes :]], 1)

    @torch.no_grad()
    def take_mouth(self, other: Speech) -> None:
        """From now on the first stack and its modes are those of another network of this size."""
        theirs = other.state_dict()
        for name, own in self.state_dict().items():
            if name.startswith(("entry", "steps", "out")):
                half = len(own) // STACKS
                own[:half] = theirs[name][:half]
        self.basis.copy_(other.basis)
