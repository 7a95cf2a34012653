"""Which pixels are the person, and which of those the head."""

from __future__ import annotations

import threading
from functools import cache
from typing import Any

import numpy as np

from .quiet import quiet

_one_at_a_time = threading.Lock()


def matte(image: np.ndarray) -> np.ndarray:
    """(H, W) float32 in [0, 1]: how much of each pixel is person, its edge drawn along the picture's own.

    Source: MediaPipe selfie segmentation at 256 x 256, refined by a guided filter (He et al. 2010).

    Args:
        image: (H, W, 3) uint8 RGB; a head should fill a good part of it, as in a crop.
    """
    with _one_at_a_time:
        coarse = _segmenter().process(np.ascontiguousarray(image)).segmentation_mask.copy()
    radius = max(max(image.shape[:2]) // 64, 2)
    return refined(image, _steeper(coarse), radius)


def head_mask(points: np.ndarray, person: np.ndarray, *, reach: float = 1.25, border: float = 0.06) -> np.ndarray:
    """(H, W) float32 in [0, 1]: face, hair, ears and neck, falling softly to 0 below the neck and at the border.

    Args:
        points: (478, 3) px of the same picture.
        person: (H, W) its matte.
        reach: height of the head that is kept above and below the middle of the face, in face heights.
        border: share of the picture's side over which the mask falls to 0 at its edges.
    """
    height, width = person.shape
    top, chin = points[10, :2], points[152, :2]
    size = float(np.linalg.norm(points[10] - points[152]))
    middle = (top + chin) / 2
    across, down = _face_axes(points, height, width, middle, size)
    neck = np.where(down > 0, 0.9 * reach, 1.2 * reach)
    far = np.sqrt((across / (1.1 * reach)) ** 2 + (down / neck) ** 2)
    covered = np.maximum(person, _hull(points, height, width, size))
    return (covered * _fall(far, 0.8, 1.0) * _frame_taper(height, width, border)).astype(np.float32)


@cache
def _segmenter() -> Any:
    with quiet():
        from mediapipe.python.solutions.selfie_segmentation import SelfieSegmentation

        made = SelfieSegmentation(model_selection=0)
        made.process(np.zeros((64, 64, 3), np.uint8))
    return made


def _steeper(coarse: np.ndarray) -> np.ndarray:
    """The network's probability with its undecided middle stretched: a wall of 0.1 is no person."""
    return ((coarse - 0.15) / 0.7).clip(0, 1)


def refined(image: np.ndarray, coarse: np.ndarray, radius: int, smoothness: float = 1e-3) -> np.ndarray:
    """The linear function of the picture's colours, window by window, that is nearest to the coarse mask.

    The windows are measured on a quarter of the resolution (He and Sun 2015); the function is applied in full.
    """
    import cv2

    height, width = coarse.shape
    small = (max(width // 4, 1), max(height // 4, 1))
    side = 2 * max(radius // 4, 1) + 1

    def mean(values: np.ndarray) -> np.ndarray:
        return cv2.boxFilter(values, -1, (side, side), borderType=cv2.BORDER_REFLECT)

    guide = cv2.resize(image, small, interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    rough = cv2.resize(coarse, small, interpolation=cv2.INTER_AREA)
    middle, level = mean(guide), mean(rough)
    shared = mean(guide * rough[..., None]) - middle * level[..., None]  # [h w 3]
    slope = _solved(guide, middle, mean, shared, smoothness)
    line = np.dstack([mean(slope) / 255, mean(level - (slope * middle).sum(-1))])
    red, green, blue, offset = cv2.split(cv2.resize(line, (width, height), interpolation=cv2.INTER_LINEAR))
    r, g, b = cv2.split(image)
    return (red * r + green * g + blue * b + offset).clip(0, 1)


def _solved(guide, middle, mean, shared, smoothness) -> np.ndarray:
    """(H, W, 3): per pixel, the 3x3 colour covariance (plus smoothness) solved against `shared`, by cofactors."""
    r, g, b = (guide[..., i] for i in range(3))
    mr, mg, mb = (middle[..., i] for i in range(3))
    rr, gg, bb = (mean(c * c) - m * m + smoothness for c, m in ((r, mr), (g, mg), (b, mb)))
    rg, rb, gb = mean(r * g) - mr * mg, mean(r * b) - mr * mb, mean(g * b) - mg * mb
    first = np.stack([gg * bb - gb * gb, gb * rb - rg * bb, rg * gb - gg * rb], -1)
    second = np.stack([first[..., 1], rr * bb - rb * rb, rb * rg - rr * gb], -1)
    third = np.stack([first[..., 2], second[..., 2], rr * gg - rg * rg], -1)
    size = rr * first[..., 0] + rg * first[..., 1] + rb * first[..., 2]
    solved = first * shared[..., :1] + second * shared[..., 1:2] + third * shared[..., 2:]
    return solved / size[..., None]


def _face_axes(points, height, width, middle, size) -> tuple[np.ndarray, np.ndarray]:
    """(H, W) each: position across and down the face, in face heights from its middle."""
    axis = points[263, :2] - points[33, :2]
    axis = axis / max(float(np.linalg.norm(axis)), 1e-6)
    x = (np.arange(width, dtype=np.float32) + 0.5 - middle[0]) / size
    y = (np.arange(height, dtype=np.float32)[:, None] + 0.5 - middle[1]) / size
    return axis[0] * x + axis[1] * y, axis[0] * y - axis[1] * x


def _hull(points: np.ndarray, height: int, width: int, size: float) -> np.ndarray:
    """(H, W) float32: the face itself, soft at its edge; the matte may have holes there."""
    import cv2

    filled = np.zeros((height, width), np.float32)
    outline = cv2.convexHull(np.round(points[:, :2]).astype(np.int32))
    cv2.fillConvexPoly(filled, outline, 1.0)
    return cv2.GaussianBlur(filled, (0, 0), max(0.02 * size, 0.5))


def _frame_taper(height: int, width: int, border: float) -> np.ndarray:
    """(H, W): 1 inside, falling to 0 at the picture's edges."""
    def side(length: int) -> np.ndarray:
        edge = np.minimum(np.arange(length), np.arange(length)[::-1]) / max(border * length, 1)
        return 1 - _fall(edge, 0.0, 1.0) if border > 0 else np.ones(length)

    return np.minimum.outer(side(height), side(width))


def _fall(values: np.ndarray, start: float, stop: float) -> np.ndarray:
    """1 up to start, 0 from stop on, smooth between."""
    t = ((values - start) / (stop - start)).clip(0, 1)
    return 1 - t * t * (3 - 2 * t)
