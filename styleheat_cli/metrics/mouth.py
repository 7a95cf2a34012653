"""The mouth over time: does it open and widen as the driver's does, as far, and when?"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .face_geometry import LOWER_LIP, MOUTH_CORNERS, UPPER_LIP
from .metric import Moment, Reading, Setting, View, blank, metric
from .series import Pairs, follows, gain, in_step, lag

MOVING_PX = 1.5
"""Standard deviation of the driver's curve, px at the 256 scale, from which following it is measured: four times what the tracker
reads differently of one and the same mouth (0.35 px)."""


def opening(view: View) -> float:
    """Gap between the lips in px at the 256 scale, the head's pose taken out."""
    return _length(view, UPPER_LIP, LOWER_LIP)


def width(view: View) -> float:
    """Distance of the mouth's corners in px at the 256 scale, the head's pose taken out."""
    return _length(view, *MOUTH_CORNERS)


def _length(view: View, start: int, end: int) -> float:
    return float(np.linalg.norm(view.face[start] - view.face[end]) / view.pose.scale)


class _Curve:
    """A measure of the mouth on both faces, and what it is asked at the end."""

    measure = staticmethod(opening)
    unit = ""

    def __init__(self, setting: Setting):
        self.pairs = Pairs()

    def update(self, moment: Moment) -> float | None:
        own, driver = moment.generated, moment.driving
        if own.face is None:
            return None
        value = self.measure(own)
        if driver.face is not None:
            self.pairs.add(own.time, value, self.measure(driver))
        return value

    def readings(self) -> list[Reading]:
        times, own, driver = self.pairs.arrays()
        moves = float(driver.std()) if len(driver) else 0.0
        if moves < MOVING_PX:
            why = f"the driver's {self.spec.name} has a standard deviation of {moves:.1f} px (needs {MOVING_PX:g} px)"
            return [blank(self.spec, why, self._name(what)) for what in ("corr", "aligned", "gain", "lag")]
        shift = lag(times, own, driver)
        return [
            self._reading("corr", follows(own, driver), "", "higher"),
            self._reading("aligned", in_step(times, own, driver), "", "higher"),
            self._reading("gain", gain(own, driver), "", "near 1"),
            self._reading("lag", None if shift is None else 1000 * shift, "ms", "near 0"),
        ]

    def _name(self, what: str) -> str:
        return f"{self.spec.name}-{what}[{self.spec.protocol}]"

    def _reading(self, what: str, value: float | None, unit: str, better: str) -> Reading:
        name = self._name(what)
        if value is None:
            return blank(self.spec, "the clip is too short or the mouth does not move", name)
        return replace(blank(self.spec, "", name), value=value, unit=unit, better=better, samples=len(self.pairs))


@metric(
    "mouth-opening",
    better="higher",
    protocol="mesh, pose-free",
    says="gap of the inner lips against the driver's: correlation, the same at the best shift within 0.25 s, slope, and delay (positive: later than the driver), "
    f"where the driver's has a standard deviation of {MOVING_PX:g} px or more",
    needs="driving faces",
)
class MouthOpening(_Curve):
    """How the lips' gap follows the driver's."""


@metric(
    "mouth-width",
    better="higher",
    protocol="mesh, pose-free",
    says="distance of the mouth's corners against the driver's: correlation, the same at the best shift within 0.25 s, slope, and delay, "
    f"where the driver's has a standard deviation of {MOVING_PX:g} px or more",
    needs="driving faces",
)
class MouthWidth(_Curve):
    """How the mouth's width follows the driver's."""

    measure = staticmethod(width)
