"""One file from an address to a path: the only module that opens a connection.

The bytes go to `<name>.part`; a cut connection is taken up where it broke, as long as the server still has the same file.
The name itself appears only when every byte is there.
"""

from __future__ import annotations

import contextlib
import errno
import http.client
import json
import os
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .. import __version__
from ..errors import CheckpointError, OutputError
from ..progress import Event, Progress, silent

CHUNK = 1 << 18
PATIENCE_S = 30.0
"""Seconds without a byte after which a connection counts as cut."""
ATTEMPTS = 5
BY_HAND = "download it by hand and run styleheat checkpoints import FOLDER"


@dataclass(frozen=True)
class Reply:
    """What a server offers: where its bytes begin in the file, the file's length (0: unknown), and its version."""

    stream: http.client.HTTPResponse
    begin: int
    length: int
    version: str


class Cut(Exception):
    """The connection ended before the file did."""


def fetch(url: str, target: Path, progress: Progress = silent, pause_s: float = 1.0) -> Path:
    """The file at `url`, whole, at `target`.

    Raises:
        CheckpointError: the server has no such file, sends a web page, or keeps breaking off.
        OutputError: the disk is full, or the folder cannot be written; what came so far stays for the next time.
    """
    if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
        raise CheckpointError(f"{target.name}: {url!r} is not a web address", hint=BY_HAND)
    part = target.with_name(target.name + ".part")
    reason = ""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        for attempt in range(ATTEMPTS):
            time.sleep(pause_s * attempt)
            try:
                _continue(url, part, progress)
                os.replace(part, target)
                _version_file(part).unlink(missing_ok=True)
                return target
            except Cut as cut:
                reason = str(cut)
    except OSError as error:
        reason = "the disk is full" if error.errno == errno.ENOSPC else (error.strerror or str(error))
        raise OutputError(f"cannot write {target}: {reason}", hint="free some space and fetch again") from None
    raise CheckpointError(f"{target.name}: the connection broke {ATTEMPTS} times ({reason})", hint="fetch again later")


def _continue(url: str, part: Path, progress: Progress) -> None:
    """Bring the part to its full length."""
    reply = _ask(url, part)
    with contextlib.closing(reply.stream), part.open("r+b" if reply.begin else "wb") as file:
        file.truncate(reply.begin)
        file.seek(reply.begin)
        _version_file(part).write_text(json.dumps({"url": url, "version": reply.version}), "utf-8")
        done = reply.begin
        for chunk in _chunks(reply.stream):
            file.write(chunk)
            done += len(chunk)
            progress(Event(f"fetch {part.stem}", done, reply.length, "bytes"))
    if reply.length and done != reply.length:
        raise Cut(f"{done} of {reply.length} bytes came")


def _ask(url: str, part: Path) -> Reply:
    """The server's reply, from where the part ends when the server still has the same version of the file."""
    have, version = _had(part, url)
    headers = {"User-Agent": f"styleheat/{__version__}", "Accept-Encoding": "identity"}
    if have:
        headers |= {"Range": f"bytes={have}-", "If-Range": version}
    try:
        stream = urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=PATIENCE_S)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            part.unlink(missing_ok=True)
        elif error.code < 500:
            raise CheckpointError(f"{url} answers {error.code} {error.reason}", hint=BY_HAND) from None
        raise Cut(f"{error.code} {error.reason}") from None
    except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as error:
        raise Cut(str(getattr(error, "reason", error)) or type(error).__name__) from None
    if "html" in stream.headers.get("Content-Type", ""):
        stream.close()
        raise CheckpointError(f"{url} sends a web page, not a file", hint=BY_HAND)
    return _understood(stream, have)


def _understood(stream: http.client.HTTPResponse, have: int) -> Reply:
    begin = have if stream.status == http.HTTPStatus.PARTIAL_CONTENT else 0
    rest = int(stream.headers.get("Content-Length") or 0)
    tag = stream.headers.get("ETag") or "W/"
    version = stream.headers.get("Last-Modified", "") if tag.startswith("W/") else tag  # a weak tag promises no bytes
    return Reply(stream, begin, begin + rest if rest else 0, version)


def _had(part: Path, url: str) -> tuple[int, str]:
    """Bytes that an earlier attempt brought and the file's version then; nothing where it cannot be told."""
    try:
        known = json.loads(_version_file(part).read_text("utf-8"))
        if known["url"] == url and known["version"]:
            return part.stat().st_size, known["version"]
    except (OSError, ValueError, KeyError, TypeError):
        pass  # no earlier attempt, or one that left no trace: begin anew
    return 0, ""


def _version_file(part: Path) -> Path:
    return part.with_name(part.name + ".json")


def _chunks(stream: http.client.HTTPResponse) -> Iterator[bytes]:
    while True:
        try:
            chunk = stream.read(CHUNK)
        except (http.client.HTTPException, TimeoutError, ConnectionError) as error:
            raise Cut(type(error).__name__) from None
        if not chunk:
            return
        yield chunk


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Alone in a folder: a second process waits here until the first has done."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / ".lock").open("a+b")
    except OSError as error:
        raise OutputError(f"cannot write {folder}: {error.strerror}", hint="pass --checkpoints FOLDER") from None
    with file:
        try:
            import fcntl
        except ImportError:  # Windows
            import msvcrt

            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)
        else:
            fcntl.flock(file, fcntl.LOCK_EX)
        yield  # closing the file releases the lock
