"""When a file shows its pictures: every packet's time, read without decoding more than the first picture."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
from av.container import InputContainer

from ..errors import InputError
from ..shot import Colour
from .colour import colour_of, is_hdr
from .container import has_pictures, opened, picture_stream, sound_stream
from .decode import decoded
from .orientation import turn_of

log = logging.getLogger(__name__)

DEFAULT_FPS = Fraction(25)
LEADING = 32  # packets after a key frame that may be shown before it; an earlier time further on is another story


@dataclass(frozen=True)
class Look:
    """The first decoded picture, as far as it tells of all: size as coded, clockwise turn, mirroring, colour tags."""

    height: int
    width: int
    degrees: int
    mirrored: bool
    colour: Colour


@dataclass(frozen=True)
class Timeline:
    """The times that the container gives for its pictures, from the first one that can be decoded.

    pts: (T,) int64 in `time_base`, sorted, as in the file (not from zero). origin: the first picture's.
    count: pictures, with or without a time.
    clean: every picture has a time of its own, so that its index can be looked up by it.
    sound_s: start and end of the sound in seconds, as in the file; None without sound.
    """

    pts: np.ndarray
    origin: int
    count: int
    clean: bool
    time_base: Fraction
    fps: Fraction
    last_duration: int
    look: Look
    sound_s: tuple[Fraction, Fraction] | None

    @property
    def step(self) -> int:
        """The time from one picture to the next at the clip's rate, in `time_base`."""
        return max(1, round(1 / self.fps / self.time_base))

    @property
    def duration_s(self) -> Fraction:
        """From the first picture's start to the last one's end, in seconds."""
        if not self.clean:
            return self.count / self.fps
        return (int(self.pts[-1]) - self.origin + (self.last_duration or self.step)) * self.time_base


def timeline(path: Path | str) -> Timeline:
    """The timeline of a file with moving pictures; remembered until the file changes."""
    path = Path(path)
    with opened(path):  # refuses with the right words what cannot be opened at all
        state = path.stat()
    return _timeline(path.absolute(), state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=64)
def _timeline(path: Path, size: int, changed_ns: int) -> Timeline:
    first, look = _first_picture(path)
    with opened(path) as container:
        stream = picture_stream(container, path)
        _note(container, stream, look, path)
        scan = _scanned(container, stream)
        beyond = sum(entry.pos + entry.size > size for entry in stream.index_entries)
        if beyond:
            log.warning("%s is cut short: %d pictures at its end are missing", path.name, beyond)
        time_base, average = stream.time_base, stream.average_rate
    pictures = _from_first(scan.pictures, first)
    timed = sorted((pts, length) for pts, length in pictures if pts is not None)
    pts = np.array([pts for pts, _ in timed], np.int64)
    clean = 0 < len(pts) == len(pictures) and pts[0] == first and bool((np.diff(pts) > 0).all())
    fps = Fraction(average) if average else _mean_rate(pts, time_base)
    last_duration = timed[-1][1] if timed else 0
    return Timeline(pts, first or 0, len(pictures), clean, time_base, fps, last_duration, look, scan.sound_s)


def _from_first(pictures: list[tuple[int | None, int]], first: int | None) -> list[tuple[int | None, int]]:
    """The pictures without those that precede the first decodable one, in the file or on screen."""
    at = next((i for i, (pts, _) in enumerate(pictures) if pts == first), None)
    if first is None or at is None:
        return pictures
    return [
        (pts, length)
        for i, (pts, length) in enumerate(pictures[at:])
        if pts is None or pts >= first or i > LEADING
    ]  # fmt: skip


def _first_picture(path: Path) -> tuple[int | None, Look]:
    """(its time in the file, what it looks like); InputError where nothing can be decoded."""
    with opened(path) as container:
        picture = next(decoded(container, picture_stream(container, path), path, quiet=True), None)
        if picture is None:
            raise InputError(f"{path.name} gives no picture", file=path, hint="it is damaged or cut short; copy it again")
        return picture.pts, Look(picture.height, picture.width, *turn_of(picture), colour_of(picture))


def _note(container: InputContainer, stream: av.VideoStream, look: Look, path: Path) -> None:
    """Tells what is left out or changed on the way to 8-bit RGB."""
    if len(container.streams.video) > 1:
        log.info("%s has %d video streams; the first is used", path.name, len(container.streams.video))
    kind = stream.codec_context.format
    if kind and kind.name.startswith(("yuva", "gbrap", "ya")):
        log.warning("%s has transparency, which is dropped", path.name)
    if is_hdr(look.colour):
        log.warning("%s is HDR; it is shown, and written, as a plain screen shows it (BT.709)", path.name)
    elif kind and kind.components and kind.components[0].bits > 8:
        log.info("%s has %d bits a channel; 8 are used", path.name, kind.components[0].bits)
    if stream.codec_context.field_order > 1:
        log.warning("%s is interlaced; its pictures are taken as they are, two fields woven", path.name)


class Scan(NamedTuple):
    """All packets of a file: (pts, duration) of each picture that is shown, where the sound starts and ends in s."""

    pictures: list[tuple[int | None, int]]
    sound_s: tuple[Fraction, Fraction] | None


def _scanned(container: InputContainer, picture: av.VideoStream) -> Scan:
    sound = sound_stream(container)
    pictures: list[tuple[int | None, int]] = []
    heard: list[int] = []  # the earliest start, the latest end
    for packet in until_broken(container.demux([s for s in (picture, sound) if s])):
        if packet.size == 0 or packet.is_discard:
            continue
        if packet.stream_index == picture.index:
            if not _hidden(picture, packet):
                pictures.append((packet.pts, packet.duration or 0))
        elif packet.pts is not None:
            end = packet.pts + (packet.duration or 0)
            heard = [min([packet.pts, *heard]), max([end, *heard])]
    return Scan(pictures, (heard[0] * sound.time_base, heard[1] * sound.time_base) if heard else None)


def until_broken(packets: Iterator[av.Packet]) -> Iterator[av.Packet]:
    """The packets of a file that may be cut short: a broken end is an end."""
    while True:
        try:
            yield next(packets)
        except (StopIteration, av.error.FFmpegError):
            return


def _hidden(stream: av.VideoStream, packet: av.Packet) -> bool:
    """Whether a packet holds a VP8 picture that is only referred to and never shown (RFC 6386, 9.1)."""
    return stream.codec_context.name == "vp8" and not bytes(packet)[0] >> 4 & 1


def _mean_rate(pts: np.ndarray, time_base: Fraction) -> Fraction:
    span = int(pts[-1] - pts[0]) if len(pts) > 1 else 0
    return (len(pts) - 1) / (span * time_base) if span else DEFAULT_FPS


def seconds(value: Fraction | float) -> Fraction:
    """A time as people or floats give it, as the fraction that was meant: 0.7 is 7/10, 0.0333666… is 1001/30000."""
    return Fraction(value).limit_denominator(1_000_000)


def zero_of(path: Path | str) -> Fraction:
    """Where a clip's time 0 lies in the times of its file, in seconds: at the first picture, else the first sample."""
    with opened(Path(path)) as container:
        if not has_pictures(container):
            stream = sound_stream(container)
            return (stream.start_time or 0) * stream.time_base if stream else Fraction(0)
    times = timeline(path)
    return times.origin * times.time_base
