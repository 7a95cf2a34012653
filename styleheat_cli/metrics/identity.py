"""CSIM: whether a face network takes the generated face for the source's."""

from __future__ import annotations

import numpy as np

from .metric import Moment, Reading, Running, Setting, View, metric


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
