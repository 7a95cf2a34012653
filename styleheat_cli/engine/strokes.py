"""What statistics cannot hold because it never lies twice in the same place: wrinkles, stubble and hairs, drawn from a seed.

All of it is drawn on the texture of `texture.py`, in texels of its 256 x 256, at four times that resolution; so it moves with
the skin, is the same in every frame, and belongs to nobody.
"""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
from scipy.interpolate import make_interp_spline

from .texture import SIDE

FINE = 4  # drawn pixels in a texel
FOREHEAD = ((55.0, 0.7, 92, 164), (60.5, 1.0, 84, 172), (66.0, 0.9, 82, 174), (71.3, 0.7, 88, 168))
"""Lines across the forehead: height, depth, where they begin and end."""
CREASES = (
    (((123, 73), (122.4, 80), (123.5, 87)), 0.8, 0.9),
    (((73.5, 97.4), (66, 95), (58, 91)), 0.6, 0.8),
    (((73.5, 98.9), (64, 99), (54, 97)), 0.6, 1.0),
    (((73.5, 100.6), (64, 103), (54, 104)), 0.6, 0.9),
    (((73.5, 102.4), (66, 107.5), (58, 111)), 0.6, 0.7),
    (((106, 107), (99, 111.5), (90, 112.5), (80, 108.5)), 0.8, 0.8),
    (((107, 113), (98, 119), (88, 120), (78, 115)), 0.9, 0.7),
    (((97, 110), (90, 115), (83, 116)), 0.5, 0.5),
    (((106, 132), (100, 140), (94.5, 150), (92, 160), (92.5, 167)), 1.2, 1.1),
    (((97.5, 169), (94, 177), (93, 187)), 1.0, 0.8),
    (((84, 140), (80, 150), (79, 161), (81, 170)), 0.7, 0.4),
    (((77, 143), (73, 155), (73, 167)), 0.6, 0.3),
)
"""One side's folds: between the brows, beside the eye, under it, from nose to mouth, from mouth to chin, in the cheek; each a
curve, its width in texels, its depth."""
CHIN = (((114, 183), (128, 180.5), (142, 183)), 1.1, 0.5)


@cache
def wrinkles(seed: int = 0) -> np.ndarray:
    """(1024, 1024) float32: how much lighter (darker where negative) wrinkled skin is, in valleys with lit shoulders."""
    rng = np.random.default_rng(seed)
    relief = np.zeros((SIDE * FINE,) * 2, np.float32)
    for points, width, depth in _lines(rng):
        valley = _drawn_line(points, width, depth, rng)
        shoulder = cv2.GaussianBlur(valley, (0, 0), width * FINE * 2.1)
        shoulder = np.roll(shoulder, round(width * FINE * 1.2), 0)  # light comes from above: the lower shoulder is lit
        crease = cv2.GaussianBlur(valley, (0, 0), width * FINE * 0.6) + cv2.GaussianBlur(valley, (0, 0), width * FINE * 1.3)
        relief += 1.3 * shoulder - 1.0 * crease
    return relief


def _lines(rng: np.random.Generator):
    """(points, width, depth) of every wrinkle, no two sides quite alike."""
    for height, depth, begin, end in FOREHEAD:
        middle = 127 + rng.normal(0, 4, 2)
        for low, high in ((begin, middle[0]), (middle[1], end)):
            x = np.linspace(low, high, 6)
            bow = 2.2 - 3 * np.cos((x - 128) / 46 * 1.4) + rng.normal(0, 0.7, 6)
            yield np.column_stack([x, height + bow]), 0.85, depth * rng.uniform(0.7, 1)
    for mirrored in (False, True):
        for points, width, depth in (*CREASES, *_above_the_lip()):
            points = np.array(points, float) + rng.normal(0, 0.5, (len(points), 2))
            points[:, 0] = SIDE - points[:, 0] if mirrored else points[:, 0]
            yield points, width, depth * rng.uniform(0.75, 1)
    yield np.array(CHIN[0]), *CHIN[1:]


def _above_the_lip():
    for x in np.arange(111, 128, 3.2):
        rise = abs(x - 128)
        yield ((x, 150.5 + 0.12 * rise), (x + 0.4, 156.5 + 0.18 * rise)), 0.45, 0.35


def _drawn_line(points: np.ndarray, width: float, depth: float, rng: np.random.Generator) -> np.ndarray:
    """(1024, 1024) float32: a curve through the points, uneven, tapering to both ends."""
    share = np.linspace(0, 1, len(points))
    curve = make_interp_spline(share, points, k=min(2, len(points) - 1))(np.linspace(0, 1, 40)) * FINE
    unsteady = np.interp(np.arange(40), np.arange(0, 45, 5), rng.uniform(0.35, 1.2, 9))
    strength = depth * np.sin(np.pi * np.linspace(0.04, 0.96, 40)) ** 0.7 * unsteady
    layer = np.zeros((SIDE * FINE,) * 2, np.float32)
    at = np.round(curve * 16).astype(int)
    for start, end, value in zip(at, at[1:], strength, strict=False):
        cv2.line(layer, start.tolist(), end.tolist(), max(float(value), 0.0), max(1, round(width * FINE * 0.6)), cv2.LINE_8, 4)
    return layer


def hairs(cover: np.ndarray, count: int, length: float, seed: int) -> np.ndarray:
    """(1024, 1024) float32 in [0, 1]: so many hairs of about this length in texels, where the cover (256, 256) lets them grow.

    Over the lip they part to both sides, elsewhere they grow down and a little towards the chin.
    """
    rng = np.random.default_rng(seed)
    roots = rng.uniform((8, 118), (SIDE - 8, 222), (count * 3, 2))
    chance = cover[roots[:, 1].astype(int), roots[:, 0].astype(int)] ** 0.8
    roots = roots[rng.uniform(size=len(roots)) < chance][:count]
    aside, over_lip = (roots[:, 0] - 128) / 60, roots[:, 1] < 160
    angle = np.pi / 2 - np.where(over_lip, np.clip(1.4 * aside, -0.9, 0.9), np.clip(0.25 * aside, -0.25, 0.25))
    angle = angle + rng.normal(0, 0.22, len(roots))
    long = length * rng.uniform(0.5, 1.3, len(roots)) * np.where(over_lip, 0.75, 1)
    bend, shade = rng.normal(0, 0.25, len(roots)), np.clip(rng.normal(0.75, 0.2, len(roots)), 0.25, 1)
    turning = angle[:, None] + bend[:, None] * np.linspace(0, 1, 5)  # [H 5]
    steps = np.stack([np.cos(turning), np.sin(turning)], -1) * (long / 5)[:, None, None]
    paths = np.round((roots[:, None] + np.cumsum(steps, 1)) * FINE * 16).astype(np.int32)
    layer = np.zeros((SIDE * FINE,) * 2, np.uint8)
    for path, value in zip(paths, shade, strict=True):
        cv2.polylines(layer, [path], False, int(255 * value), 1, cv2.LINE_AA, 4)
    return layer.astype(np.float32) / 255
