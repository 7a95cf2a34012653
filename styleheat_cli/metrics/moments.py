"""The moments of a comparison: clips opened, laid over each other in time and size, faces found, seen once.

Rules, all of them told in the report where they matter:
- Time: a generated frame is compared with the other clip's frame that is nearest in time (frames/s may differ); what is
  longer is compared as far as the shorter reaches. A photo is held for as long as the others last.
- Size: pictures of one shape (within 1 %) are compared at the size of the smaller, by area means; others are refused.
- Faces: one identity a clip, the largest in its first frame; a moment without a face counts for no face metric.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from ..errors import FaceError, InputError
from ..media.ahead import ahead
from ..media.reader import frames, probe
from ..shot import Clip
from .face_geometry import CHIN, HAIRLINE
from .metric import Moment, View
from .speech import Heard

if TYPE_CHECKING:
    from ..face.landmarks import Landmarker

SHAPE_TOLERANCE = 0.01
FACE_BOX = 256.0
"""Side of the square round the face at the 256 scale, px."""
TIE_S = 1e-6
"""Of two frames equally near, the one already on screen counts."""
LOOKS = 5
"""How often the first face of a clip is looked at, until its points stay."""
CUT_LEVELS, CUT_TIMES = 12.0, 4.0
"""A cut changes the picture by more levels, of 255, and by more times, than the eight frames before it."""


@dataclass(frozen=True)
class Pair:
    """A generated clip and the files it is judged by. `driving` is the reference unless told otherwise."""

    generated: Path
    reference: Path | None = None
    driving: Path | None = None
    source: Path | None = None
    audio: Path | None = None
    name: str = ""


@dataclass(frozen=True)
class How:
    """What to measure and where.

    only: names of metrics; all where empty. region: pixels are compared in the whole `frame`, or in the square of
    256 px at the 256 scale round the reference's `face`. offset_s: the other clips' time at generated time 0. until_s: only
    the beginning of the generated clip, so long.
    """

    only: tuple[str, ...] = ()
    region: str = "frame"
    offset_s: float = 0.0
    until_s: float | None = None


@dataclass
class Clips:
    """The probed files of a pair."""

    generated: Clip
    reference: Clip | None
    driving: Clip | None
    source: Clip | None
    heard: Heard | None
    has: frozenset[str] = field(default_factory=frozenset)

    @classmethod
    def open(cls, pair: Pair) -> Clips:
        generated = probe(pair.generated)
        reference, driving, source = (path and probe(path) for path in (pair.reference, pair.driving, pair.source))
        if reference is not None:
            _check_shape(generated, reference)
        heard = Heard(pair.audio) if pair.audio else Heard(pair.generated) if generated.audio else None
        has = {
            "reference": reference, "driving": driving or reference, "source": source, "audio": heard,
            "real": source or reference,
        }  # fmt: skip
        return cls(generated, reference, driving, source, heard, frozenset(name for name, file in has.items() if file))

    @property
    def named(self) -> dict[str, Clip]:
        """The clips by role."""
        clips = {role: getattr(self, role) for role in ("generated", "reference", "driving", "source")}
        return {role: clip for role, clip in clips.items() if clip is not None}

    @property
    def leader(self) -> str:
        """The clip at whose frames is measured: the generated one, or what a generated photo is held against."""
        return next((role for role, clip in self.named.items() if not clip.still), "generated")

    @property
    def rate(self) -> Fraction:
        """Frames per second of the moments."""
        return self.named[self.leader].fps

    @property
    def rate_of_driving(self) -> Fraction | int:
        driving = self.driving or self.reference
        return driving.fps if driving else 0

    def notes(self, count: int, how: How) -> list[str]:
        """How the clips were laid over each other, where that was not plain."""
        said = []
        for role, clip in self.named.items():
            if role != "generated" and not clip.still and not self.generated.still:
                said += _notes_on_time(self.generated, clip, role, count, how.offset_s)
        if self.reference:
            said += _notes_on_size(self.generated, self.reference)
        return said


def _notes_on_time(own: Clip, other: Clip, role: str, count: int, offset_s: float) -> list[str]:
    said = []
    longer = float(own.duration_s - other.duration_s) + offset_s
    if abs(longer) > 1.5 / float(min(own.fps, other.fps)):
        which = "longer" if longer > 0 else "shorter"
        said.append(f"the generated clip is {abs(longer):.2f} s {which} than the {role}: {count} frames compared")
    if abs(other.fps - own.fps) > 0.01 * own.fps:
        rates = f"the {role} has {float(other.fps):.5g} frames/s, the generated clip {float(own.fps):.5g}"
        said.append(f"{rates}: aligned by time, the nearest frame counts")
    return said


def _notes_on_size(own: Clip, other: Clip) -> list[str]:
    if (own.height, own.width) == (other.height, other.width):
        return []
    small, large = sorted((own, other), key=lambda clip: clip.height * clip.width)
    return [f"pictures of {large.width}x{large.height} were made {small.width}x{small.height} (area means)"]


def _check_shape(generated: Clip, other: Clip) -> None:
    shapes = [clip.width / clip.height for clip in (generated, other)]
    if abs(shapes[0] / shapes[1] - 1) > SHAPE_TOLERANCE:
        raise InputError(
            f"{generated.path.name} is {generated.width}x{generated.height}, {other.path.name} "
            f"{other.width}x{other.height}: they cannot be laid over each other",
            hint="cut both alike; or pass the file as --driving instead of --reference to compare only how the face moves",
        )


def moments(clips: Clips, how: How, looks: bool) -> Iterator[Moment]:
    """The moments of the leading clip, for as long as all other clips have pictures."""
    leader, own = clips.leader, ahead(_views(clips.named[clips.leader], looks))
    others = {name: _Nearest(clip, looks) for name, clip in clips.named.items() if name != leader}
    frame = _FaceBox(how.region == "face")
    try:
        for view in own:
            time_s = view.time - (how.offset_s if leader != "generated" else 0)  # on the generated clip's clock
            found = {name: one.at(time_s + how.offset_s * (name != "generated")) for name, one in others.items()}
            if time_s < 0:
                continue
            if any(other is None for other in found.values()) or time_s >= (how.until_s or np.inf):
                break
            moment = frame.cut(_same_size(Moment(**{leader: view, **found})))
            moment.driving = moment.driving or moment.reference
            yield moment
    finally:
        own.close()
        for one in others.values():
            one.close()
    frame.check(clips.reference or clips.generated)


def _views(clip: Clip, looks: bool) -> Iterator[View]:
    """The clip's pictures with the face of one person, where faces are wanted."""
    shots = _Shots()
    if not looks:
        yield from (View(frame.image, float(frame.time), cut=shots.begin(frame.image)) for frame in frames(clip))
        return
    from ..face.track import Follower

    with _lent_landmarker() as landmarker:
        follower = Follower(landmarker, "largest", clip.path.name)
        settled = False
        for frame in frames(clip):
            face = follower.step(frame)
            if face is not None and not settled:  # a mesh looked at again from its own place changes a little
                face, settled = [follower.step(frame) for _ in range(LOOKS)][-1], True
            yield View(frame.image, float(frame.time), face, cut=shots.begin(frame.image))


