"""AED and APD: how far expression and pose, as a morphable model sees them, are from the driver's."""

from __future__ import annotations

from tempfile import TemporaryFile

import numpy as np

from ..shot import ANGLES, EXPRESSION, TRANSLATION
from .metric import Moment, Reading, Running, Setting, View, blank, metric

SHAPE = (478, 3)
FOR_IDENTITY = 60
"""Frames that a person's identity is fitted to, evenly spread."""
AT_ONCE = 256


class Meshes:
    """The meshes of a clip, in a temporary file, so that memory does not grow with the clip."""

    def __init__(self) -> None:
        self.file = TemporaryFile()  # noqa: SIM115 - lives as long as the metric
        self.count = 0

    def add(self, face: np.ndarray) -> None:
        self.file.write(np.ascontiguousarray(face, np.float32).tobytes())
        self.count += 1

    def rows(self, first: int, last: int) -> np.ndarray:
        """(last - first, 478, 3) float32."""
        size = 4 * int(np.prod(SHAPE))
        self.file.seek(first * size)
        return np.frombuffer(self.file.read((last - first) * size), np.float32).reshape(-1, *SHAPE)

    def spread(self, count: int) -> np.ndarray:
        """(min(count, all), 478, 3): evenly spread meshes."""
        wanted = np.unique(np.linspace(0, self.count - 1, min(count, self.count)).round().astype(int))
        return np.concatenate([self.rows(row, row + 1) for row in wanted])


def distances(generated: np.ndarray, real: np.ndarray) -> float:
    """Mean absolute difference of coefficients (T, K).

    Source: Ren et al., PIRenderer (2021), average expression and pose distances.
    """
    return float(np.abs(generated - real).mean())


class _Coefficients:
    """Meshes of both faces, fitted when the clip has ended."""

    what = "expression"

    def __init__(self, setting: Setting):
        self.recon = setting.judges.get("recon")
        self.generated, self.driver = Meshes(), Meshes()

    def update(self, moment: Moment) -> float | None:
        own, driver = moment.generated, moment.driving
        if own.face is not None and driver.face is not None:
            self.generated.add(own.face)
            self.driver.add(driver.face)
        return None

    def readings(self) -> list[Reading]:
        count = self.generated.count
        if not count:
            return [blank(self.spec, "no moment shows both faces")]
        people = [self.recon.identity(meshes.spread(FOR_IDENTITY)) for meshes in (self.generated, self.driver)]
        total = 0.0
        for first in range(0, count, AT_ONCE):
            last = min(first + AT_ONCE, count)
            own, driver = (
                self.recon.coefficients(meshes.rows(first, last), person)[self.what]
                for meshes, person in zip((self.generated, self.driver), people, strict=True)
            )
            total += distances(own, driver) * (last - first)
        return [Reading(self.spec.printed, total / count, self.spec.unit, self.spec.better, count)]


@metric(
    "aed",
    better="lower",
    protocol="default",
    says="mean absolute difference of the 64 expression coefficients of the embedded landmark model, of unit variance; "
    "not on the scale of Deep3D's, which the papers use",
    needs="driving faces",
    judge="recon",
)
class ExpressionDistance(_Coefficients):
    """Average expression distance."""


@metric(
    "apd",
    better="lower",
    unit="rad",
    protocol="default",
    says="mean absolute difference of pitch, yaw and roll of the embedded landmark model's fit; the papers add "
    "Deep3D's translation",
    needs="driving faces",
    judge="recon",
)
class PoseDistanceOfModel(_Coefficients):
    """Average pose distance."""

    what = "angles"


class _Read:
    """What Deep3D reads of both faces, frame by frame."""

    part = EXPRESSION

    def __init__(self, setting: Setting):
        self.read = setting.judges.get("deep3d")
        self.frames = Running()

    def update(self, moment: Moment) -> float | None:
        if moment.generated.face is None or moment.driving.face is None:
            return None
        if "deep3d" not in moment.known:  # both distances are taken of one reading
            moment.known["deep3d"] = [self._of(view) for view in (moment.generated, moment.driving)]
        own, driver = (numbers[self.part] for numbers in moment.known["deep3d"])
        return self.frames.add(distances(own, driver))

    def readings(self) -> list[Reading]:
        return [self.frames.reading(self.spec, "no moment shows both faces")]

    def _of(self, view: View) -> np.ndarray:
        return self.read(view.image, view.face)


@metric(
    "aed-deep3d",
    better="lower",
    protocol="ren2021",
    says="as the papers have it: mean absolute difference of Deep3D's 64 expression coefficients",
    needs="driving faces",
    judge="deep3d",
)
class ExpressionDistanceOfPapers(_Read):
    """Average expression distance in Deep3D's coefficients."""


@metric(
    "apd-deep3d",
    better="lower",
    protocol="ren2021",
    says="as the papers have it: mean absolute difference of Deep3D's three angles (rad) and three numbers of place",
    needs="driving faces",
    judge="deep3d",
)
class PoseDistanceOfPapers(_Read):
    """Average pose distance in Deep3D's coefficients."""

    part = slice(ANGLES.start, TRANSLATION.stop)
