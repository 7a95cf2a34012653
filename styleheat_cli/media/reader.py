"""From a file to frames: what it is (`probe`), and its upright RGB pictures one by one (`frames`)."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from ..errors import InputError
from ..shot import AudioStream, Clip, Colour, Frame
from .colour import ToRGB, colour_of
from .container import DEFAULT_FPS, Timeline, check_readable, opened, picture_stream, sound_stream, timeline
from .orientation import turn_of, upright
from .still import is_still, read_image

log = logging.getLogger(__name__)

BACKWARD_JUMP_S = 1  # a time that falls further back than this starts a new stretch of tape
SEEK_MARGIN_S = Fraction(1)  # decoding order runs ahead of display order by less than this


def probe(path: Path | str) -> Clip:
    """What a video, GIF or photo is. Raises InputError for what gives no picture."""
    path = Path(path)
    check_readable(path)
    return _probe_still(path) if is_still(path) else _probe_video(path)


def _probe_still(path: Path) -> Clip:
    height, width = read_image(path).shape[:2]
    return Clip(
        path, height, width, DEFAULT_FPS, 1, 1 / DEFAULT_FPS, still=True, colour=Colour(0, 1, 13, 2),
        codec="image", digest=digest(path),
    )  # fmt: skip


def _probe_video(path: Path) -> Clip:
    with opened(path) as container:
        stream = picture_stream(container, path)
        first = next(_decoded(container, stream, path), None)
        if first is None:
            raise InputError(f"{path.name} gives no picture", hint="it is damaged or cut short; copy it again")
        audio, rate, codec = _audio_of(container), stream.average_rate, stream.codec_context.name
        aspect = stream.sample_aspect_ratio or Fraction(1)
        is_gif = container.format.name == "gif"
    times = timeline(path)
    degrees, _ = turn_of(first)
    height, width = _squared(first.height, first.width, aspect)
    if degrees in (90, 270):
        height, width = width, height
    fps = _rate(rate, times)
    return Clip(
        path, height, width, fps, times.packets, _duration(times, fps), still=is_gif and times.packets == 1,
        rotation=degrees, time_base=times.time_base, audio=audio, colour=colour_of(first), codec=codec,
        digest=digest(path),
    )  # fmt: skip


def digest(path: Path) -> str:
    """The SHA-256 of a file's content, in hexadecimal."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _squared(height: int, width: int, aspect: Fraction) -> tuple[int, int]:
    """The size with square pixels: the longer way is stretched, so that nothing is lost."""
    if aspect <= 0 or aspect == 1:
        return height, width
    return (height, round(width * aspect)) if aspect > 1 else (round(height / aspect), width)


def _rate(average: Fraction | None, times: Timeline) -> Fraction:
    if average:
        return Fraction(average)
    span = int(times.pts[-1] - times.pts[0]) if len(times.pts) > 1 else 0
    return (len(times.pts) - 1) / (span * times.time_base) if span else DEFAULT_FPS


def _duration(times: Timeline, fps: Fraction) -> Fraction:
    if not len(times.pts):
        return times.packets / fps
    last = times.last_duration * times.time_base or 1 / fps
    return int(times.pts[-1] - times.pts[0]) * times.time_base + last


def _audio_of(container: av.container.InputContainer) -> AudioStream | None:
    stream = sound_stream(container)
    if stream is None:
        return None
    if stream.duration:
        duration = stream.duration * stream.time_base
    else:
        duration = Fraction(container.duration or 0, av.time_base)
    return AudioStream(stream.codec_context.name, stream.codec_context.sample_rate, stream.codec_context.channels, duration)


