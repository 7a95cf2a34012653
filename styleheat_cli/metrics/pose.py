"""Pose over time: does the head turn as the driver's does, and as far?"""

from __future__ import annotations

from dataclasses import replace

from .metric import Moment, Reading, Running, Setting, blank, metric
from .series import Pairs, follows, gain

MOVING_DEG = 2.0
"""Standard deviation of the driver's angle from which following it is measured."""
ANGLES = ("yaw", "pitch", "roll")


@metric(
    "pose",
    better="higher",
    protocol="rigid mesh fit",
    says="yaw, pitch and roll against the driver's: correlation and slope where the driver's angle has a standard "
    "deviation of 2° or more",
    needs="driving faces",
)
class PoseFollowing:
    """How the head's angles follow the driver's."""

    def __init__(self, setting: Setting):
        self.angles = {name: Pairs() for name in ANGLES}

    def update(self, moment: Moment) -> float | None:
        own, driver = moment.generated, moment.driving
        if own.face is not None and driver.face is not None:
            for name, pairs in self.angles.items():
                pairs.add(own.time, getattr(own.pose, name), getattr(driver.pose, name))
        return None

    def readings(self) -> list[Reading]:
        return [reading for name in ANGLES for reading in self._of(name, self.angles[name])]

    def _of(self, name: str, pairs: Pairs) -> list[Reading]:
        _, own, driver = pairs.arrays()
        names = [f"{name}-{what}[{self.spec.protocol}]" for what in ("corr", "gain")]
        moves = driver.std() if len(driver) else 0.0
        if moves < MOVING_DEG:
            why = f"the driver's {name} has a standard deviation of {moves:.1f}° (needs {MOVING_DEG:g}°)"
            return [blank(self.spec, why, each) for each in names]
        values = follows(own, driver), gain(own, driver)
        if values[0] is None:
            return [blank(self.spec, f"the generated {name} does not move", each) for each in names]
        return [
            replace(blank(self.spec, "", each), value=value, better=better, samples=len(pairs))
            for each, value, better in zip(names, values, ("higher", "near 1"), strict=True)
        ]


@metric(
    "pose-distance",
    better="lower",
    unit="°",
    protocol="rigid mesh fit",
    says="mean absolute difference of yaw, pitch and roll from the driver's",
    needs="driving faces",
)
class PoseDistance:
    """Mean absolute difference of the three angles."""

    def __init__(self, setting: Setting):
        self.frames = Running()

    def update(self, moment: Moment) -> float | None:
        own, driver = moment.generated, moment.driving
        if own.face is None or driver.face is None:
            return None
        apart = [abs(getattr(own.pose, name) - getattr(driver.pose, name)) for name in ANGLES]
        return self.frames.add(sum(apart) / len(apart))

    def readings(self) -> list[Reading]:
        return [self.frames.reading(self.spec, "no moment shows both faces")]
