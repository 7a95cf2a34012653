"""Sample sheets: what a network in training makes of the same examples each time it is saved, to be looked at."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw
from torch import Tensor

from ..media.pixels import to_images
from ..media.sheet import PAPER, contact_sheet

COUNT = 6  # examples on a sheet
HEIGHT = 160  # pixels of a picture
CURVE = (480, 120)  # pixels across and down of a pair of curves
TRUE, MADE = (150, 150, 150), (255, 170, 60)  # colours of what is true and of what is made


def pictures(**rows: Tensor) -> np.ndarray:
    """(H, W, 3) uint8: a line of pictures for each of some batches (N, 3, h, w) in [-1, 1], under its name."""
    lines = [list(to_images(batch)) for batch in rows.values()]
    return contact_sheet(lines, [name.replace("_", " ") for name in rows], height=HEIGHT)


def curves(true: np.ndarray, made: np.ndarray, label: str) -> np.ndarray:
    """(H, W, 3) uint8: (N, M) curves over time, what is true in grey and what is made before it."""
    low, high = float(min(true.min(), made.min())), float(max(true.max(), made.max()))
    width, height = CURVE
    drawn = []
    for pair in zip(true, made, strict=True):
        paper = Image.new("RGB", CURVE, PAPER)
        for values, colour in zip(pair, (TRUE, MADE), strict=True):
            x = np.linspace(0, width - 1, len(values))
            y = (height - 1) * (high - values) / max(high - low, 1e-6)
            ImageDraw.Draw(paper).line(list(zip(x.tolist(), y.tolist(), strict=True)), colour, 2)
        drawn.append(np.asarray(paper))
    return contact_sheet([drawn[start : start + 2] for start in range(0, len(drawn), 2)], [label], height=height)
