"""From a file to frames: what it is (`probe`), and its upright RGB pictures one by one (`frames`)."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
from av.container import InputContainer

from ..errors import InputError
from ..shot import AudioStream, Clip, Colour, Frame
from .colour import ToRGB
from .container import check_readable, opened, picture_stream, sound_stream
from .decode import decoded
from .orientation import upright
from .still import is_still, read_image
from .timeline import DEFAULT_FPS, Timeline, seconds, timeline

log = logging.getLogger(__name__)

PHOTO = "photo"
PHOTO_COLOUR = Colour(space=0, primaries=1, transfer=13, range=2)  # sRGB
BACKWARD_JUMP_S = 1  # a time that falls further back than this starts a new stretch of tape
SEEK_MARGIN_S = Fraction(1)  # decoding order runs ahead of display order by less than this


def probe(path: Path | str) -> Clip:
    """What a video, GIF or photo is. Raises InputError for what gives no picture."""
    path = Path(path)
    check_readable(path)
    return _probe_photo(path) if is_still(path) else _probe_video(path)


def _probe_photo(path: Path) -> Clip:
    height, width = read_image(path).shape[:2]
    return Clip(
        path, height, width, DEFAULT_FPS, 1, 1 / DEFAULT_FPS, still=True, time_base=1 / DEFAULT_FPS,
        colour=PHOTO_COLOUR, codec=PHOTO, digest=digest(path),
    )  # fmt: skip


def _probe_video(path: Path) -> Clip:
    times = timeline(path)
    with opened(path) as container:
        stream = picture_stream(container, path)
        aspect, codec, audio = stream.sample_aspect_ratio, stream.codec_context.name, _audio_of(container)
        still = container.format.name == "gif" and times.count == 1
    height, width = _squared(times.look.height, times.look.width, aspect or Fraction(1))
    if times.look.degrees in (90, 270):
        height, width = width, height
    return Clip(
        path, height, width, times.fps, times.count, times.duration_s, still=still, rotation=times.look.degrees,
        time_base=times.time_base, audio=audio, colour=times.look.colour, codec=codec, digest=digest(path),
    )  # fmt: skip


def digest(path: Path | str) -> str:
    """The SHA-256 of a file's content, in hexadecimal."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _squared(height: int, width: int, aspect: Fraction) -> tuple[int, int]:
    """The size with square pixels: the short way is stretched, so that nothing is lost."""
    if aspect <= 0 or aspect == 1:
        return height, width
    return (height, round(width * aspect)) if aspect > 1 else (round(height / aspect), width)


def _audio_of(container: InputContainer) -> AudioStream | None:
    stream = sound_stream(container)
    if stream is None:
        return None
    context = stream.codec_context
    length = stream.duration * stream.time_base if stream.duration else Fraction(container.duration or 0, av.time_base)
    return AudioStream(context.name, context.sample_rate, context.channels, length)


def frames(clip: Clip, start_s: float | None = None, end_s: float | None = None) -> Iterator[Frame]:
    """The pictures on screen from `start_s` up to, but without, `end_s`, streaming; places as in the whole clip.

    The first one given is the one on screen at `start_s`, so its time may lie a little before. A picture that is
    damaged is replaced by the one before it, so that index and time go on. Raises InputError where there is none.
    """
    if clip.codec == PHOTO:
        yield Frame(0, 0, Fraction(0), read_image(clip.path))
        return
    start, end = seconds(start_s or 0), None if end_s is None else seconds(end_s)
    times = timeline(clip.path)
    turned = times.look.degrees in (90, 270)
    to_rgb = ToRGB(*((clip.width, clip.height) if turned else (clip.height, clip.width)))
    given = 0
    for shown in _on_screen_from(start, clip, times):
        time = shown.pts * times.time_base
        if end is not None and time >= end:
            break
        given += 1
        image = upright(to_rgb(shown.picture), times.look.degrees, times.look.mirrored)
        yield Frame(shown.index, shown.pts, time, image)
    if not given:
        until = f"{float(end):.2f} s" if end is not None else "its end"
        raise InputError(f"{clip.path.name} shows nothing from {float(start):.2f} s to {until}",
                         file=clip.path, hint=f"the clip lasts {float(clip.duration_s):.2f} s")  # fmt: skip


