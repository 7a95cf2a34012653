"""Temporal warping error: how much a picture differs from the one before, moved along the motion between them."""

from __future__ import annotations

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
    grid = np.stack(np.meshgrid(*map(np.arange, now.shape[::-1])), -1).astype(np.float32)
    place = grid + back
    moved = cv2.remap(before, place, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    returned = back + cv2.remap(forth, place, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    slack = 0.01 * (np.square(back).sum(-1) + np.square(forth).sum(-1)) + 0.5
    seen = np.square(returned).sum(-1) < slack
    seen &= (place >= 0).all(-1) & (place <= np.array(now.shape[::-1]) - 1).all(-1)
    error = np.square((now.astype(np.float32) - moved) / 255)
    return float(error[seen].mean(dtype=np.float64)) if seen.any() else float("nan")


class _Flicker:
    """The warping errors of one clip; remembers the picture before."""

    def __init__(self) -> None:
        self.flow = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
        self.before: np.ndarray | None = None
        self.time = -1.0
        self.last: float | None = None

    def take(self, view: View | None) -> float | None:
        """Times a thousand; a picture that is shown again counts as it did."""
        if view is None:
            self.before = None
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
