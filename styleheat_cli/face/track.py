"""One person's face through a clip: locked by place and look, with what is missing told and filled.

Faces in a picture are numbered from the left, starting at 1, in the first frame where any face is visible.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from ..errors import FaceError, RecipeError
from ..progress import Progress, counted, silent
from ..shot import POINTS, FaceTrack, Frame, Span
from .align import crops
from .appearance import OTHER, SAME, Person, Picture, cuts, describe
from .census import find_faces as find_faces
from .landmarks import Landmarker, box, face_height, overlap, region_of
from .rows import Rows
from .smooth import gaps

if TYPE_CHECKING:
    from .shoulders import Shoulders

Select = Literal["largest", "left", "right"] | int
Missing = Literal["keep", "hold", "fail"]
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.25, 2.0
"""Between two thorough looks (for small and turned faces), in seconds of the clip; each time without a face doubles it."""
RECENT_S = 1.0
"""How long the place where a face was seen last still speaks for a face found there."""
NEAR, QUICK = 0.3, 0.85
"""Overlap of boxes: above the first it is the same place, below the second the face moves quickly."""


def track(frames: Iterable[Frame], *, select: Select | str = "largest", height: int, width: int,
          on_missing: Missing = "keep", total: int = 0, progress: Progress = silent,
          file: Path = Path("the clip"), shoulders: Shoulders | None = None) -> FaceTrack:
    """Follow one face through the frames; nothing but numbers is kept of them.

    Args:
        frames: in order, each looked at once.
        select: which face where there are several: `largest`, `left`, `right`, or its number from the left (1 is the
            leftmost), in the first frame with any face.
        height, width: of the frames, px.
        on_missing: rows without the face are interpolated (`keep`) or repeat the last one seen (`hold`); `fail` raises.
        file: the clip, for messages.
        shoulders: who follows them, too.

    Raises:
        FaceError: no frame has a face, the number asked for is not there, or a face is missing and that shall fail.
    """
    kept = _Kept()
    with Landmarker() as landmarker:
        follower = Follower(landmarker, select, file)
        for frame in counted(frames, "track", total, progress):
            points = follower.step(frame)
            if points is None and on_missing == "fail":
                raise _missing(file, frame, follower.why)
            kept.add(frame, points, follower.why)
            if shoulders is not None:
                kept.shoulders.append(shoulders.step(frame.image, points, follower.cut))
    if all(kept.why):
        raise _nowhere(file, kept, height, width)
    return kept.finish(follower.picture.changes, hold=on_missing == "hold")


class Follower:
    """Finds the chosen person in one frame after the other. `why` says why the last one had no face, `cut` whether another shot may
    begin with it."""

    def __init__(self, landmarker: Landmarker, select: Select | str, file: Path):
        self.landmarker, self.select, self.file = landmarker, select, file
        self.person, self.picture = Person(), Picture()
        self.why, self.cut = "", False
        self._last: np.ndarray | None = None
        self._known: tuple[np.ndarray, float] | None = None  # where last seen in this shot, and when
        self._search_at, self._pause = -np.inf, FIRST_PAUSE_S

    def step(self, frame: Frame) -> np.ndarray | None:
        """(478, 3) points of the person in this frame, None where they are not seen."""
        before, self._last, self.why = self._last, None, "no face"
        ways = [self._continue, self._search]
        self.cut = self.picture.suspect(frame.image)
        if self.cut:
            self._known, self._search_at = None, -np.inf
            ways.reverse()
        for way in ways:
            if self._last is None:
                self._last = way(frame, before)
        if self._last is not None:
            self._known, self.why = (box(self._last), float(frame.time)), ""
            self._search_at, self._pause = -np.inf, FIRST_PAUSE_S
        return self._last

    def _continue(self, frame: Frame, before: np.ndarray | None) -> np.ndarray | None:
        """The face where it was a frame ago, if it still looks the same."""
        points = before if before is None else self.landmarker.at(frame.image, region_of(before))
        if points is not None and overlap(box(points), box(before)) < QUICK:
            points = self.landmarker.at(frame.image, region_of(points))
        if points is None or overlap(box(points), box(before)) < NEAR:
            return None
        look = describe(frame.image, points)
        if self.person.distance(look) > (SAME if self._known is None else OTHER):
            return None
        self.person.remember(look)
        return points

    def _search(self, frame: Frame, before: np.ndarray | None) -> np.ndarray | None:
        """The person anywhere in the frame; who that is, is settled the first time any face is there."""
        thorough = float(frame.time) >= self._search_at
        if thorough:
            self._search_at, self._pause = float(frame.time) + self._pause, min(2 * self._pause, LONGEST_PAUSE_S)
        found = self.landmarker.find(frame.image, thorough=thorough)
        if not found:
            return None
        looks = [describe(frame.image, points) for points in found]
        if self.person.views:
            best = self._recognise(found, looks, float(frame.time))
        else:
            best = _choose(found, self.select, self.file, frame)
        if best is None:
            self.why = "another face" if len(found) == 1 else f"{len(found)} other faces"
            return None
        self.person.remember(looks[best])
        return found[best]

    def _recognise(self, found: list[np.ndarray], looks: list[np.ndarray], time: float) -> int | None:
        """Index of the person: by look alone, or where they were a moment ago in this shot by a fainter likeness."""
        distances = np.array([self.person.distance(look) for look in looks])
        near = np.zeros(len(found))
        if self._known is not None and time - self._known[1] < RECENT_S:
            near = np.array([overlap(box(points), self._known[0]) for points in found])
        allowed = distances < np.where(near > NEAR, OTHER, SAME)
        return int(np.argmin(np.where(allowed, distances - 0.1 * near, np.inf))) if allowed.any() else None


@dataclass
class _Kept:
    """What the track will be made of."""

    times: list[float] = field(default_factory=list)
    boxes: list[np.ndarray] = field(default_factory=list)
    why: list[str] = field(default_factory=list)  # empty where the face is seen
    moves: list[float] = field(default_factory=list)
    landmarks: Rows = field(default_factory=lambda: Rows((POINTS, 3)))
    shoulders: list[np.ndarray] = field(default_factory=list)
    last: np.ndarray | None = None

    def add(self, frame: Frame, points: np.ndarray | None, why: str) -> None:
        row = np.zeros((POINTS, 3), np.float32) if points is None else points
        self.times.append(float(frame.time))
        self.boxes.append(box(row))
        self.why.append(why)
        self.moves.append(_move(self.last, points))
        self.landmarks.append(row)
        self.last = points

    def finish(self, changes: list[tuple[float, float]], hold: bool) -> FaceTrack:
        """The track, its gaps filled."""
        times, boxes = np.array(self.times), np.array(self.boxes, np.float32)
        seen = np.array([not why for why in self.why])
        cut = cuts(np.array(changes), np.array(self.moves))
        spans = gaps(seen)
        for start, stop in spans:
            _fill(self.landmarks, boxes, times, cut, start, stop, hold)
        missing = tuple(Span(float(times[a]), _end(times, b), self.why[a], b - a) for a, b in spans)
        cut_times = tuple(times[cut].tolist())
        crop = crops(self.landmarks, times, cut_times, seen)
        shoulders = np.array(self.shoulders, np.float32) if self.shoulders else None
        return FaceTrack(times, boxes, self.landmarks, crop, seen, missing, cut_times, shoulders)


def _move(before: np.ndarray | None, points: np.ndarray | None) -> float:
    """How far the face went, in face heights; NaN where it was not there both times."""
    if before is None or points is None:
        return float("nan")
    return float(np.linalg.norm(points - before, axis=1).mean() / face_height(points))


def _choose(found: list[np.ndarray], select: Select | str, file: Path, frame: Frame) -> int:
    """Index of the face asked for among those found, which are ordered from the left."""
    if select == "largest":
        return int(np.argmax([face_height(points) for points in found]))
    if select in ("left", "right"):
        return 0 if select == "left" else len(found) - 1
    if not str(select).isdecimal():
        raise RecipeError(f"--face {select}: not a face", hint="take largest, left, right or a number from 1")
    number = int(select)
    if not 1 <= number <= len(found):
        raise FaceError(f"{file.name} {float(frame.time):.3f} s (frame {frame.index}): there is no face {number}; "
                        f"{_sizes(found)}", hint="faces are numbered from the left, starting at 1",
                        file=file, time_s=float(frame.time))
    return number - 1


def _sizes(found: list[np.ndarray]) -> str:
    sizes = ", ".join(f"{face_height(points):.0f}" for points in found)
    return f"{len(found)} seen, {sizes} px high" if len(found) > 1 else f"1 seen, {sizes} px high"


def _fill(landmarks: Rows, boxes: np.ndarray, times: np.ndarray, cut: np.ndarray, start: int, stop: int,
          hold: bool) -> None:
    """Write rows start:stop from their neighbours: held at the clip's ends and up to a cut, on a line between two."""
    before, after = start - 1, stop
    parted = cut[(cut >= start) & (cut <= stop)]
    if before < 0:
        share = np.ones(stop - start)
    elif after == len(times) or (hold and not len(parted)):
        share = np.zeros(stop - start)
    elif len(parted):
        share = (np.arange(start, stop) >= parted[-1]).astype(float)
    else:
        share = (times[start:stop] - times[before]) / max(times[after] - times[before], 1e-9)
    before, after = max(before, 0), min(after, len(times) - 1)
    for i, part in zip(range(start, stop), share, strict=True):
        landmarks[i] = (1 - part) * landmarks[before] + part * landmarks[after]
        boxes[i] = (1 - part) * boxes[before] + part * boxes[after]


def _end(times: np.ndarray, stop: int) -> float:
    """When the frame before `stop` ends."""
    if stop < len(times):
        return float(times[stop])
    return float(times[-1] + (times[-1] - times[-2] if len(times) > 1 else 0))


def _missing(file: Path, frame: Frame, why: str) -> FaceError:
    return FaceError(f"{file.name} {float(frame.time):.3f} s (frame {frame.index}): {why}", file=file, time_s=float(frame.time),
                     hint="trim the clip with --start and --end, or let --on-missing-face keep or hold such frames")


def _nowhere(file: Path, kept: _Kept, height: int, width: int) -> FaceError:
    if not kept.times:
        return FaceError(f"{file.name}: no frames to look for a face in", file=file, hint="check --start and --end")
    span = f"from {kept.times[0]:.1f} s to {kept.times[-1]:.1f} s" if len(kept.times) > 1 else "in the picture"
    return FaceError(f"{file.name}: no face {span} ({len(kept.times)} frames of {width}x{height} looked at, "
                     "faces of 20 px and more)", hint="a face must be visible, not from behind and not covered", file=file)
