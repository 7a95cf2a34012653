"""The notes that a file carries: written as container tags, read back as a dict."""

from __future__ import annotations

import json
from pathlib import Path
from typing import BinaryIO

from PIL import Image

from .container import check_readable, opened
from .still import DESCRIPTION, FORMATS, is_still

CHUNK = 1 << 20  # bytes


def read_metadata(path: Path | str) -> dict[str, str]:
    """The text notes in a video, animation or photo; keys in lower case. Raises InputError for what is no such file."""
    path = Path(path)
    check_readable(path)
    if is_still(path):
        found = _of_photo(path)
    else:
        with opened(path) as container:
            found = dict(container.metadata) | (_of_gif(path) if container.format.name == "gif" else {})
    return {key.lower(): value for key, value in found.items()}


def _of_photo(path: Path) -> dict[str, str]:
    with Image.open(path, formats=FORMATS) as image:
        text = dict(getattr(image, "text", {}))
        return {**text, **_notes(str(image.getexif().get(DESCRIPTION, "")))}


def _of_gif(path: Path) -> dict[str, str]:
    with Image.open(path, formats=("GIF",)) as image:
        comment = image.info.get("comment", b"")
    return _notes(comment.decode("utf-8", "replace"))


def _notes(text: str) -> dict[str, str]:
    """The dict that a text holds as JSON; a text of other people's is a comment."""
    try:
        found = json.loads(text)
    except ValueError:
        return {"comment": text} if text else {}
    return {str(k): str(v) for k, v in found.items()} if isinstance(found, dict) else {"comment": text}


def add_gif_comment(part: Path, metadata: dict[str, str]) -> None:
    """Puts the notes into a finished GIF as a comment block before its first picture."""
    text = json.dumps(metadata).encode()
    pieces = [text[i : i + 255] for i in range(0, len(text), 255)]
    block = b"\x21\xfe" + b"".join(bytes([len(piece)]) + piece for piece in pieces) + b"\x00"
    with part.open("r+b") as file:
        head = file.read(13)
        colours = 3 << (head[10] & 7) + 1 if head[10] & 0x80 else 0  # bytes of the global palette
        _insert(file, 13 + colours, block)


def _insert(file: BinaryIO, at: int, block: bytes) -> None:
    """Moves what stands from `at` on to make room for the block, last piece first."""
    end = file.seek(0, 2)
    while end > at:
        start = max(at, end - CHUNK)
        file.seek(start)
        piece = file.read(end - start)
        file.seek(start + len(block))
        file.write(piece)
        end = start
    file.seek(at)
    file.write(block)
