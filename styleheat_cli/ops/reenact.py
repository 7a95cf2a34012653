"""Reenact: the source face performs another clip's motion."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from ..errors import InputError
from .operation import Edit, Face, FilePath, Flag, Gain, Scope, Time, is_motion, operation, seconds

if TYPE_CHECKING:
    from ..engine.engine import Engine
    from ..shot import Clip, MotionTrack, Shot

DEFAULT_RATE = Fraction(25)
TICKS = 512  # of the time base, in a frame


@operation
class Reenact(Edit):
    """Make the source face follow another clip: its head pose, mouth, eyes and expression."""

    example: ClassVar[str] = "styleheat reenact alice.jpg --driving bob.mp4 -o alice-as-bob.mp4"

    op: Literal["reenact"] = "reenact"
    driving: Annotated[FilePath, Flag(short="-d", unit="file")]
    """Video whose motion is followed, or a motion file written by `styleheat motion` (.safetensors)."""
    driving_face: Face = "largest"
    """Which face of the driving clip: largest, left, right, or its number as `styleheat faces` lists it."""
    driving_start: Annotated[Time, Flag(unit="time")] = 0.0
    """Moment of the driving clip that falls on the beginning."""
    relative: Annotated[bool, Flag(off="--absolute")] = True
    """Add the driver's movement to the source's own pose; --absolute takes the driver's pose as it is."""
    region: Literal["all", "pose", "expression", "lips", "eyes"] = "all"
    """What follows the driver; the rest keeps the source's own motion."""
    pose_gain: Gain = 1.0
    """Times the driver's head movement: 0 is still, 1 as it is, up to 3."""
    expression_gain: Gain = 1.0
    """Times the driver's expression: 0 is none, 1 as it is, up to 3."""
    mouth_gain: Gain = 1.0
    """Times the movement of lips and jaw, on top of the expression's gain, 0 to 3."""
    eyes_gain: Gain = 1.0
    """Times the movement of eyelids and brows, on top of the expression's gain, 0 to 3."""
    smooth: Annotated[float, Field(ge=0, le=2), Flag(unit="seconds")] = 0.05
    """Width in seconds, 0 to 2, over which the driver's motion is smoothed without delay; 0 leaves it raw."""
    anchor: Annotated[Time | Literal["rest", "source"], Flag(unit="rest|time|source")] = "rest"
    """With --relative, the driver's moment that corresponds to the source as it is: its rest, or a time of its clip; source
    where the source is a frame of the driver's own film, so that place and pose are taken as they are."""
    pose_limit: Annotated[float, Field(gt=0, le=90), Flag(unit="degrees")] = 25.0
    """Degrees the head may turn from the source's own pose; beyond this the turn is eased, with a warning."""

    travel_limit: Annotated[float, Field(gt=0, le=5), Flag(unit="head sizes")] = 1.5
    """How far the head may move from the source's own place, in head sizes (a fifth of a face's height); eased beyond."""

    def inputs(self) -> tuple[Path, ...]:
        return (self.driving,)

    def driver(self) -> Path:
        return self.driving

    def apply(self, shot: Shot, engine: Engine, scope: Scope) -> Shot:
        from ..engine.retarget import Controls

        driving = self._motion(shot, engine, scope)
        times, gaps, shift = driving.times, driving.gaps, 0.0
        if not shot.clip.still:
            shift = float(shot.own.times[0]) - seconds(self.driving_start, rate_of(driving))
            driving = moved(driving, shift)
            times = shot.own.times[shot.own.times < end_of(driving)]
        if not len(times):
            raise InputError(f"{self.driving.name} ends before it begins to drive", file=self.driving, hint="lower --driving-start")
        controls = Controls(
            relative=self.relative,
            region=self.region,
            pose_gain=self.pose_gain,
            expression_gain=self.expression_gain,
            mouth_gain=self.mouth_gain,
            eyes_gain=self.eyes_gain,
            pose_limit_deg=self.pose_limit,
            travel_limit=self.travel_limit,
            anchor=self.anchor if self.anchor in ("rest", "source") else seconds(self.anchor, rate_of(driving)) + shift,
        )
        motion = engine.retarget(shot, driving, times, controls)
        timeline = timeline_of(driving) if shot.clip.still else shot.clip
        return shot.with_(
            motion=motion.with_(gaps=(*motion.gaps, *gaps)), timeline=timeline, driving=driving.clip
        )

    def _motion(self, shot: Shot, engine: Engine, scope: Scope) -> MotionTrack:
        """The driver's motion, at times of its own clip."""
        start, end = self.stretch(shot.clip.still, scope)
        return engine.motion_of(
            self.driving,
            face=self.driving_face,
            start_s=start,
            end_s=end,
            on_missing_face=scope.on_missing_face,
            smooth_s=self.smooth,
            progress=scope.progress,
            since=shot if self.anchor == "source" else None,
        )

    def stretch(self, still: bool, scope: Scope, fps: Fraction | None = None) -> tuple[float | None, float | None]:
        """Seconds of the driving clip from and to which it drives; nothing stands for its own beginning or end.

        A still has no time of its own: there the recipe's stretch is one of the driving clip.
        """
        fps = fps or self._rate()
        begins = seconds(self.driving_start, fps)
        if not still:
            return begins or None, None
        start, end = seconds(scope.start, fps), seconds(scope.end, fps)
        return (begins + (start or 0.0)) or None, None if end is None else begins + end

    def _rate(self) -> Fraction:
        """Frames per second of the driving clip, to count frames by."""
        from ..media.motion_file import motion_fps
        from ..media.reader import probe

        return (motion_fps(self.driving) or DEFAULT_RATE) if is_motion(self.driving) else probe(self.driving).fps


def rate_of(track: MotionTrack) -> Fraction:
    """Frames per second of a motion, of its clip where that is known."""
    if track.clip is not None and track.clip.fps:
        return track.clip.fps
    if len(track.times) < 2:
        return DEFAULT_RATE
    steps = sorted(later - sooner for sooner, later in pairwise(track.times.tolist()))
    return Fraction(1 / steps[len(steps) // 2]).limit_denominator(1001)


def timeline_of(track: MotionTrack) -> Clip:
    """The clip whose frame times a motion has; made up where only the motion is known."""
    from ..shot import Clip

    if track.clip is not None:
        return track.clip
    rate = rate_of(track)
    length = Fraction(end_of(track)).limit_denominator(90_000)
    return Clip(Path(), 0, 0, rate, len(track.times), length, time_base=1 / (rate * TICKS))


def end_of(track: MotionTrack) -> float:
    """Seconds at which the last frame of a motion is over."""
    return float(track.times[-1]) + 1 / float(rate_of(track))


def moved(track: MotionTrack, by_s: float) -> MotionTrack:
    """The same motion, later by so many seconds."""
    return track.with_(
        times=track.times + by_s,
        gaps=tuple(replace(gap, start_s=gap.start_s + by_s, end_s=gap.end_s + by_s) for gap in track.gaps),
        cuts=tuple(cut + by_s for cut in track.cuts),
        reading=track.reading and track.reading.moved(by_s),
    )
