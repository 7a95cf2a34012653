"""Background: does anything change that is not the person?"""

from __future__ import annotations

import cv2
import numpy as np

from .face_geometry import FACE_HEIGHT, OVAL
from .metric import Moment, Reading, Running, Setting, View, blank, metric

SIDE = 320
"""Shorter side of the picture in which the person is told from the background, px."""
PERSON = 0.05
"""Matte from which a pixel may be the person's."""
RIM = 8.0
"""So far around a person a pixel is not counted, px at the 256 scale."""
LEAST = 0.01
"""Share of the picture that must be background for it to be measured."""
VISIBLE = 2


def outside_people(shape: tuple[int, int], *views: View) -> np.ndarray:
    """(H, W) bool: pixels that none of these pictures shows a person in, nor near one."""
    person = np.zeros(shape, np.uint8)
    for view in views:
        if view.person is None:
            view.person = _person(view)
        person |= view.person
    rim = max(round(RIM * max(view.pose.scale for view in views)), 1)
    return cv2.dilate(person, np.ones((2 * rim + 1, 2 * rim + 1), np.uint8)) == 0


def _person(view: View) -> np.ndarray:
    """(H, W) uint8: 1 where the matte or the outline of the face says person."""
    from ..face.matte import matte

    height, width = view.image.shape[:2]
    shrink = min(SIDE / min(height, width), 1)
    small = cv2.resize(view.image, (round(width * shrink), round(height * shrink)), interpolation=cv2.INTER_AREA)
    person = (cv2.resize(matte(small), (width, height)) > PERSON).astype(np.uint8)
    outline = np.rint(view.face[list(OVAL), :2]).astype(np.int32)
    cv2.fillConvexPoly(person, cv2.convexHull(outline), 1)
    return person


@metric(
    "background",
    better="lower",
    unit="levels",
    protocol="outside both people",
    says="mean absolute difference from the source, of 255 levels, where neither picture has the person (MediaPipe's matte, "
    f"and {RIM / FACE_HEIGHT:.2f} face heights around it); `changed`: share of those pixels that differ by more than "
    f"{VISIBLE} levels, `touched`: that differ at all",
    needs="source faces",
)
class Background:
    """Mean change of the pixels that are not the person's."""

    def __init__(self, setting: Setting):
        self.change, self.changed, self.touched = Running(), Running(), Running()

    def update(self, moment: Moment) -> float | None:
        own, source = moment.generated, moment.source
        if own.face is None or source.face is None or own.image.shape != source.image.shape:
            return None
        outside = outside_people(own.image.shape[:2], own, source)
        if outside.mean() < LEAST:
            return None
        apart = cv2.absdiff(own.image, source.image)[outside]  # [N 3]
        largest = apart.max(1)
        self.changed.add(100 * float((largest > VISIBLE).mean()))
        self.touched.add(100 * float((largest > 0).mean()))
        return self.change.add(float(apart.mean()))

    def readings(self) -> list[Reading]:
        why = "the source has another size, no face, or no background"
        if not self.change.count:
            return [blank(self.spec, why)]
        shares = [
            Reading(f"background-{what}[{self.spec.protocol}]", share.mean, "%", "lower", share.count)
            for what, share in (("changed", self.changed), ("touched", self.touched))
        ]
        return [self.change.reading(self.spec, why), *shares]
