"""A name that appears only when its file is complete: checks before work starts, a hidden part file while it lasts."""

from __future__ import annotations

import atexit
import errno
import hashlib
import os
import shutil
import signal
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from ..errors import OutputError

try:
    import fcntl
except ImportError:  # no advisory locks on this system: two runs with one output name are not told apart
    fcntl = None

LONGEST_NAME = 255  # bytes, on every file system in common use
STOPS = ("SIGINT", "SIGTERM", "SIGHUP")


def check_output(
    path: Path | str, *, overwrite: bool = False, inputs: Iterable[Path | str] = (), needed_bytes: int = 0
) -> None:
    """Raises OutputError for all that can be known beforehand to keep a file from being written."""
    path = Path(path)
    _check_name(path)
    _check_folder(path)
    for given in inputs:
        if _same(path, Path(given)):
            raise OutputError(
                f"{path.name} is also an input", file=path, hint="choose another output name; inputs are never changed"
            )
    if (path.exists() or path.is_symlink()) and not overwrite:
        raise OutputError(f"{path} exists already", file=path, hint="-y overwrites it, -n skips it, -o names another file")
    free = shutil.disk_usage(path.parent).free
    if free < needed_bytes:
        raise OutputError(
            f"{path.parent} has {free / 1e6:.0f} MB free, about {needed_bytes / 1e6:.0f} MB are needed",
            file=path, hint="free some space or choose another folder",
        )


def _check_name(path: Path) -> None:
    if not path.name or path.name in (".", "..") or "\0" in str(path):
        raise OutputError(f"{str(path)!r} is no file name", file=path, hint="name a file, such as out.mp4")
    if len(os.fsencode(path.name)) > LONGEST_NAME:
        raise OutputError(
            f"the name {path.name[:40]}… is longer than {LONGEST_NAME} bytes", file=path, hint="choose a shorter one"
        )


def _check_folder(path: Path) -> None:
    """The folder is there and can be written; the name in it is free or a file."""
    try:
        if path.is_dir():
            raise OutputError(f"{path} is a folder", file=path, hint=f"name a file inside it, such as {path / 'out.mp4'}")
        if not path.parent.exists():
            raise OutputError(f"no such folder: {path.parent}", file=path, hint=f"make it first: mkdir -p {path.parent}")
        if not path.parent.is_dir():
            raise OutputError(f"{path.parent} is a file, not a folder", file=path, hint="choose another output name")
    except OSError as error:
        raise cannot_write(path, error) from None
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise OutputError(f"the folder {path.parent} may not be written", file=path, hint="choose another folder with -o")


def _same(output: Path, given: Path) -> bool:
    try:
        return output.samefile(given)
    except OSError:
        return os.path.realpath(output) == os.path.realpath(given)


def cannot_write(path: Path, error: OSError) -> OutputError:
    """The system's refusal to write, in words with a next step."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return OutputError(
            f"the disk or its quota is full: {path.name} is not finished",
            file=path, hint="free some space or choose another folder with -o",
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return OutputError(f"{path} may not be written", file=path, hint="choose another folder with -o")
    return OutputError(
        f"{path} cannot be written: {error.strerror or error}", file=path, hint="choose another folder or name with -o"
    )


@contextmanager
def part_of(path: Path | str) -> Iterator[Path]:
    """A hidden file beside `path` to write to; it takes the name when the block ends well, else it is removed.

    Two runs with one output name: the second is refused. A part file left by a killed run is written over.
    """
    path = Path(path)
    part = path.with_name(_part_name(path.name)).absolute()
    _unfinished[part] = os.getpid()
    with _stops_raise(), _locked(part, path):
        try:
            yield part
            _take_name(part, path)
        finally:
            part.unlink(missing_ok=True)
    _unfinished.pop(part)


_unfinished: dict[Path, int] = {}
"""Part files of this process. A signal can break in anywhere, also before the lock is held and in the clean-up above."""


@atexit.register
def _remove_unfinished() -> None:
    for part, owner in _unfinished.items():
        if owner == os.getpid() and part.exists():
            with suppress(OSError, OutputError), _locked(part, part):
                part.unlink(missing_ok=True)


def _part_name(name: str) -> str:
    part = f".{name}.part"
    if len(os.fsencode(part)) <= LONGEST_NAME:
        return part
    return f".{hashlib.sha256(os.fsencode(name)).hexdigest()[:32]}.part"


def _take_name(part: Path, path: Path) -> None:
    """Gives the finished file its name, once the disk has its content."""
    try:
        with part.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(part, path)
    except OSError as error:
        raise cannot_write(path, error) from error


@contextmanager
def _locked(part: Path, path: Path) -> Iterator[None]:
    """Holds the part file for this run alone; the system lets go of it when a run dies."""
    try:
        if part.is_symlink():  # never written through: it could lead to an input
            part.unlink()
        file = part.open("ab")
    except OSError as error:
        raise cannot_write(path, error) from None
    with file:
        if fcntl is None:
            file.close()
        elif not _lock(file):
            raise OutputError(f"another run is writing {path.name}", file=path, hint="wait for it, or choose another name")
        yield


def _lock(file: BinaryIO) -> bool:
    """Whether the file is ours now; True on a file system that has no locks."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        pass
    return True


@contextmanager
def _stops_raise() -> Iterator[None]:
    """A signal to stop ends the block as an exception, where it would end the program without a word; at the end of the block at
    the latest: what is raised inside a callback of a C library is lost there."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    told: list[int] = []

    def stop(number: int, frame: object) -> None:
        told.append(number)
        raise _ended_by(number)

    known = {number: signal.getsignal(number) for name in STOPS if (number := getattr(signal, name, None)) is not None}
    plain = {number: handler for number, handler in known.items() if handler in (signal.SIG_DFL, signal.default_int_handler)}
    for number in plain:
        signal.signal(number, stop)
    try:
        yield
        if told:
            raise _ended_by(told[0])
    finally:
        for number, handler in plain.items():
            signal.signal(number, handler)


def _ended_by(number: int) -> BaseException:
    return KeyboardInterrupt() if number == signal.SIGINT else SystemExit(128 + number)