_idle: list[Landmarker] = []


@contextmanager
def _lent_landmarker() -> Iterator[Landmarker]:
    """A landmarker that nobody else uses meanwhile; kept for the next clip, as each new one takes memory for good."""
    from ..face.landmarks import Landmarker

    landmarker = _idle.pop() if _idle else Landmarker()
    try:
        yield landmarker
    finally:
        _idle.append(landmarker)


class _Shots:
    """Tells where a picture belongs to another shot than the one before: it differs far more than its neighbours do."""

    def __init__(self) -> None:
        self.last: np.ndarray | None = None
        self.changes: deque[float] = deque([0.0], maxlen=8)

    def begin(self, image: np.ndarray) -> bool:
        small = cv2.resize(image, (32, 32), interpolation=cv2.INTER_AREA).astype(np.float32)
        change = 0.0 if self.last is None else float(np.abs(small - self.last).mean())
        cut = change > CUT_LEVELS and change > CUT_TIMES * max(self.changes)
        self.last = small
        self.changes.append(change)
        return cut


class _Nearest:
    """The view of a clip that is nearest to a time; times must not go back. A still is near to all times."""

    def __init__(self, clip: Clip, looks: bool):
        self.clip = clip
        self.views = ahead(_views(clip, looks))
        self.now = self.next = next(self.views)
        self.next = self._following()

    def at(self, time_s: float) -> View | None:
        """The view, or nothing once the clip has ended."""
        if self.clip.still:
            return self.now
        while self.next is not None and abs(self.next.time - time_s) < abs(self.now.time - time_s) - TIE_S:
            self.now, self.next = self.next, self._following()
        half = 0.5 / float(self.clip.fps)
        lasts = max(half, float(self.clip.duration_s) - self.now.time - half)  # a last frame may be long
        return None if self.next is None and time_s > self.now.time + lasts + TIE_S else self.now

    def close(self) -> None:
        self.views.close()

    def _following(self) -> View | None:
        return next(self.views, None)


