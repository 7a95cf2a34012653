"""Sound and mouth without a judge: does the mouth open when the voice is loud, and how much later?"""

from __future__ import annotations

from array import array
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from ..errors import InputError
from .metric import Moment, Reading, Running, Setting, blank, metric
from .mouth import opening
from .series import correlation, lag

RATE = 16_000
STEP_S = 0.01
FLOOR_DB = -60.0
QUIET_DB, AROUND_S = -55.0, 0.3
"""Below this level nothing sounds, where that lasts for so long either way."""
WIDTH_S = 0.08
"""Levels are averaged over this long before they are compared with the mouth."""


@dataclass(frozen=True)
class Level:
    """How loud a sound is: dB below full scale every 10 ms, -60 at least; float32."""

    decibels: np.ndarray

    def at(self, times: np.ndarray) -> np.ndarray:
        """(N,) the level at these seconds, smoothed over 80 ms."""
        size = round(WIDTH_S / STEP_S)
        smooth = np.convolve(np.pad(self.decibels, size // 2, mode="edge"), np.ones(size) / size, "same")
        smooth = smooth[size // 2 : size // 2 + len(self.decibels)]
        return np.interp(times, (np.arange(len(smooth)) + 0.5) * STEP_S, smooth)

    def rests(self, time: float) -> bool:
        """Whether nothing sounds at this moment, nor shortly before and after."""
        around = self.decibels[max(0, round((time - AROUND_S) / STEP_S)) : round((time + AROUND_S) / STEP_S)]
        return bool((around <= QUIET_DB).all())

    @property
    def silent(self) -> bool:
        return not len(self.decibels) or bool(self.decibels.max() <= FLOOR_DB)


@dataclass(frozen=True)
class Heard:
    """The sound of a file, listened to when it is asked for."""

    path: Path

    @cached_property
    def level(self) -> Level:
        """How loud it is over time, 0 being the file's first picture."""
        from ..media.container import opened, sound_stream
        from ..media.sound import blocks
        from ..media.timeline import zero_of

        zero = zero_of(self.path)
        with opened(self.path) as source:
            stream = sound_stream(source)
            if stream is None:
                raise InputError(f"{self.path.name} has no sound", hint="pass a file with sound to --audio")
            return level_of(blocks(source, stream, self.path, rate=RATE, layout="mono", start_s=zero), RATE)


def level_of(blocks, rate: int) -> Level:
    """The level of a sound that comes in blocks (position in samples, (channels, n) float32)."""
    size = round(rate * STEP_S)
    power: array = array("d")
    waiting, begins = np.zeros(0, np.float64), 0
    for position, samples in blocks:
        gap = position - (begins + len(waiting))
        waiting = np.concatenate([waiting, np.zeros(max(gap, 0)), samples.astype(np.float64).mean(0)])
        whole = len(waiting) // size
        power.extend(np.square(waiting[: whole * size]).reshape(whole, size).mean(1))
        waiting, begins = waiting[whole * size :], begins + whole * size
    decibels = 10 * np.log10(np.array(power) + 1e-12)
    return Level(np.maximum(decibels, FLOOR_DB).astype(np.float32))


@metric(
    "voice",
    better="higher",
    protocol="lips' gap, level in dB",
    says="correlation of the lips' gap with the loudness of the sound at the best shift within 0.5 s, and that shift "
    "(positive: the mouth comes later); no judge, so blind to what is said",
    needs="audio faces",
)
class Voice:
    """How the mouth follows the loudness of the sound."""

    def __init__(self, setting: Setting):
        self.level: Level = setting.audio.level
        self.own, self.real = _Gaps(), _Gaps()

    def update(self, moment: Moment) -> float | None:
        self.real.take(moment.reference)
        return self.own.take(moment.generated)

    def readings(self) -> list[Reading]:
        names = [f"voice-{what}[{self.spec.protocol}]" for what in ("corr", "lag")]
        own, real = self.own.against(self.level), self.real.against(self.level)
        if own is None:
            why = (
                "the sound is silent, the clip shorter than 1.5 s, or the mouth does not follow (correlation below 0.2)"
            )
            return [blank(self.spec, why, name) for name in names]
        samples = len(self.own.times)
        return [
            Reading(names[0], own[0], "", "higher", samples, real=real and real[0]),
            replace(Reading(names[1], own[1], "ms", "near 0", samples), real=real and real[1]),
        ]


@metric(
    "lips-at-rest",
    better="lower",
    unit="px",
    protocol="mesh, pose-free @256",
    says="mean gap of the inner lips while the sound is under -55 dB, as it is for 0.3 s before and after; 256 scale: face height 160 px",
    needs="audio faces",
)
class LipsAtRest:
    """Whether the mouth is closed while nothing sounds."""

    def __init__(self, setting: Setting):
        self.level: Level = setting.audio.level
        self.frames = Running()

    def update(self, moment: Moment) -> float | None:
        view, real = moment.generated, moment.reference
        if view.face is None or not self.level.rests(view.time):
            return None
        return self.frames.add(opening(view), None if real is None or real.face is None else opening(real))

    def readings(self) -> list[Reading]:
        return [self.frames.reading(self.spec, "the sound is nowhere silent for long enough")]


class _Gaps:
    """The lips' gap of one clip over time."""

    def __init__(self) -> None:
        self.times: array = array("d")
        self.gaps: array = array("d")

    def take(self, view) -> float | None:
        if view is None or view.face is None or (self.times and view.time <= self.times[-1]):
            return None
        self.times.append(view.time)
        self.gaps.append(opening(view))
        return self.gaps[-1]

    def against(self, level: Level) -> tuple[float, float] | None:
        """Correlation at the best shift, and the shift in ms; nothing where none can be told."""
        times, gaps = np.array(self.times), np.array(self.gaps)
        if not len(times) or level.silent:
            return None
        shift = lag(times, gaps, level.at(times))
        if shift is None:
            return None
        return correlation(gaps, level.at(times - shift)) or 0.0, 1000 * shift
