"""Faces found: in how many of the moments that should show a face the generated clip does."""

from __future__ import annotations

from .metric import Moment, Reading, Running, Setting, metric


@metric(
    "faces",
    better="higher",
    unit="%",
    protocol="mesh",
    says="share of the moments in which a face is found, among those in which the reference or driving clip shows one",
    needs="faces",
)
class Coverage:
    """How often the generated clip shows a face where it should."""

    def __init__(self, setting: Setting):
        self.frames = Running()

    def update(self, moment: Moment) -> float | None:
        other = moment.reference or moment.driving
        if other is not None and other.face is None:
            return None
        return self.frames.add(100.0 * (moment.generated.face is not None))

    def readings(self) -> list[Reading]:
        return [self.frames.reading(self.spec, "no face was found in the clip it is compared with")]
