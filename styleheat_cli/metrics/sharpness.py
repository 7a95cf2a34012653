"""Sharpness ratio: how much of the real face's fine detail the generated face has, in all and around the mouth."""

from __future__ import annotations

import cv2
import numpy as np

from .face_geometry import LIPS, OVAL
from .metric import Moment, Reading, Running, Setting, View, blank, metric

SAME_SCALE = 1.03
"""Faces whose sizes differ by less are compared as they are, others at the size of the smaller."""


AROUND = 1.6
"""How much wider and higher than the lips the part around the mouth is."""


def outline_of_face(face: np.ndarray) -> np.ndarray:
    """(K, 2) px of a face (478, 3)."""
    return np.asarray(face)[list(OVAL), :2]


def outline_of_mouth(face: np.ndarray) -> np.ndarray:
    """(K, 2) px: lips and the skin around them."""
    lips = np.asarray(face)[list(LIPS), :2]
    middle = (lips.min(0) + lips.max(0)) / 2
    return middle + AROUND * (lips - middle)


def sharpness_inside(image: np.ndarray, outline: np.ndarray, shrink: float = 1.0) -> float:
    """Variance of the Laplacian of the luma inside an outline, in squared levels; NaN where nothing of it is in the picture.

    Args:
        image: (H, W) float32 luma in 0..255.
        outline: (K, 2) px; its hull counts.
        shrink: 0..1, the picture is first made smaller by this factor (area mean).
    """
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

    outline = staticmethod(outline_of_face)

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
        own = self.generated.add(self._of(moment.generated, self.shrink[0]))
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
            self.still = (real, self._of(real, self.shrink[1]))
        return self.still[1]

    def _of(self, view: View, shrink: float) -> float:
        return sharpness_inside(view.frame_luma, self.outline(view.face), shrink)


@metric(
    "mouth-sharpness",
    better="near 1",
    protocol="laplacian, mouth",
    says=f"the same within {AROUND:g} times the outline of the lips; teeth and shadows of an open mouth add edges that the source's "
    "closed one lacks",
    needs="faces real",
)
class MouthSharpness(Sharpness):
    """Mean sharpness around the generated mouth over that around the real one."""

    outline = staticmethod(outline_of_mouth)


def _to_smaller(generated: float, real: float) -> tuple[float, float]:
    """Factors that bring two faces of these scales to the size of the smaller."""
    if max(generated, real) < SAME_SCALE * min(generated, real):
        return 1.0, 1.0
    smaller = min(generated, real)
    return smaller / generated, smaller / real