def _same_size(moment: Moment) -> Moment:
    """Generated and reference at the size of the smaller; a source clip likewise."""
    other = moment.reference
    if other is None or other.image.shape == moment.generated.image.shape:
        return moment
    shape = min(moment.generated.image.shape[:2], other.image.shape[:2], key=lambda s: s[0] * s[1])
    moment.generated, moment.reference = _scaled(moment.generated, shape), _scaled(other, shape)
    return moment


def _scaled(view: View, shape: tuple[int, int]) -> View:
    height, width = view.image.shape[:2]
    if (height, width) == tuple(shape):
        return view
    image = cv2.resize(view.image, shape[::-1], interpolation=cv2.INTER_AREA)
    across, down = shape[1] / width, shape[0] / height
    face = None if view.face is None else (view.face * (across, down, across)).astype(np.float32)
    return View(image, view.time, face, cut=view.cut)


class _FaceBox:
    """Cuts generated and reference alike, to a square round the reference's face (the generated one's without it).

    The side stays that of the first face seen; the square follows the face, by whole pixels, and stays in the picture.
    """

    def __init__(self, on: bool):
        self.on, self.side = on, 0
        self.box: tuple[int, int, int, int] | None = None

    def cut(self, moment: Moment) -> Moment:
        if not self.on:
            return moment
        leader = moment.reference or moment.generated
        if leader.face is not None:
            self.side = self.side or min(round(FACE_BOX * leader.pose.scale), *leader.image.shape[:2])
            self.box = _square(leader.face, self.side, leader.image.shape)
        elif self.box is None:  # no face yet: the middle of the picture
            return moment
        moment.generated = replace(moment.generated, box=self.box)
        if moment.reference is not None:
            moment.reference = replace(moment.reference, box=self.box)
        return moment

    def check(self, clip: Clip) -> None:
        if self.on and self.box is None:
            raise FaceError(f"no face in {clip.path.name}, round which pixels are to be compared",
                            hint="--region frame compares whole pictures")  # fmt: skip


def _square(face: np.ndarray, side: int, shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    x, y = (face[HAIRLINE, :2] + face[CHIN, :2]) / 2
    x0 = int(np.clip(round(float(x) - side / 2), 0, shape[1] - side))
    y0 = int(np.clip(round(float(y) - side / 2), 0, shape[0] - side))
    return x0, y0, x0 + side, y0 + side