def frames(clip: Clip, start_s: float | None = None, end_s: float | None = None) -> Iterator[Frame]:
    """The pictures shown from `start_s` up to, but without, `end_s`, streaming; times as in the whole clip.

    A picture counts as shown from its own time to the next one's: the first given is the one on screen at `start_s`.
    """
    start, end = Fraction(start_s or 0), None if end_s is None else Fraction(end_s)
    if clip.still:
        yield Frame(0, 0, Fraction(0), _still(clip))
        return
    given = 0
    for frame in _from(clip, start):
        if end is not None and frame.time >= end:
            break
        given += 1
        yield frame
    if not given:
        raise InputError(
            f"{clip.path.name} has no picture between {float(start):.2f} s and its end or the end asked for",
            hint=f"the clip lasts {float(clip.duration_s):.2f} s",
        )


def _still(clip: Clip) -> np.ndarray:
    return read_image(clip.path) if clip.codec == "image" else next(_pictures(clip, 0)).image


def _from(clip: Clip, start: Fraction) -> Iterator[Frame]:
    """Frames from the one on screen at `start`."""
    held: Frame | None = None
    for frame in _pictures(clip, start):
        if frame.time > start:
            if held:
                yield held
            held = None
            yield frame
        else:
            held = frame
    if held and start < clip.duration_s:
        yield held


def _pictures(clip: Clip, start: Fraction) -> Iterator[Frame]:
    """All pictures from a key frame at or before `start`, placed in time, as RGB."""
    times = timeline(clip.path)
    placed = Placed(times, clip)
    turned = clip.rotation in (90, 270)
    to_rgb = ToRGB(*((clip.width, clip.height) if turned else (clip.height, clip.width)))
    with opened(clip.path) as container:
        stream = picture_stream(container, clip.path)
        if start > SEEK_MARGIN_S and times.clean:
            target = times.origin + int((start - SEEK_MARGIN_S) / times.time_base)
            container.seek(max(target, times.origin), stream=stream)
        size = None
        for picture in _decoded(container, stream, clip.path):
            if size and size != (picture.width, picture.height):
                log.warning("%s changes its size from %dx%d to %dx%d; scaled to the first", clip.path.name, *size,
                            picture.width, picture.height)  # fmt: skip
            size = picture.width, picture.height
            index, pts = placed(picture.pts)
            image = upright(to_rgb(picture), *turn_of(picture))
            yield Frame(index, pts, pts * times.time_base, image)


class Placed:
    """Gives each decoded picture its index and its time from zero; mends times that do not move forward."""

    def __init__(self, times: Timeline, clip: Clip):
        self.times, self.name = times, clip.path.name
        self.step = max(1, round(1 / clip.fps / times.time_base))
        self.offset = -times.origin
        self.index, self.last, self.mended = -1, -1, 0

    def __call__(self, pts: int | None) -> tuple[int, int]:
        if self.index < 0 and pts is not None and self.times.clean:  # after a seek: which picture is this?
            self.index = int(np.searchsorted(self.times.pts, pts)) - 1
            self.last = pts + self.offset - 1
        self.index += 1
        new = self.last + self.step if pts is None else pts + self.offset
        if self.index == 0 and pts is None:
            new = 0
        elif new <= self.last:
            new = self._forward(new)
        self.last = new
        return self.index, new

    def _forward(self, new: int) -> int:
        """A time after the last one, for a picture whose own is not."""
        if not self.mended:
            log.warning("%s: picture %d has a time that does not move forward; times are mended", self.name, self.index)
        self.mended += 1
        if (self.last - new) * self.times.time_base > BACKWARD_JUMP_S:
            self.offset += self.last + self.step - new
            return self.last + self.step
        return self.last + max(1, self.step // 2)


def _decoded(container: av.container.InputContainer, stream: av.video.stream.VideoStream, path: Path):
    """Decoded pictures in display order; damaged packets are passed over with a note."""
    stream.thread_type = "AUTO"
    damaged = 0
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets)
        except StopIteration:
            break
        except av.error.FFmpegError:
            log.warning("%s ends early", path.name)
            break
        try:
            yield from packet.decode()
        except av.error.FFmpegError:
            damaged += 1
    if damaged:
        log.warning("%s: %d damaged packets were passed over", path.name, damaged)
