"""Shake: how much the face trembles from frame to frame, against how much the driver's does."""

from __future__ import annotations

from collections import deque

import numpy as np

from .face_geometry import FACE
from .metric import Moment, Reading, Running, Setting, View, blank, metric

SAME_RATE = 0.02


def second_difference(before: np.ndarray, now: np.ndarray, after: np.ndarray) -> float:
    """Mean length of before - 2 now + after over points (K, 2): px per frame²."""
    return float(np.linalg.norm(before - 2 * now + after, axis=1).mean())


class _Trembling:
    """Second differences of one face, over runs of consecutive frames in which it was seen."""

    def __init__(self) -> None:
        self.rows: deque[np.ndarray] = deque(maxlen=3)
        self.size = Running()

    def take(self, view: View | None) -> float | None:
        """The second difference that ends at this frame, at the 256 scale."""
        if view is None or view.face is None or view.cut:
            self.rows.clear()
        if view is None or view.face is None:
            return None
        self.size.add(view.pose.scale)
        self.rows.append(np.asarray(view.face[FACE, :2], np.float64))
        return second_difference(*self.rows) / self.size.mean if len(self.rows) == 3 else None


@metric(
    "jitter",
    better="lower",
    unit="px/frame²",
    protocol="mesh 468 @256",
    says="mean length of the landmarks' second differences, motion included; `real` is the driver's",
    needs="faces",
)
class Jitter:
    """Mean second difference of the generated face's landmarks."""

    def __init__(self, setting: Setting):
        self.own, self.driver = _Trembling(), _Trembling()
        self.frames = Running()

    def update(self, moment: Moment) -> float | None:
        return self.frames.add(self.own.take(moment.generated), self.driver.take(moment.driving))

    def readings(self) -> list[Reading]:
        return [self.frames.reading(self.spec, "no three frames in a row show the face")]


@metric(
    "shake",
    better="near 1",
    protocol="jitter ratio",
    says="jitter of the generated face over the driver's, where both run at one frame rate",
    needs="driving faces",
)
class Shake(Jitter):
    """Jitter of the generated face over that of the driver."""

    def __init__(self, setting: Setting):
        super().__init__(setting)
        self.rates = setting.generated_fps, setting.driving_fps

    def update(self, moment: Moment) -> float | None:
        own, driver = self.own.take(moment.generated), self.driver.take(moment.driving)
        if own is not None and driver is not None:
            self.frames.add(own, driver)
        return None

    def readings(self) -> list[Reading]:
        own, driver = self.rates
        if abs(own - driver) > SAME_RATE * max(own, driver):
            return [blank(self.spec, f"the frame rates differ ({own:.5g} and {driver:.5g} frames/s)")]
        if not self.frames.count or not self.frames.real_mean:
            return [blank(self.spec, "no three frames in a row show both faces moving")]
        ratio = self.frames.mean / self.frames.real_mean
        return [Reading(self.spec.printed, ratio, "", self.spec.better, self.frames.count, real=1.0)]
