"""Lashes of lids that come down: a line as dark, as thick and as far from the lid's edge as those of real shut eyes."""

from __future__ import annotations

import cv2
import numpy as np

from .fill import ramp

LINE = np.array([[-0.25, -0.21, -0.17, -0.13, -0.09, -0.05, -0.01, 0.03, 0.07, 0.11, 0.15, 0.19],
                 [0.0, 0.12, 0.31, 0.56, 0.81, 1.0, 0.98, 0.68, 0.35, 0.15, 0.05, 0.0]])  # fmt: skip
"""How dark the lashes of a shut eye are, as shares of the darkest, by eye widths over the upper lid's edge (mean of 575 eyes;
`styleheat train calibration` measures it)."""
DARKEST, FOLLOWS = 0.2, 0.38  # brightness of that against the skin (least squares over those eyes): of black lashes, and by how much it follows the open eye's
LOOKED, ALONG = (-0.05, 0.2), (0.25, 0.75)  # eye widths over the upper lid's edge, and shares of its length, in which an open eye's line is looked for
THINNEST = 0.4  # share of their thickness in the middle that lashes have near the corners
FALL, RAISED = (0.1, 0.3), 0.2  # shares of the source's opening from which lashes rise, and from which they are raised; share of their thickness then


def draw_lashes(image: np.ndarray, outline: np.ndarray, width: float, line: float, share: float, stays: float) -> None:
    """Draws the lashes of an eye (16, 2) whose lid comes down into a picture (S, S, 3) uint8, in place.

    width: pixels of an eye that is not turned away; line: that of the open eye, by `line_of`; share: how much of them is seen;
    stays: how far the eye is still open, as a share of its opening in the source.
    """
    a, b = outline[[0, len(outline) // 2]]
    across, edge, dark = float(np.linalg.norm(b - a)), _upper(outline), share * (1 - DARKEST - FOLLOWS * line)
    low = np.clip(np.floor(outline.min(0) + LINE[0, 0] * width).astype(int), 0, len(image))
    high = np.clip(np.ceil(outline.max(0) - LINE[0, 0] * width).astype(int) + 1, 0, len(image))
    if dark <= 0 or across < 2 or (high <= low).any():
        return
    x, y = np.meshgrid(np.arange(low[0], high[0]) + 0.5, np.arange(low[1], high[1]) + 0.5)
    way = np.stack([(b - a) / across**2, np.array([b[1] - a[1], a[0] - b[0]]) / (across * width)])  # along the eye, and up from it
    along, up = np.moveaxis((np.stack([x, y], -1) - a) @ way.T, -1, 0)
    places = (edge - a) @ way.T
    over = up - np.interp(along, np.maximum.accumulate(places[:, 0]), places[:, 1])
    round_off = np.sqrt(np.clip(4 * along * (1 - along), 0, 1))
    thick = (1 - (1 - RAISED) * float(ramp(stays, FALL))) * np.maximum(round_off, THINNEST)
    darker = dark * np.interp(over / thick, *LINE) * np.minimum(round_off / THINNEST, 1)
    part = image[low[1] : high[1], low[0] : high[0]]
    part[:] = np.round(part * (1 - darker)[..., None]).astype(np.uint8)


def line_of(image: np.ndarray, outline: np.ndarray) -> float:
    """Brightness of the darkest line along an open eye's upper lid against that of the skin over it."""
    seen = brightness_over(image, outline, np.r_[np.linspace(*LOOKED, 12), np.linspace(0.35, 0.45, 4)])
    return float(np.clip(seen[:12].min() / max(float(np.median(seen[12:])), 1.0), 0, 1))


def brightness_over(image: np.ndarray, outline: np.ndarray, over: np.ndarray) -> np.ndarray:
    """(K,) mean brightness along the middle of an eye's upper lid, so many eye widths (K,) over its edge; outline (16, 2) in pixels."""
    edge, ends = _upper(outline), outline[[0, len(outline) // 2]]
    x, y = ends[1] - ends[0]
    along = np.stack([np.interp(np.linspace(*ALONG, 21), np.linspace(0, 1, len(edge)), edge[:, axis]) for axis in (0, 1)], -1)
    at = (along + over[:, None, None] * np.array([y, -x]) - 0.5).astype(np.float32)
    return cv2.remap(image, at, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE).mean((1, 2))


def _upper(outline: np.ndarray) -> np.ndarray:
    """(9, 2): the edge of the upper lid of an outline (16, 2), corner to corner."""
    return np.vstack([outline[:1], outline[: len(outline) // 2 - 1 : -1]])