def _on_screen_from(start: Fraction, clip: Clip, times: Timeline) -> Iterator[Shown]:
    """The picture on screen at `start`, and all that follow."""
    held: Shown | None = None
    for shown in _whole(_shown(clip, times, start), times, clip.path.name):
        if shown.pts * times.time_base <= start:
            held = shown
            continue
        if held:
            yield held
            held = None
        yield shown
    if held and start < clip.duration_s:
        yield held


class Shown(NamedTuple):
    """A decoded picture at its place: index and pts from zero."""

    index: int
    pts: int
    picture: av.VideoFrame


def _shown(clip: Clip, times: Timeline, start: Fraction) -> Iterator[Shown]:
    """Decoded pictures at their places, from a key frame at or before `start`."""
    place = Places(times, clip.path.name)
    size = times.look.width, times.look.height
    for picture in _decoded_from(clip.path, times, start):
        if (picture.width, picture.height) != size:
            log.warning("%s changes its size from %dx%d to %dx%d; scaled to the first", clip.path.name, *size,
                        picture.width, picture.height)  # fmt: skip
            size = picture.width, picture.height
        yield Shown(*place(picture.pts), picture)


def _decoded_from(path: Path, times: Timeline, start: Fraction) -> Iterator[av.VideoFrame]:
    """All pictures, or, where the file can be searched, those from a little before `start` on."""
    if start > SEEK_MARGIN_S and times.clean:
        wanted = times.origin + int(start / times.time_base)
        with opened(path) as container:
            stream = picture_stream(container, path)
            pictures = _sought(container, stream, path, wanted - int(SEEK_MARGIN_S / times.time_base))
            first = next(pictures, None)
            if first is not None and first.pts is not None and first.pts <= wanted:
                yield from chain([first], pictures)
                return
    with opened(path) as container:
        yield from decoded(container, picture_stream(container, path), path)


def _sought(container: InputContainer, stream: av.VideoStream, path: Path, target: int) -> Iterator[av.VideoFrame]:
    try:
        container.seek(target, stream=stream)
    except av.error.FFmpegError:
        return iter(())
    return decoded(container, stream, path)


class Places:
    """Gives each decoded picture its index and its time from zero; mends times that do not move forward."""

    def __init__(self, times: Timeline, name: str):
        self.times, self.name = times, name
        self.offset = -times.origin
        self.index, self.last, self.mended = -1, -1, False

    def __call__(self, pts: int | None) -> tuple[int, int]:
        if self.times.clean and pts is not None:
            return int(np.searchsorted(self.times.pts, pts)), pts - self.times.origin
        self.index += 1
        self.last = 0 if self.index == 0 else self._after_last(pts)
        return self.index, self.last

    def _after_last(self, pts: int | None) -> int:
        """The picture's own time if it is later than the last one's, else one a little later."""
        step = self.times.step
        if pts is not None and pts + self.offset > self.last:
            return pts + self.offset
        if not self.mended:
            log.warning("%s: from picture %d on, times that are missing or do not move forward are mended", self.name,
                        self.index)  # fmt: skip
            self.mended = True
        if pts is None:
            return self.last + step
        back = self.last - (pts + self.offset)
        if back * self.times.time_base <= BACKWARD_JUMP_S:
            return self.last + max(1, step // 2)
        self.offset += back + step
        return self.last + step


def _whole(shown: Iterator[Shown], times: Timeline, name: str) -> Iterator[Shown]:
    """The same with no picture missing: where one could not be decoded, the one before it stands in."""
    last: Shown | None = None
    lost = 0
    for one in chain(shown, [None]):
        if last and times.clean:
            for index in range(last.index + 1, one.index if one else times.count):
                lost += 1
                yield Shown(index, int(times.pts[index]) - times.origin, last.picture)
        if one:
            yield one
            last = one
    if lost:
        log.warning("%s: %d of %d pictures could not be decoded; the one before is held", name, lost, times.count)
