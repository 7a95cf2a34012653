"""Where weight files lie, and whether they are what they were: the search path, digests and their record.

A folder that was fetched into keeps `digests.json` beside its files: what each published file was when it first
came, and what it was stored as. Later loads and later fetches are held to it.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..errors import CheckpointError

FOLDER_VARIABLE = "STYLEHEAT_CHECKPOINTS"
RECORD = "digests.json"


def search_path(first: Path | None = None) -> tuple[Path, ...]:
    """Folders that may hold manifests and weights, best first: the one named, ./checkpoints, our own, the cache."""
    named = first or (Path(os.environ[FOLDER_VARIABLE]) if os.environ.get(FOLDER_VARIABLE) else None)
    found = [*([named] if named else []), Path("checkpoints"), own_folder(), cache_folder()]
    return tuple(dict.fromkeys(folder.expanduser().absolute() for folder in found))


def own_folder() -> Path:
    """The data that came with the package: inside the wheel, or beside the package in a checkout."""
    package = Path(__file__).resolve().parents[1]
    packed = package / "_data" / "checkpoints"
    return packed if packed.is_dir() else package.parent / "checkpoints"


def cache_folder() -> Path:
    """The user's cache, where fetched weights go unless told otherwise."""
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "styleheat" / "checkpoints"


def locate(name: str, folders: Iterable[Path]) -> Path | None:
    """The first file of this relative name in the folders, or nothing."""
    return next((folder / name for folder in folders if (folder / name).is_file()), None)


@dataclass(frozen=True)
class Digest:
    """What a file was: its SHA-256 in lower-case hexadecimal and its length in bytes."""

    sha256: str
    size: int


_known: dict[tuple[Path, int, int], Digest] = {}


def digest_of(path: Path) -> Digest:
    """SHA-256 and length of a file; read once per process while size and modification time stay."""
    stat = path.stat()
    key = (path.resolve(), stat.st_size, stat.st_mtime_ns)
    if key not in _known:
        with path.open("rb") as stream:
            _known[key] = Digest(hashlib.file_digest(stream, "sha256").hexdigest(), stat.st_size)
    return _known[key]


def check_digest(path: Path, expected: Digest, hint: str, hashed: bool = True) -> None:
    """Silent when the file is the expected one, or has its length if not `hashed`; length 0 is one nobody recorded."""
    length = path.stat().st_size
    if expected.size and length != expected.size:
        raise CheckpointError(f"{path.name} has {length} bytes, expected {expected.size}", hint=hint)
    found = digest_of(path) if hashed else expected
    if found.sha256 != expected.sha256.lower():
        raise CheckpointError(
            f"{path.name} is damaged or not the expected file: "
            f"SHA-256 {found.sha256[:16]}…, expected {expected.sha256.lower()[:16]}…",
            hint=hint,
        )


@dataclass(frozen=True)
class Record:
    """What a folder knows of its files: `published` as they came, `stored` as they lie there now."""

    published: Mapping[str, Digest]
    stored: Mapping[str, Digest]

    def with_(self, part: str, name: str, digest: Digest) -> Record:
        """The same record with one digest more; `part` is `published` or `stored`."""
        parts = {"published": self.published, "stored": self.stored}
        parts[part] = {**parts[part], name: digest}
        return Record(**parts)

    def without(self, name: str) -> Record:
        """The same record without one stored file; what was published is remembered."""
        return Record(self.published, {key: value for key, value in self.stored.items() if key != name})


def read_record(folder: Path) -> Record:
    """The folder's record; empty where there is none."""
    path = folder / RECORD
    if not path.is_file():
        return Record({}, {})
    try:
        content = json.loads(path.read_text("utf-8"))
        return Record(_digests(content["published"]), _digests(content["stored"]))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(
            f"{path} is not a record of digests: {error}", hint="delete it and fetch or import the files again"
        ) from None


def write_record(folder: Path, record: Record) -> None:
    """Replace the folder's record in one step."""
    content = {
        part: {name: asdict(digest) for name, digest in sorted(getattr(record, part).items())}
        for part in ("published", "stored")
    }
    temporary = folder / (RECORD + ".part")
    temporary.write_text(json.dumps(content, indent=2) + "\n", "utf-8")
    os.replace(temporary, folder / RECORD)


def _digests(rows: Mapping[str, Any]) -> dict[str, Digest]:
    return {name: Digest(str(row["sha256"]), int(row["size"])) for name, row in rows.items()}
