"""Whose face is it? CSIM by a face network, and likeness by the look that the tracker knows people by."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..face.appearance import SAME, describe
from .metric import Moment, Reading, Running, Setting, View, blank, metric


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    """Cosine of the angle between two vectors (D,)."""
    return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b) + 1e-12))


@metric(
    "csim",
    better="higher",
    unit="cosine",
    protocol="arcface-irse50",
    says="cosine of ArcFace embeddings of the generated face and of the source's (the reference's without a source)",
    needs="faces real",
    judge="identity",
)
class Csim:
    """Mean cosine similarity of identity embeddings."""

    def __init__(self, setting: Setting):
        self.embed = setting.judges.get("identity")
        self.frames = Running()
        self.still: tuple[View, np.ndarray] | None = None

    def update(self, moment: Moment) -> float | None:
        real = moment.source or moment.reference
        if moment.generated.face is None or real.face is None:
            return None
        own = self.embed(moment.generated.image, moment.generated.face)
        return self.frames.add(cosine(own, self._of(real)))

    def readings(self) -> list[Reading]:
        return [self.frames.reading(self.spec, "no moment shows both faces")]

    def _of(self, real: View) -> np.ndarray:
        """A still is embedded once."""
        if self.still is None or self.still[0] is not real:
            self.still = (real, self.embed(real.image, real.face))
        return self.still[1]


@metric(
    "likeness",
    better="higher",
    unit="cosine",
    protocol="looks",
    says="cosine of the looks (colours and edges of the upright face) of the generated face and of the source's, beside it (`real`) the "
    "driver's with how it first looked, one person; `likeness-driver`: of the generated face and the driver's (to be high where these "
    "are one person), beside it the source photo's own with the driver's; `likeness-leak`: how much of the way from the photo's to 1 "
    "the generated face's has gone, 0 where nothing of the driver came in, 1 where it is the driver (whose pose and expression count, "
    "too). Frames of one person "
    f"lie above {1 - SAME:g}, strangers below, but for one pair in 200",
    needs="source faces",
)
class Likeness:
    """Mean likeness to the source and to the driver, and how much of the driver came in."""

    def __init__(self, setting: Setting):
        self.source, self.driver, self.leak, self.person = Running(), Running(), Running(), Running()
        self.still: tuple[View, np.ndarray] | None = None
        self.first: np.ndarray | None = None

    def update(self, moment: Moment) -> float | None:
        own, source, driver = moment.generated, moment.source, moment.driving
        if own.face is None or source.face is None:
            return None
        look, photo = describe(own.image, own.face), self._of(source)
        if driver is not None and driver.face is not None:
            theirs = describe(driver.image, driver.face)
            self.first = theirs if self.first is None else self.first
            self.person.add(cosine(self.first, theirs))
            near, before = cosine(look, theirs), cosine(photo, theirs)
            self.driver.add(near, real=before)
            self.leak.add((near - before) / max(1 - before, 1e-6))
        return self.source.add(cosine(look, photo))

    def readings(self) -> list[Reading]:
        same = (self.driver.real_mean or 0) > 1 - SAME
        driver = replace(self.spec, name="likeness-driver", better="higher" if same else "lower")
        leak = replace(self.spec, name="likeness-leak", better="near 0", unit="")
        absent = "the driver shows no face"
        return [
            replace(self.source.reading(self.spec, "no moment shows both faces"), real=self.person.mean),
            self.driver.reading(driver, absent),
            blank(leak, "source and driver look like one person") if same else self.leak.reading(leak, absent),
        ]

    def _of(self, source: View) -> np.ndarray:
        if self.still is None or self.still[0] is not source:
            self.still = (source, describe(source.image, source.face))
        return self.still[1]
