"""The one streaming pass over frames: each output time's source frame, and what a family makes of it.

What differs from family to family is a `Painter`; which frame is on screen when, what happens without a face, and how the
result goes back into the frame is the same for all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from ..face.align import crop_image, paste
from ..progress import Progress, silent
from ..shot import Clip, FaceTrack, Frame, MotionTrack, Shot

if TYPE_CHECKING:
    from .engine import Engine
    from .inversion import Inversion

CROP_SIDE = 512  # side of the aligned square unless told otherwise
BACKWARDS = 24  # pictures that are held at once where a clip is played backwards


class Painter(Protocol):
    """How a family makes pictures: the networks behind it, ready to run.

    methods: ways to invert a picture, the usual one first; inverting: roles whose files decide what comes of it; hears:
    whether it moves the lips by the sound itself, so that the motion need not say the speech.
    """

    methods: tuple[str, ...]
    inverting: tuple[str, ...]
    hears: bool

    def framed(self, face: FaceTrack) -> FaceTrack:
        """The track with the squares round the head as this family wants them."""

    def read(self, motion: MotionTrack, face: FaceTrack) -> MotionTrack:
        """The motion of a tracked clip with whatever else this family reads of it."""

    def square(self, crop: np.ndarray, size: int | None) -> tuple[np.ndarray, int]:
        """The crop (2, 3) to work in and its side in pixels; `size` where the square itself is wanted."""

    def stage(self, shot: Shot, frame: Frame, row: int, crop: np.ndarray, side: int, before: Any) -> Any:
        """A source frame ready to perform; `before` is the stage before it, if any."""

    def pictures(self, shot: Shot, stage: Any, rows: range) -> Iterator[tuple[np.ndarray, Callable[[], np.ndarray]]]:
        """For output rows: the square (S, S, 3) uint8, and what tells how much of it goes back into the frame: (S, S)
        float32 in [0, 1]."""

    def picture(self, image: np.ndarray, crop: np.ndarray) -> np.ndarray:
        """(S, S, 3) uint8: the square of a frame (H, W, 3) that is inverted."""

    def invert(self, image: np.ndarray, method: str, steps: int, progress: Progress = silent) -> Inversion:
        """The inversion of a square (S, S, 3) uint8 by one of `methods`."""

    def given_back(self, inversion: Inversion) -> np.ndarray:
        """(S, S, 3) uint8: the picture that an inversion alone gives."""


def perform(painter: Painter, shot: Shot, *, size: int | None = None, crop: bool = False) -> Iterator[Frame]:
    """The output's frames in order; where the source has no face, its own picture."""
    stage = None
    for source_row, frame, rows in showings(shot):
        square, side = painter.square(shot.face.crop[source_row].astype(np.float64), size or CROP_SIDE if crop else None)
        if not shot.face.seen[source_row]:
            image = crop_image(frame.image, square, side) if crop else frame.image
            yield from (timed(shot, row, image) for row in rows)
            continue
        stage = painter.stage(shot, frame, source_row, square, side, stage)
        for row, (image, mask) in zip(rows, painter.pictures(shot, stage, rows), strict=True):
            yield timed(shot, row, image if crop else paste(frame.image, image, mask(), square))


def reconstruct(engine: Engine, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A crop (S, S, 3) uint8 through the whole pass with its own motion, and by inversion alone.

    The first is what rendering gives where nothing is edited, detail, eyes and mouth included. Raises FaceError.
    """
    shot, painter, side = shot_of(engine, image), engine.painter, len(image)
    frame = Frame(0, 0, Fraction(0), image)
    stage = painter.stage(shot, frame, 0, shot.face.crop[0].astype(np.float64), side, None)
    made = next(painter.pictures(shot, stage, range(1)))[0]
    plain = painter.given_back(painter.invert(image, painter.methods[0], 0))
    return made, plain if len(plain) == side else crop_image(plain, np.eye(2, 3) / len(plain), side)


def shot_of(engine: Engine, image: np.ndarray) -> Shot:
    """A still shot of a crop (S, S, 3) uint8, the crop its square. Raises FaceError."""
    from ..face.coefficients import motion_of, person_of
    from ..face.track import track

    side = len(image)
    face = track([Frame(0, 0, Fraction(0), image)], height=side, width=side, file=Path("the crop"))
    face = replace(face, crop=(np.eye(2, 3) / side).astype(np.float32)[None])
    person = person_of(engine.morphable, face)
    own = motion_of(engine.morphable, face, person=person)
    return Shot(Clip(Path(), side, side, Fraction(0), 1, Fraction(0), still=True), face, own, own, person)


def showings(shot: Shot) -> Iterator[tuple[int, Frame, range]]:
    """(row of the source, its frame, the output rows that show it): a still is shown once, for as long as it lasts."""
    from ..media.reader import frames

    times = shot.motion.times
    if shot.clip.still:
        yield 0, next(iter(frames(shot.clip))), range(len(times))
        return
    wanted = source_rows(shot)
    edges = [*np.flatnonzero(np.diff(wanted, prepend=-1)), len(wanted)]
    for frame, (first, after) in zip(visited(shot, wanted[edges[:-1]]), pairwise(edges), strict=True):
        yield int(wanted[first]), frame, range(first, after)


def visited(shot: Shot, rows: np.ndarray) -> Iterator[Frame]:
    """The source's frames of these rows, no two in succession alike: streamed forwards, in blocks where it goes back."""
    turns = np.flatnonzero(np.diff(np.sign(np.diff(rows)), prepend=0)) if len(rows) > 1 else np.zeros(0, int)
    edges = [0, *(int(turn) + 1 for turn in turns if turn), len(rows)]
    for first, after in pairwise(edges):
        part = rows[first:after]
        if len(part) < 2 or part[1] > part[0]:
            yield from _forwards(shot, part)
        else:
            for start in range(0, len(part), BACKWARDS):
                block = part[start : start + BACKWARDS]
                yield from reversed(list(_forwards(shot, block[::-1])))


def _forwards(shot: Shot, rows: np.ndarray) -> Iterator[Frame]:
    """The source's frames of rising rows, streamed."""
    from ..media.ahead import ahead
    from ..media.reader import frames

    times = shot.face.times
    stream = enumerate(ahead(frames(shot.clip, float(times[rows[0]]), float(times[rows[-1]]) + 1e-6), 4), start=int(rows[0]))
    row, frame = next(stream)
    for wanted in rows:
        while row < wanted:
            row, frame = next(stream)
        yield frame


def source_rows(shot: Shot) -> np.ndarray:
    """(T,) int: the row of the source on screen at each output row."""
    if shot.clip.still:
        return np.zeros(len(shot.motion.times), int)
    times = shot.motion.times if shot.shows is None else shot.shows
    return (np.searchsorted(shot.face.times, times + 1e-6, side="right") - 1).clip(0)


def timed(shot: Shot, row: int, image: np.ndarray) -> Frame:
    """A picture at the output row's exact time: that of the timeline's own frame."""
    timeline = shot.timeline or shot.clip
    base = timeline.time_base
    first = round(Fraction(float(shot.motion.times[0])) / base)
    pts = round(Fraction(float(shot.motion.times[row])) / base) - first
    return Frame(row, pts, pts * base, image)
