"""The nouns: what a clip is, where its face is, how it moves. Data here, verbs in the packages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

EXPRESSION = slice(0, 64)
ANGLES = slice(64, 67)
TRANSLATION = slice(67, 70)
CROP = slice(70, 73)
POINTS = 478  # landmarks of a face
COEFFICIENTS = 73
WINDOW_RADIUS = 13  # the paper's k: a window of 27 frames


@dataclass(frozen=True)
class Colour:
    """Colour tags of a stream as FFmpeg numbers them (2 = unspecified); range 1 = limited, 2 = full."""

    space: int = 2
    primaries: int = 2
    transfer: int = 2
    range: int = 0


@dataclass(frozen=True)
class AudioStream:
    """One sound stream: codec name, samples per second, channels, seconds."""

    codec: str
    rate: int
    channels: int
    duration_s: Fraction


@dataclass(frozen=True)
class Clip:
    """A media file, probed and not decoded. A still is a clip of one frame with `still` set.

    Height and width are those of the upright picture, after rotation and with square pixels.
    Times count from the first displayed frame: its time is 0.
    """

    path: Path
    height: int
    width: int
    fps: Fraction
    frames: int
    duration_s: Fraction
    still: bool = False
    rotation: int = 0
    time_base: Fraction = Fraction(1, 1000)
    audio: AudioStream | None = None
    colour: Colour = field(default_factory=Colour)
    codec: str = ""
    digest: str = ""


@dataclass(frozen=True)
class Frame:
    """One decoded picture: its place in the clip and its time in seconds from the first frame.

    `image` is (H, W, 3) uint8 RGB, upright. `pts` is in the clip's time base, 0 at the first frame.
    """

    index: int
    pts: int
    time: Fraction
    image: np.ndarray


@dataclass(frozen=True)
class Span:
    """A stretch of time in which something held, in seconds, end excluded; `why` names it."""

    start_s: float
    end_s: float
    why: str
    frames: int = 0


@dataclass(frozen=True)
class FaceTrack:
    """One identity through a clip.

    times: (T,) float64 seconds.
    boxes: (T, 4) float32 x0 y0 x1 y1 in pixels of the frame.
    landmarks: T rows of (478, 3) float32 in pixels: x right, y down, z towards the scene, nose ~ 0;
        a sequence that gives arrays when sliced (it may live in a temporary file).
    crop: (T, 2, 3) float32, frame pixels -> unit square of the crop ([0, 1] both ways), smoothed in time.
    seen: (T,) bool; where False the row is held or interpolated from its neighbours.
    gaps: spans without the face; cuts: times at which the picture changes to another shot.
    shoulders: (T, 4) float32, where they were followed: their way, as face/shoulders.py tells it.
    """

    times: np.ndarray
    boxes: np.ndarray
    landmarks: Sequence[np.ndarray] | np.ndarray
    crop: np.ndarray
    seen: np.ndarray
    gaps: tuple[Span, ...] = ()
    cuts: tuple[float, ...] = ()
    shoulders: np.ndarray | None = None


@dataclass(frozen=True)
class Person:
    """What does not change while a face moves: the identity coefficients (K,), and `own` (478, 3), the part of this
    person's shape that the morphable model cannot say (canonical space, head sizes)."""

    identity: np.ndarray
    own: np.ndarray


@dataclass(frozen=True)
class MotionTrack:
    """How a head moves: 73 numbers a frame (expression 64, angles 3, translation 3, crop 3).

    Angles are radians: pitch (positive looks up), yaw (positive turns to the picture's right), roll (positive tilts
    clockwise as seen). Translation is the head's x, y (right, down, from the crop's centre) and its size, all in sides of
    the crop square. Crop is that square in the frame: side, centre x, centre y, in pixels.
    `space` names the expression basis: `landmark` (embedded) or `bfm` (published).
    """

    coeffs: np.ndarray  # [T 73] float32
    times: np.ndarray  # [T] float64 seconds
    space: str = "landmark"
    seen: np.ndarray | None = None
    identity: np.ndarray | None = None  # [K]: whose face moved
    ease: np.ndarray | None = None  # [478 3] canonical: that face without expression
    calm: np.ndarray | None = None  # [3]: openings of that face at ease, in head sizes: left eye, right eye, lips
    shoulders: np.ndarray | None = None  # [T 4] their way (face/shoulders.py); a source's: from where its picture has them
    clip: Clip | None = None
    gaps: tuple[Span, ...] = ()
    cuts: tuple[float, ...] = ()
    reading: Reading | None = None  # what Deep3D makes of it, where it was asked

    @property
    def expression(self) -> np.ndarray:
        return self.coeffs[:, EXPRESSION]

    @property
    def angles(self) -> np.ndarray:
        return self.coeffs[:, ANGLES]

    @property
    def translation(self) -> np.ndarray:
        return self.coeffs[:, TRANSLATION]

    @property
    def crop(self) -> np.ndarray:
        return self.coeffs[:, CROP]

    @property
    def head_size(self) -> np.ndarray:
        """(T,) pixels of the frame that one head size is."""
        return self.coeffs[:, 69] * self.coeffs[:, 70]

    @property
    def head_at(self) -> np.ndarray:
        """(T, 2) the head's origin in pixels of the frame."""
        return self.coeffs[:, 71:73] + self.coeffs[:, 67:69] * self.coeffs[:, 70:71]

    @property
    def read_by(self) -> str:
        """What the motion was read with: `deep3d` or `landmarks`."""
        return "landmarks" if self.reading is None else "deep3d"

    def window(self, frame: int) -> np.ndarray:
        """(27, 73): the paper's window around a frame, edge-clamped."""
        rows = np.arange(frame - WINDOW_RADIUS, frame + WINDOW_RADIUS + 1)
        return self.coeffs[rows.clip(0, len(self.coeffs) - 1)]

    def at(self, times: np.ndarray) -> np.ndarray:
        """(N, 73): the motion at these seconds, linear between frames, held beyond both ends."""
        times = np.atleast_1d(np.asarray(times, np.float64))
        after = np.searchsorted(self.times, times).clip(1, max(len(self.times) - 1, 1))
        if len(self.times) == 1:
            return np.repeat(self.coeffs, len(times), axis=0)
        before = after - 1
        step = self.times[after] - self.times[before]
        share = ((times - self.times[before]) / np.where(step > 0, step, 1)).clip(0, 1)[:, None]
        return ((1 - share) * self.coeffs[before] + share * self.coeffs[after]).astype(np.float32)

    @property
    def known(self) -> np.ndarray:
        """(T,) bool: the rows in which the face was seen; all where it never was or nobody said."""
        return np.ones(len(self.coeffs), bool) if self.seen is None or not self.seen.any() else self.seen

    def shoulders_at(self, times: np.ndarray) -> np.ndarray | None:
        """(N, 4): the shoulders at these seconds, linear between frames; none where nobody followed them."""
        if self.shoulders is None:
            return None
        return np.column_stack([np.interp(times, self.times, way) for way in self.shoulders.T]).astype(np.float32)

    def sampled(self, times: np.ndarray) -> MotionTrack:
        """The motion at these seconds (N,), linear between frames, held beyond both ends."""
        return self.with_(coeffs=self.at(times), shoulders=self.shoulders_at(times), times=times, seen=None)

    def of_rows(self, rows: np.ndarray, times: np.ndarray) -> MotionTrack:
        """The motion that shows these of its rows (N,) at these seconds (N,)."""
        seen, shoulders = (None if each is None else each[rows] for each in (self.seen, self.shoulders))
        reading = self.reading and Reading(*(track.of_rows(rows, times) for track in (self.reading.landmark, self.reading.bfm)))
        return self.with_(coeffs=self.coeffs[rows], times=times, seen=seen, shoulders=shoulders, reading=reading)

    def with_(self, **changes: Any) -> MotionTrack:
        return replace(self, **changes)


