"""Age: how much older a face reads than the source's at the same moment."""

from __future__ import annotations

from .metric import Moment, Reading, Running, Setting, View, metric

EVERY = 10
"""One moment in so many is read."""


@metric(
    "older",
    better="higher",
    unit="decades",
    protocol="reading",
    says=f"by how much the generated face reads older than the source's at the same moment, one frame in {EVERY}: the linear "
    "reading of relief and shape that portraits' labels were fitted to (correlation 0.60 with them), so dull: a decade reads as less",
    needs="source faces",
    judge="attributes",
)
class Older:
    """Mean difference of the readings of age."""

    def __init__(self, setting: Setting):
        self.read = setting.judges.get("attributes")
        self.frames, self.count = Running(), 0
        self.still: tuple[View, float] | None = None

    def update(self, moment: Moment) -> float | None:
        own, source = moment.generated, moment.source
        if own.face is None or source.face is None:
            return None
        self.count += 1
        if self.count % EVERY != 1:
            return None
        return self.frames.add(self.read(own.image, own.face, "age") - self._of(source))

    def readings(self) -> list[Reading]:
        return [self.frames.reading(self.spec, "no moment shows both faces")]

    def _of(self, source: View) -> float:
        """A still is read once."""
        if self.still is None or self.still[0] is not source:
            self.still = (source, self.read(source.image, source.face, "age"))
        return self.still[1]
