"""Opening a media file: the container, its streams, and refusals in words that help."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
from av.container import InputContainer
from av.stream import Disposition

from ..errors import InputError

log = logging.getLogger(__name__)

LOCAL = {"protocol_whitelist": "file"}  # a playlist in disguise must not reach the network
FETCH_AGAIN = "if it came from a download or a copy, fetch it again; else convert it to mp4"


def check_readable(path: Path) -> None:
    """Raises InputError for a path that is no readable file with something in it."""
    try:
        if path.is_dir():
            raise InputError(f"{path.name} is a folder", file=path, hint="name a file inside it")
        if not path.is_file() and path.exists():
            raise InputError(f"{path} is no regular file", file=path, hint="save it to a file first")
        if path.stat().st_size == 0:
            raise InputError(f"{path.name} is empty (0 bytes)", file=path, hint="copy or download the file again")
        with path.open("rb"):
            pass
    except FileNotFoundError:
        raise InputError(f"no such file: {path}", file=path, hint="check the name and the folder") from None
    except PermissionError:
        raise InputError(f"{path.name} may not be read", file=path, hint="change its permissions") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be opened: {error}", file=path, hint="check the path") from None


@contextmanager
def opened(path: Path) -> Iterator[InputContainer]:
    """The container behind a path, closed at the end; what FFmpeg cannot open is an InputError."""
    path = Path(path)
    check_readable(path)
    # An absolute name cannot be taken for a protocol ("a:b.mp4") or an option ("-i.mp4").
    try:
        container = av.open(os.path.abspath(path), options=LOCAL, metadata_errors="replace")
    except (av.error.FFmpegError, UnicodeError) as error:
        raise InputError(f"{path.name} cannot be read: {_why(path, error)}", file=path, hint=FETCH_AGAIN) from None
    with container:
        yield container


def _why(path: Path, error: Exception) -> str:
    with path.open("rb") as file:
        start = file.read(12)
    if start[4:8] == b"ftyp":
        return "it is cut short or damaged, its table of contents (moov) is missing"
    return f"it is no media file ({(getattr(error, 'strerror', None) or str(error)).lower()})"


def picture_stream(container: InputContainer, path: Path) -> av.VideoStream:
    """The first stream of moving pictures; cover art does not count."""
    real = _moving(container)
    if not real:
        art = " but cover art" if container.streams.video else ""
        sound = "; it holds sound" if container.streams.audio else ""
        raise InputError(f"{path.name} has no picture{art}{sound}", file=path, hint="give a video or a photo here")
    if real[0].codec_context is None:
        raise InputError(f"{path.name} holds pictures in an unknown codec", file=path, hint="convert it to mp4")
    return real[0]


def has_pictures(container: InputContainer) -> bool:
    """Whether there is a stream of moving pictures."""
    return bool(_moving(container))


def _moving(container: InputContainer) -> list[av.VideoStream]:
    return [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]


def sound_stream(container: InputContainer) -> av.AudioStream | None:
    """The sound that a player would choose: the default stream, else the first that can be decoded."""
    known = [s for s in container.streams.audio if s.codec_context is not None]
    chosen = [s for s in known if s.disposition & Disposition.default]
    return next(iter(chosen + known), None)
