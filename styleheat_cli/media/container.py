"""What a media file holds, before a picture is decoded: its streams, and every picture's time."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

import av
import numpy as np
from av.stream import Disposition

from ..errors import InputError

log = logging.getLogger(__name__)

DEFAULT_FPS = Fraction(25)
LOCAL = {"protocol_whitelist": "file"}  # a playlist in disguise must not reach the network


@contextmanager
def opened(path: Path, **options: str) -> Iterator[av.container.InputContainer]:
    """The container behind a path, closed at the end; what FFmpeg cannot open is an InputError."""
    check_readable(path)
    with _open(path, options) as container:
        yield container


def check_readable(path: Path) -> None:
    """Raises InputError for a path that is no readable file with something in it."""
    try:
        if path.is_dir():
            raise InputError(f"{path.name} is a folder", hint="name a file inside it")
        if path.stat().st_size == 0:
            raise InputError(f"{path.name} is empty (0 bytes)", hint="copy or download the file again")
        with path.open("rb"):
            pass
    except FileNotFoundError:
        raise InputError(f"no such file: {path}", hint="check the name and the folder") from None
    except PermissionError:
        raise InputError(f"{path.name} may not be read", hint="change its permissions") from None
    except OSError as error:
        raise InputError(f"{path} cannot be opened: {error.strerror}", hint="check the path") from None


def _open(path: Path, options: dict[str, str]) -> av.container.InputContainer:
    # An absolute name cannot be taken for a protocol ("a:b.mp4"), nor an option ("-i.mp4").
    name = os.path.abspath(path)
    try:
        return av.open(name, options=LOCAL | options, metadata_errors="replace")
    except (av.error.FFmpegError, UnicodeError) as error:
        raise InputError(
            f"{path.name} is no media file that can be read ({_words(error)})",
            hint="if it came from a download or a copy, fetch it again; else convert it to mp4",
        ) from None


def _words(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error)).lower()


def picture_stream(container: av.container.InputContainer, path: Path) -> av.video.stream.VideoStream:
    """The first stream of moving pictures; cover art does not count."""
    real = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    if not real:
        art = " but cover art" if container.streams.video else ""
        sound = "; it holds sound" if container.streams.audio else ""
        raise InputError(f"{path.name} has no picture{art}{sound}", hint="give a video or a photo here")
    if len(real) > 1:
        log.info("%s has %d video streams; the first is used", path.name, len(real))
    if real[0].codec_context is None:
        raise InputError(f"{path.name} holds pictures in a codec that is not known here", hint="convert it to mp4")
    return real[0]


def sound_stream(container: av.container.InputContainer) -> av.audio.stream.AudioStream | None:
    """The sound that a player would choose: the default stream, else the first that can be decoded."""
    known = [s for s in container.streams.audio if s.codec_context is not None]
    chosen = [s for s in known if s.disposition & Disposition.default]
    return next(iter(chosen + known), None)


@dataclass(frozen=True)
class Timeline:
    """The times that the container gives for its pictures, in display order.

    pts: (T,) int64 in `time_base`, sorted, absolute (not from zero); -1 step where unknown is left out.
    sound: pts, end of the sound in seconds, absolute; None without sound.
    clean: every picture has a time of its own, so that a picture's index can be looked up by its time.
    """

    pts: np.ndarray
    time_base: Fraction
    last_duration: int
    packets: int
    clean: bool
    sound_start_s: Fraction | None
    sound_end_s: Fraction | None

    @property
    def origin(self) -> int:
        """The first picture's time in `time_base`."""
        return int(self.pts[0]) if len(self.pts) else 0

    @property
    def origin_s(self) -> Fraction:
        return self.origin * self.time_base


def timeline(path: Path) -> Timeline:
    """Reads all packets of a file, decodes none; remembered until the file changes."""
    state = path.stat()
    return _timeline(path, state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=64)
def _timeline(path: Path, size: int, changed_ns: int) -> Timeline:
    with opened(path) as container:
        picture = picture_stream(container, path)
        sound = sound_stream(container)
        packets, span = _packets(container, [s for s in (picture, sound) if s], picture.index)
        time_base = picture.time_base
        sound_base = sound.time_base if sound else Fraction(1)
    shown = [(pts, duration) for pts, duration in packets if pts is not None]
    shown.sort()
    pts = np.array([p for p, _ in shown], np.int64)
    clean = len(pts) == len(packets) and bool((np.diff(pts) > 0).all())
    return Timeline(
        pts, time_base, shown[-1][1] if shown else 0, len(packets), clean,
        span and span[0] * sound_base, span and span[1] * sound_base,
    )  # fmt: skip


def _packets(
    container: av.container.InputContainer, streams: list, picture: int
) -> tuple[list[tuple[int | None, int]], tuple[int, int] | None]:
    """(pts, duration) of each displayed picture's packet, and where the sound starts and ends."""
    pictures: list[tuple[int | None, int]] = []
    span: tuple[int, int] | None = None
    for packet in _until_it_ends(container.demux(streams)):
        if packet.size == 0 or packet.is_discard:
            continue
        if packet.stream_index == picture:
            pictures.append((packet.pts, packet.duration or 0))
        elif packet.pts is not None:
            end = packet.pts + (packet.duration or 0)
            span = (min(span[0], packet.pts), max(span[1], end)) if span else (packet.pts, end)
    return pictures, span


def _until_it_ends(packets: Iterator[av.Packet]) -> Iterator[av.Packet]:
    """The packets of a file that may be cut short: a broken end is an end."""
    while True:
        try:
            yield next(packets)
        except (StopIteration, av.error.FFmpegError):
            return


def sound_origin(path: Path) -> Fraction:
    """Where a clip's time 0 lies in the times of its file: at the first picture, else at the first sample."""
    with opened(path) as container:
        if any(not s.disposition & Disposition.attached_pic for s in container.streams.video):
            return timeline(path).origin_s
        stream = sound_stream(container)
        return (stream.start_time or 0) * stream.time_base if stream else Fraction(0)
