"""Outlines filled, gaps filled in from what lies round them, and how one thing gives way to another."""

from __future__ import annotations

import cv2
import numpy as np

FILL_SIDE = 256  # pixels: filled-in regions carry no detail, so they are made at this size


def drawn(outline: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """(h, w) float32 in [0, 1]: a polygon's inside, anti-aliased; points count from the corner of the first pixel."""
    mask = np.zeros(shape, np.uint8)
    cv2.fillPoly(mask, [np.round((outline - 0.5) * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    return mask.astype(np.float32) / 255


def ellipse(x: float, y: float, across: float, down: float, angle: float = 0.0) -> np.ndarray:
    """(32, 2): the outline of an ellipse by its middle, half axes and the angle of the first."""
    turn = np.linspace(0, 2 * np.pi, 32, endpoint=False)
    a, b = across * np.cos(turn), down * np.sin(turn)
    return np.stack([x + a * np.cos(angle) - b * np.sin(angle), y + a * np.sin(angle) + b * np.cos(angle)], -1)


def ramp(values: np.ndarray | float, over: tuple[float, float]) -> np.ndarray:
    """0 up to the first of two values, 1 from the second, a straight line between them."""
    return np.clip((values - over[0]) / (over[1] - over[0]), 0, 1)


def blended(image: np.ndarray, other: np.ndarray, share: np.ndarray) -> np.ndarray:
    """(h, w, 3) uint8: a picture with so much (h, w) of another laid over it."""
    return cv2.blendLinear(other, image, share.astype(np.float32), (1 - share).astype(np.float32))


def filled(image: np.ndarray, known: np.ndarray) -> np.ndarray:
    """(S, S, 3) uint8: what is not known is carried on from what is, smoothly (push-pull, Gortler et al. 1996)."""
    side = min(FILL_SIDE, len(image))
    size = (side * image.shape[1] // len(image), side)
    share = cv2.resize(known.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    weight = (share > min(0.99, 0.99 * share.max())).astype(np.float32)
    colours = cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.float32) * weight[..., None]
    levels = [(colours, weight)]
    while min(levels[-1][1].shape) > 2:
        levels.append(tuple(cv2.pyrDown(part) for part in levels[-1]))
    below = levels[-1][0] / np.maximum(levels[-1][1], 1e-4)[..., None]
    for colours, weight in reversed(levels[:-1]):
        below = cv2.pyrUp(below, dstsize=weight.shape[::-1])
        sure = np.clip(4 * weight, 0, 1)[..., None]
        below = sure * colours / np.maximum(weight, 1e-4)[..., None] + (1 - sure) * below
    whole = cv2.resize(below, image.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    return np.clip(whole + 0.5, 0, 255).astype(np.uint8)
