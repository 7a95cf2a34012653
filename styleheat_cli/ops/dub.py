"""Dub: the source speaks what is heard; a photo comes alive with it, a clip keeps everything but its lower face."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from ..errors import InputError
from .operation import Edit, Face, FilePath, Flag, Gain, Scope, Time, operation, seconds
from .reenact import DEFAULT_RATE, TICKS, Reenact

if TYPE_CHECKING:
    from ..engine.engine import Engine
    from ..shot import Shot

Fit = Literal["fail", "trim", "loop", "pingpong", "hold"]
ALIKE_S = 0.1
"""Picture and speech that differ by no more count as equally long: sound codecs round to blocks."""


@operation
class Dub(Edit):
    """Make the source speak: lips and jaw follow a voice, in any language; the result carries it."""

    example: ClassVar[str] = "styleheat dub alice.jpg --audio speech.wav -o alice-speaks.mp4"

    op: Literal["dub"] = "dub"
    audio: Annotated[FilePath, Flag(short="-a", unit="file")]
    """The speech: any file with sound, such as wav, mp3, m4a, flac or mp4."""
    driving: Annotated[FilePath | None, Flag(short="-d", unit="file")] = None
    """Video or motion file whose head pose and upper face are followed, while the lips follow the speech."""
    driving_face: Face = "largest"
    """Which face of the driving clip: largest, left, right, or its number as `styleheat faces` lists it."""
    driving_start: Annotated[Time, Flag(unit="time")] = 0.0
    """Moment of the driving clip that falls on the beginning."""
    anchor: Annotated[Time | Literal["rest"], Flag(unit="rest|time")] = "rest"
    """The driver's moment that corresponds to the source as it is: its rest, or a time of its clip."""
    fit: Fit = "fail"
    """Where a clip, or what drives a photo, is not as long as the speech: fail, trim to the shorter, or go on with the
    pictures for as long as the speech lasts: loop, pingpong (to and fro), hold (the last picture). Up to 0.1 s is no difference,
    and what drives a photo may always be longer."""
    still: bool = False
    """A photo's head and eyes rest; otherwise they sway and blink as those of people who speak."""
    mouth: Gain = 1.0
    """Times the movement of lips and jaw, 0 to 3."""

    def inputs(self) -> tuple[Path, ...]:
        return (self.audio, *([self.driving] if self.driving else []))

    def driver(self) -> Path | None:
        return self.driving

    def voice(self) -> Path | None:
        return self.audio

    def lasts(self) -> float:
        from ..media.audio import length_of

        return float(length_of(self.audio)) if self.driving is None else 0.0

    def stretch(self, still: bool, scope: Scope, fps: Fraction | None = None) -> tuple[float | None, float | None]:
        """Seconds of the driving clip from and to which it drives."""
        return self._follow().stretch(still, scope, fps)

    def apply(self, shot: Shot, engine: Engine, scope: Scope) -> Shot:
        from ..engine.lasting import fitted

        begins, ends = self._heard(shot, scope)
        speech = engine.hear(self.audio, begins, ends)
        alive = shot.clip.still and len(shot.motion.times) == 1 and self.driving is None
        shot = _lasting(shot, speech.length_s, scope) if alive else self._followed(shot, engine, scope)
        if alive and not self.still:
            shot = engine.enliven(shot)
        shot = fitted(shot, self.length(_length(shot), speech.length_s, shot.clip.still), self.fit)
        return engine.speak(shot, speech, self.mouth)

    def length(self, pictures_s: float, speech_s: float, photo: bool) -> float:
        """Seconds of the result, from those of the pictures (a clip, or what drives a photo) and of the speech.

        Raises:
            InputError: they differ, and nobody said what to do then.
        """
        if abs(pictures_s - speech_s) <= ALIKE_S:
            return pictures_s
        if self.fit == "trim" or (photo and pictures_s > speech_s):
            return min(pictures_s, speech_s)
        if self.fit == "fail":
            raise self._unlike(pictures_s, speech_s, photo)
        return max(pictures_s, speech_s)

    def _unlike(self, pictures_s: float, speech_s: float, photo: bool) -> InputError:
        pictures = self.driving.name if photo and self.driving else "the video"
        further = "" if pictures_s > speech_s else ", or --fit loop, pingpong or hold to go on with the pictures"
        return InputError(f"{self.audio.name} lasts {speech_s:.2f} s, {pictures} {pictures_s:.2f} s", file=self.audio,
                          hint=f"pass --fit trim to end with the shorter{further or ', or --fit hold to be silent after the speech'}")  # fmt: skip

    def _heard(self, shot: Shot, scope: Scope) -> tuple[float, float | None]:
        """Seconds of the speech from and to which it is heard: it begins with the clip, or where a photo's time begins."""
        fps = shot.clip.fps if not shot.clip.still else DEFAULT_RATE
        start, end = seconds(scope.start, fps) or 0.0, seconds(scope.end, fps)
        return (start if shot.clip.still else float(shot.own.times[0])), end

    def _follow(self) -> Reenact:
        return Reenact(driving=self.driving, driving_face=self.driving_face, driving_start=self.driving_start, anchor=self.anchor)

    def _followed(self, shot: Shot, engine: Engine, scope: Scope) -> Shot:
        return shot if self.driving is None else self._follow().apply(shot, engine, scope)


def _lasting(shot: Shot, length_s: float, scope: Scope) -> Shot:
    """The photo for so long, at its rate."""
    import numpy as np

    from ..shot import Clip

    rate = scope.rate or DEFAULT_RATE
    times = np.arange(max(1, round(length_s * float(rate)))) / float(rate)
    exact = Fraction(length_s).limit_denominator(90_000)
    timeline = Clip(Path(), 0, 0, rate, len(times), exact, time_base=1 / (rate * TICKS))
    return shot.with_(motion=shot.motion.of_rows(np.zeros(len(times), int), times), timeline=timeline)


def _length(shot: Shot) -> float:
    """Seconds from the first picture to the end of the last."""
    times = shot.motion.times
    return float(times[-1] - times[0]) + 1 / float((shot.timeline or shot.clip).fps)
