"""Temporal warping error: how much a picture differs from the one before, moved along the motion between them."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from .metric import Moment, Reading, Running, Setting, View, luma, metric

SIDE = 256
"""Pictures are made smaller to this shorter side, px."""


def warping_error(before: np.ndarray, now: np.ndarray, flow: cv2.DISOpticalFlow) -> float:
    """Mean squared difference of `now` from `before` moved onto it, visible pixels only, levels scaled to 0..1.

    Source: Lai et al., Learning blind video temporal consistency (2018), eq. 11; flow by dense inverse search
    instead of FlowNet2, occlusion by the forward-backward check of Ruder et al. (2016).

    Args:
        before, now: (H, W) uint8 luma.
    """
    back, forth = flow.calc(now, before, None), flow.calc(before, now, None)  # [H W 2] px
    place = back + _grid(now.shape)
    moved, returned = (_taken(picture, place) for picture in (before, forth))
    slack = 0.01 * (_square(back) + _square(forth)) + 0.5
    seen = _square(back + returned) < slack
    bottom, right = np.array(now.shape, np.float32) - 1
    x, y = place[..., 0], place[..., 1]
    seen &= (x >= 0) & (y >= 0) & (x <= right) & (y <= bottom)
    apart = cv2.absdiff(now, moved)[seen].astype(np.float32)
    return float(apart @ apart) / apart.size / 255**2 if apart.size else float("nan")


def _taken(picture: np.ndarray, place: np.ndarray) -> np.ndarray:
    return cv2.remap(picture, place, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _square(vectors: np.ndarray) -> np.ndarray:
    return vectors[..., 0] ** 2 + vectors[..., 1] ** 2


@lru_cache(maxsize=2)
def _grid(shape: tuple[int, int]) -> np.ndarray:
    """(H, W, 2) float32: each pixel's own x and y."""
    return np.stack(np.meshgrid(*map(np.arange, shape[::-1])), -1).astype(np.float32)


class _Flicker:
    """The warping errors of one clip; remembers the picture before."""

    def __init__(self) -> None:
        self.flow = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
        self.before: np.ndarray | None = None
        self.time = -1.0
        self.last: float | None = None

    def take(self, view: View | None) -> float | None:
        """Times a thousand; a picture that is shown again counts as it did."""
        if view is None or view.cut:
            self.before = None
        if view is None:
            return None
        if self.before is not None and view.time == self.time:
            return self.last
        now, before = _small(view.image), self.before
        self.before, self.time = now, view.time
        self.last = None if before is None else 1000 * warping_error(before, now, self.flow)
        return self.last


def _small(image: np.ndarray) -> np.ndarray:
    shrink = SIDE / min(image.shape[:2])
    if shrink < 1:
        image = cv2.resize(image, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
    return np.rint(luma(image)).astype(np.uint8)


@metric(
    "warp-error",
    better="lower",
    unit="×10⁻³",
    protocol="DIS @256, luma",
    says="squared difference from the frame before moved along the optical flow; `real` is the reference's, "
    "else the driver's",
    needs="",
)
class WarpError:
    """Mean over frames of the temporal warping error."""

    def __init__(self, setting: Setting):
        self.own, self.other = _Flicker(), _Flicker()
        self.frames = Running()

    def update(self, moment: Moment) -> float | None:
        return self.frames.add(self.own.take(moment.generated), self.other.take(moment.reference or moment.driving))

    def readings(self) -> list[Reading]:
        return [self.frames.reading(self.spec, "fewer than two frames")]
