"""Sharpness ratio: how much of the real face's fine detail the generated face has."""

from __future__ import annotations

import cv2
import numpy as np

from .face_geometry import OVAL
from .metric import Moment, Reading, Running, Setting, View, blank, metric

SAME_SCALE = 1.03
"""Faces whose sizes differ by less are compared as they are, others at the size of the smaller."""


def face_sharpness(image: np.ndarray, face: np.ndarray, shrink: float = 1.0) -> float:
    """Variance of the Laplacian of the luma inside the face's outline, in squared levels.

    Args:
        image: (H, W) float32 luma in 0..255.
        face: (478, 3) px.
        shrink: 0..1, the picture is first made smaller by this factor (area mean).
    """
    outline = np.asarray(face)[list(OVAL), :2]
    x0, y0 = np.maximum(np.floor(outline.min(0)).astype(int), 0)
    x1, y1 = np.ceil(outline.max(0)).astype(int) + 1
    patch = image[y0:y1, x0:x1]
    outline = outline - (x0, y0)
    if shrink < 1 and patch.size:
        patch = cv2.resize(patch, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
        outline = outline * shrink
    if min(patch.shape) < 3:
        return float("nan")
    inside = np.zeros(patch.shape, np.uint8)
    cv2.fillConvexPoly(inside, cv2.convexHull(np.rint(outline).astype(np.int32)), 1)
    return float(cv2.Laplacian(patch, cv2.CV_32F)[inside > 0].var(dtype=np.float64))


@metric(
    "sharpness",
    better="near 1",
    protocol="laplacian, face",
    says="variance of the Laplacian inside the face's outline over that of the real face (the source photo where one "
    "is given, else the same moments of the reference), at the size of the smaller face",
    needs="faces real",
)
class Sharpness:
    """Mean sharpness of the generated face over mean sharpness of the real one."""

    def __init__(self, setting: Setting):
        self.generated, self.real = Running(), Running()
        self.shrink: tuple[float, float] | None = None
        self.still: tuple[View, float] | None = None

    def update(self, moment: Moment) -> float | None:
        real = moment.source or moment.reference
        if moment.generated.face is None or real.face is None:
            return None
        if self.shrink is None:
            self.shrink = _to_smaller(moment.generated.pose.scale, real.pose.scale)
        own = self.generated.add(face_sharpness(moment.generated.frame_luma, moment.generated.face, self.shrink[0]))
        there = self.real.add(self._of_real(real))
        return own / there if there else None

    def readings(self) -> list[Reading]:
        if not self.generated.count or not self.real.mean:
            return [blank(self.spec, "no moment shows both faces")]
        ratio = self.generated.mean / self.real.mean
        return [
            Reading(self.spec.printed, ratio, "", self.spec.better, self.generated.count, real=1.0),
        ]

    def _of_real(self, real: View) -> float:
        """A still is measured once."""
        if self.still is None or self.still[0] is not real:
            self.still = (real, face_sharpness(real.frame_luma, real.face, self.shrink[1]))
        return self.still[1]


def _to_smaller(generated: float, real: float) -> tuple[float, float]:
    """Factors that bring two faces of these scales to the size of the smaller."""
    if max(generated, real) < SAME_SCALE * min(generated, real):
        return 1.0, 1.0
    smaller = min(generated, real)
    return smaller / generated, smaller / real
