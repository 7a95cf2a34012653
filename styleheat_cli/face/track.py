"""One person's face through a clip: locked by place and look, with what is missing told and filled.

Faces in a picture are numbered from the left, starting at 1, in the first frame where any face is visible.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from ..errors import FaceError
from ..progress import Progress, counted, silent
from ..shot import FaceTrack, Frame, Span
from .align import crops
from .appearance import OTHER, SAME, Cuts, Person, describe
from .landmarks import POINTS, Landmarker, box, face_height, overlap, region_of
from .rows import Rows
from .smooth import gaps

Select = Literal["largest", "left", "right"] | int
Missing = Literal["keep", "hold", "fail"]
SEARCH_EVERY_S = 0.5
"""How often a lost face is looked for thoroughly (small, turned), in seconds of the clip."""


def track(frames: Iterable[Frame], *, select: Select | str = "largest", height: int, width: int,
          on_missing: Missing = "keep", total: int = 0, progress: Progress = silent,
          name: str = "the clip") -> FaceTrack:
    """Follow one face through the frames; nothing but numbers is kept of them.

    Args:
        frames: in order, each looked at once.
        select: which face where there are several: `largest`, `left`, `right`, or its number from the left (1 is the
            leftmost), in the first frame with any face.
        height, width: of the frames, px.
        on_missing: rows without the face are interpolated (`keep`) or repeat the last one seen (`hold`); `fail` raises.
        name: what to call the clip in messages.

    Raises:
        FaceError: no frame has a face, the number asked for is not there, or a face is missing and that shall fail.
    """
    kept = _Kept()
    with Landmarker() as landmarker:
        follower = Follower(landmarker, select, name)
        for frame in counted(frames, "track", total, progress):
            points = follower.step(frame)
            if points is None and on_missing == "fail":
                raise _missing(name, frame, follower.why)
            kept.add(frame, points, follower)
    if not any(kept.seen):
        raise _nowhere(name, kept, height, width)
    return kept.finish(hold=on_missing == "hold")


class Follower:
    """Finds the chosen person in one frame after the other. `why` says why the last one had no face."""

    def __init__(self, landmarker: Landmarker, select: Select | str, name: str):
        self.landmarker, self.select, self.name = landmarker, select, name
        self.person, self.picture = Person(), Cuts()
        self.last: np.ndarray | None = None
        self.cut, self.why, self._searched = False, "", -np.inf

    def step(self, frame: Frame) -> np.ndarray | None:
        """(478, 3) points of the person in this frame, None where they are not seen."""
        self.cut, self.why = self.picture.is_cut(frame.image), ""
        if self.last is not None and not self.cut:
            self.last = self._continue(frame.image)
        else:
            self.last = None
        if self.last is None:
            self.last = self._search(frame)
        if self.last is None:
            self.why = self.why or "no face"
        return self.last

    def _continue(self, image: np.ndarray) -> np.ndarray | None:
        """The face where it was a moment ago, if it still looks the same."""
        points = self.landmarker.at(image, region_of(self.last))
        if points is None or overlap(box(points), box(self.last)) < 0.3:
            return None
        look = describe(image, points)
        distance = self.person.distance(look)
        if distance > OTHER:
            return None
        if distance < SAME:
            self.person.remember(look)
        return points

    def _search(self, frame: Frame) -> np.ndarray | None:
        """The person anywhere in the frame; who that is, is settled the first time any face is there."""
        thorough = float(frame.time) - self._searched >= SEARCH_EVERY_S
        if thorough:
            self._searched = float(frame.time)
        found = self.landmarker.find(frame.image, thorough=thorough)
        if not found:
            return None
        looks = [describe(frame.image, points) for points in found]
        if not self.person.views:
            best = _choose(found, self.select, self.name, frame)
            self.person.remember(looks[best])
            return found[best]
        distances = [self.person.distance(look) for look in looks]
        best = int(np.argmin(distances))
        self.why = "another face" if distances[best] > SAME else ""
        return None if self.why else found[best]


@dataclass
class _Kept:
    """What the track will be made of."""

    times: list[float] = field(default_factory=list)
    boxes: list[np.ndarray] = field(default_factory=list)
    seen: list[bool] = field(default_factory=list)
    why: list[str] = field(default_factory=list)
    cuts: list[float] = field(default_factory=list)
    landmarks: Rows = field(default_factory=lambda: Rows((POINTS, 3)))

    def add(self, frame: Frame, points: np.ndarray | None, follower: Follower) -> None:
        time, seen = float(frame.time), points is not None
        points = np.zeros((POINTS, 3), np.float32) if points is None else points
        self.times.append(time)
        self.seen.append(seen)
        self.why.append(follower.why)
        self.boxes.append(box(points))
        self.landmarks.append(points)
        if follower.cut:
            self.cuts.append(time)

    def finish(self, hold: bool) -> FaceTrack:
        """The track, its gaps filled."""
        times, boxes, seen = np.array(self.times), np.array(self.boxes, np.float32), np.array(self.seen)
        spans = gaps(seen)
        for start, stop in spans:
            _fill(self.landmarks, boxes, times, self.cuts, start, stop, hold)
        missing = tuple(Span(times[a], _end(times, b), self.why[a], b - a) for a, b in spans)
        crop = crops(self.landmarks, times, self.cuts, seen)
        return FaceTrack(times, boxes, self.landmarks, crop, seen, missing, tuple(self.cuts))


def _choose(found: list[np.ndarray], select: Select | str, name: str, frame: Frame) -> int:
    """Index of the face asked for among those found, which are ordered from the left."""
    if select == "largest":
        return int(np.argmax([face_height(points) for points in found]))
    if select in ("left", "right"):
        return 0 if select == "left" else len(found) - 1
    number = int(select)
    if not 1 <= number <= len(found):
        raise FaceError(f"{name} {float(frame.time):.3f} s (frame {frame.index}): there is no face {number}; "
                        f"{_sizes(found)}", hint="faces are numbered from the left, starting at 1")
    return number - 1


def _sizes(found: list[np.ndarray]) -> str:
    sizes = ", ".join(f"{face_height(points):.0f}" for points in found)
    return f"{len(found)} seen, {sizes} px high" if len(found) > 1 else f"1 seen, {sizes} px high"


def _fill(landmarks: Rows, boxes: np.ndarray, times: np.ndarray, cuts: list[float], start: int, stop: int,
          hold: bool) -> None:
    """Write rows start:stop from the neighbours of the same shot: held at the ends, on a line between two."""
    before, after = start - 1, stop
    cut = next((i for i in range(start, min(stop, len(times) - 1) + 1) if times[i] in cuts), None)
    if before < 0 or (cut is not None and cut == start and after < len(times)):
        before = after
    if after >= len(times):
        after = before
    for i in range(start, stop):
        if cut is not None:
            share = float(i >= cut)
        else:
            share = 0.0 if hold else (times[i] - times[before]) / max(times[after] - times[before], 1e-9)
        landmarks[i] = (1 - share) * landmarks[before] + share * landmarks[after]
        boxes[i] = (1 - share) * boxes[before] + share * boxes[after]


def _end(times: np.ndarray, stop: int) -> float:
    """When the frame before `stop` ends."""
    if stop < len(times):
        return float(times[stop])
    return float(times[-1] + (times[-1] - times[-2] if len(times) > 1 else 0))


def _missing(name: str, frame: Frame, why: str) -> FaceError:
    return FaceError(f"{name} {float(frame.time):.3f} s (frame {frame.index}): {why}",
                     hint="trim the clip with --start and --end, or let --on-missing-face keep or hold such frames")


def _nowhere(name: str, kept: _Kept, height: int, width: int) -> FaceError:
    if not kept.times:
        return FaceError(f"{name}: no frames to look for a face in", hint="check --start and --end")
    span = f"from {kept.times[0]:.1f} s to {kept.times[-1]:.1f} s" if len(kept.times) > 1 else "in the picture"
    return FaceError(f"{name}: no face {span} ({len(kept.times)} frames of {width}x{height} looked at, "
                     "faces of 16 px and more)", hint="a face must be visible, not from behind and not covered")