@dataclass(frozen=True)
class Reading:
    """The same moments in two spaces: as the landmark model has them, and as Deep3D reads them (`bfm`: expression,
    angles and translation; its crop numbers are not kept). What is edited later is told by the change of the first."""

    landmark: MotionTrack
    bfm: MotionTrack

    def moved(self, by_s: float) -> Reading:
        """The same, later by so many seconds."""
        return Reading(*(track.with_(times=track.times + by_s) for track in (self.landmark, self.bfm)))


@dataclass(frozen=True)
class Speech:
    """A voice as numbers: mel (M, 80) base-10 log magnitudes, `rate` rows a second, row 0 at 0 s; length in seconds."""

    path: Path
    mel: np.ndarray
    rate: float
    length_s: float


@dataclass(frozen=True)
class Utterance:
    """What a shot says: a speech that begins at `start_s` of the output's clock, and how far the mouth goes with it.

    by: what moves the lips, `coefficients` (the motion has it already) or `audio-warper` (a flow of its own).
    gains (T,) at times (T,), seconds of the output's clock: times that the mouth moves as heard, 0 where nobody speaks.
    """

    speech: Speech
    start_s: float
    by: str
    gains: np.ndarray
    times: np.ndarray

    def gain_at(self, times: np.ndarray) -> np.ndarray:
        """(N,) at these seconds, linear between."""
        return np.interp(times, self.times, self.gains)


@dataclass(frozen=True)
class Attribute:
    """An edit of how a face looks, over time: a direction of the family, or of a file, at strengths linear between moments.

    times and strengths: as many of each, times in seconds of the output's clock, rising; strengths in the direction's
    own steps. `file` holds the direction where it is not the family's.
    """

    name: str
    strengths: tuple[float, ...]
    times: tuple[float, ...] = (0.0,)
    file: Path | None = None

    def at(self, time_s: float) -> float:
        return float(np.interp(time_s, self.times, self.strengths))


@dataclass(frozen=True)
class Shot:
    """What a step receives and returns: the source clip, its face, and the motion that it shall perform.

    `own` is the motion that the source itself has (one row a source frame), `motion` the one to render (one row an
    output frame); `person` is whose face it is. `timeline` is the clip whose frame times the output has, `driving`
    the clip that was followed, if any. `inversion` is the source as a generator holds it, where one was given. `attributes` change how it looks;
    `said` is what it says, where it was made to speak.
    `shows` (T,): the source's second on screen at each output row, where it does not run along in its own time.
    """

    clip: Clip
    face: FaceTrack
    own: MotionTrack
    motion: MotionTrack
    person: Person
    timeline: Clip | None = None
    driving: Clip | None = None
    shows: np.ndarray | None = None
    inversion: Any = None
    attributes: tuple[Attribute, ...] = ()
    said: Utterance | None = None

    @property
    def lips_from(self) -> str | None:
        """What moves lips that were made to speak: `coefficients` or `audio-warper`."""
        return self.said.by if self.said else None

    def looks(self, row: int) -> dict[str | Path, float]:
        """The directions that change how the face looks at an output row, by name or file, with their strengths; none that is 0."""
        wanted: dict[str | Path, float] = {}
        for attribute in self.attributes:
            key = attribute.file or attribute.name
            wanted[key] = wanted.get(key, 0.0) + attribute.at(float(self.motion.times[row]))
        return {key: strength for key, strength in wanted.items() if strength}

    def with_(self, **changes: Any) -> Shot:
        return replace(self, **changes)
