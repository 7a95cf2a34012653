"""The one streaming pass over frames: each output time's source frame, and what a family makes of it.

What differs from family to family is a `Painter`; which frame is on screen when, what happens without a face, and how the
result goes back into the frame is the same for all.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from typing import Any, Protocol

import numpy as np

from ..face.align import crop_image, paste
from ..shot import FaceTrack, Frame, MotionTrack, Shot

CROP_SIDE = 512  # side of the aligned square unless told otherwise


class Painter(Protocol):
    """How a family makes pictures: the networks behind it, ready to run."""

    def framed(self, face: FaceTrack) -> FaceTrack:
        """The track with the squares round the head as this family wants them."""

    def read(self, motion: MotionTrack, face: FaceTrack) -> MotionTrack:
        """The motion of a tracked clip with whatever else this family reads of it."""

    def square(self, crop: np.ndarray, size: int | None) -> tuple[np.ndarray, int]:
        """The crop (2, 3) to work in and its side in pixels; `size` where the square itself is wanted."""

    def stage(self, shot: Shot, frame: Frame, row: int, crop: np.ndarray, side: int, before: Any) -> Any:
        """A source frame ready to perform; `before` is the stage before it, if any."""

    def pictures(self, shot: Shot, stage: Any, rows: range) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """For output rows: the square (S, S, 3) uint8, and (S, S) float32 how much of it goes back into the frame."""

    def reconstruct(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """A head's crop (S, S, 3) uint8 through the whole pass with its own motion, and by inversion alone."""


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
            yield timed(shot, row, image if crop else paste(frame.image, image, mask, square))


def showings(shot: Shot) -> Iterator[tuple[int, Frame, range]]:
    """(row of the source, its frame, the output rows that show it): a still is shown once, for as long as it lasts."""
    from ..media.ahead import ahead
    from ..media.reader import frames

    times = shot.motion.times
    if shot.clip.still:
        yield 0, next(iter(frames(shot.clip))), range(len(times))
        return
    wanted = source_rows(shot)
    stop = float(shot.face.times[-1]) + 1e-6
    stream = enumerate(ahead(frames(shot.clip, float(shot.face.times[0]), stop), 4))
    row, frame = next(stream)
    edges = [*np.flatnonzero(np.diff(wanted, prepend=-1)), len(wanted)]
    for first, after in pairwise(edges):
        while row < wanted[first]:
            row, frame = next(stream)
        yield row, frame, range(first, after)


def source_rows(shot: Shot) -> np.ndarray:
    """(T,) int: the row of the source on screen at each output row."""
    if shot.clip.still:
        return np.zeros(len(shot.motion.times), int)
    return (np.searchsorted(shot.face.times, shot.motion.times + 1e-6, side="right") - 1).clip(0)


def timed(shot: Shot, row: int, image: np.ndarray) -> Frame:
    """A picture at the output row's exact time: that of the timeline's own frame."""
    timeline = shot.timeline or shot.clip
    base = timeline.time_base
    first = round(Fraction(float(shot.motion.times[0])) / base)
    pts = round(Fraction(float(shot.motion.times[row])) / base) - first
    return Frame(row, pts, pts * base, image)
