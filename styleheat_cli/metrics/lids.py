"""Lids: how far shut eyes, with all that surrounds them, are from the real ones."""

from __future__ import annotations

import cv2
import numpy as np

from ..engine.eyes import EYES, openness
from ..engine.heal import lids_outline
from .metric import Moment, Reading, Running, Setting, metric

SHUT = 0.08
"""Eye widths between the lids of the real face up to which an eye counts as shut."""


@metric(
    "lids",
    better="lower",
    unit="levels",
    protocol="rgb, shut eyes",
    says=f"mean absolute difference, of 255 levels, of an eye and its lids at moments at which the real one is shut (open by at most {SHUT:g} "
    "of its width)",
    needs="reference faces",
)
class Lids:
    """Mean over shut eyes of how much they differ from the real ones."""

    def __init__(self, setting: Setting):
        self.eyes = Running()

    def update(self, moment: Moment) -> float | None:
        real = moment.reference
        if real.face is None:
            return None
        found = [shut_eye(moment.generated.image, real.image, real.face[list(ring), :2]) for ring, _ in EYES]
        found = [self.eyes.add(value) for value in found if value is not None]
        return float(np.mean(found)) if found else None

    def readings(self) -> list[Reading]:
        return [self.eyes.reading(self.spec, "the real face never shuts its eyes")]


def shut_eye(generated: np.ndarray, real: np.ndarray, outline: np.ndarray) -> float | None:
    """How far two pictures (H, W, 3) uint8 differ, in levels, where an eye of this outline (16, 2) and its lids are; none while it is open,
    or where they lie outside."""
    if openness(outline) > SHUT:
        return None
    inside = np.zeros(real.shape[:2], np.uint8)
    cv2.fillConvexPoly(inside, np.round(lids_outline(outline)).astype(np.int32), 1)
    x, y, width, height = cv2.boundingRect(inside)
    ours, theirs = (image[y : y + height, x : x + width].astype(np.float32) for image in (generated, real))
    where = inside[y : y + height, x : x + width] > 0
    return float(np.abs(ours - theirs)[where].mean()) if where.any() else None
