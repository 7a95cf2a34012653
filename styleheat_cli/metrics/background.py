"""Background: does anything change that is not the head?"""

from __future__ import annotations

import cv2
import numpy as np

from .face_geometry import FACE_HEIGHT, OVAL
from .metric import Moment, Reading, Running, Setting, View, blank, metric

GROW = 0.6
"""The head is the outline of the face grown by this share of the face's height: hair, ears and neck."""


def outside_heads(shape: tuple[int, int], *views: View) -> np.ndarray:
    """(H, W) bool: pixels that belong to none of these heads."""
    head = np.zeros(shape, np.uint8)
    for view in views:
        if view.face is not None:
            outline = np.rint(view.face[list(OVAL), :2]).astype(np.int32)
            reach = 2 * round(GROW * FACE_HEIGHT * view.pose.scale)
            cv2.fillConvexPoly(head, cv2.convexHull(outline), 1)
            cv2.polylines(head, [outline], True, 1, thickness=min(max(reach, 1), 32767))
    return head == 0


@metric(
    "background",
    better="lower",
    unit="levels",
    protocol="outside both heads",
    says="mean absolute difference from the source where neither picture has the head (the face's outline grown by 0.6 "
    "face heights), of 255 levels; and the share of those pixels that differ by more than 2 levels",
    needs="source faces",
)
class Background:
    """Mean change of the pixels that are not the head's."""

    def __init__(self, setting: Setting):
        self.change, self.share = Running(), Running()

    def update(self, moment: Moment) -> float | None:
        own, source = moment.generated, moment.source
        if own.face is None or source.face is None or own.image.shape != source.image.shape:
            return None
        outside = outside_heads(own.image.shape[:2], own, source)
        if not outside.any():
            return None
        apart = cv2.absdiff(own.image, source.image)[outside]  # [N 3]
        self.share.add(100 * float((apart.max(1) > 2).mean()))
        return self.change.add(float(apart.mean()))

    def readings(self) -> list[Reading]:
        why = "the source has another size, no face, or nothing but the head"
        if not self.change.count:
            return [blank(self.spec, why)]
        share = Reading("background-changed[outside both heads]", self.share.mean, "%", "lower", self.share.count)
        return [self.change.reading(self.spec, why), share]
