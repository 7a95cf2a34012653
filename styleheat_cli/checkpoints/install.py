"""A family from where it was published to where it is used: fetch, import, verify, remove.

What is kept is the converted file; the published one is let go once it has been read. Digests of both are recorded, and
a file that comes again must be the one that came first.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ..errors import CheckpointError, StyleheatError
from ..networks.published import ARCHITECTURES, blueprint
from ..progress import Event, Progress, silent
from .convert import convert, read_published, structural_faults
from .fetch import fetch, locked
from .manifest import Component, Family, Source
from .store import Digest, cache_folder, check_digest, digest_of, read_record, write_record

ACCEPTED = "licence-accepted"
FORGET = "styleheat checkpoints rm {} --forget, if the publisher really replaced it"


@dataclass(frozen=True)
class Standing:
    """How one component stands: `state` is `ready`, `missing` or `damaged`; `detail` says more."""

    role: str
    file: str
    state: str
    detail: str
    optional: bool
    size: int = 0
    path: Path | None = None


def wanted_sources(family: Family, roles: Iterable[str] = ()) -> list[str]:
    """Sources that these roles need; without roles, those that have an address."""
    if roles:
        return list(dict.fromkeys(family.component(role).source for role in roles if family.component(role).source))
    return [key for key, source in family.sources.items() if source.url]


def fetch_family(
    family: Family,
    folder: Path | None = None,
    roles: Iterable[str] = (),
    accept_licence: Callable[[str], bool] = lambda licence: False,
    progress: Progress = silent,
    pause_s: float = 1.0,
) -> list[Path]:
    """Fetch, check and convert what is not there yet.

    Args:
        folder: where the files go; the user's cache unless told otherwise.
        roles: only what these need.
        accept_licence: asked once per folder and licence text.
        pause_s: seconds to wait before trying a cut connection again.

    Returns:
        The stored files that were made.
    """
    folder = folder or cache_folder()
    made: list[Path] = []
    with locked(folder / family.name):
        _settle_licence(family, folder, accept_licence)
        for key in wanted_sources(family, roles):
            source = family.sources[key]
            if _stored(family, key, folder):
                continue
            if not source.url:
                raise CheckpointError(f"{source.name} has no address: {source.licence}", hint="import it from a folder")
            download = folder / family.name / source.name
            fetch(source.url, download, progress, pause_s)
            try:
                made += _take_in(family, key, download, folder, progress)
            finally:
                download.unlink(missing_ok=True)
    return made


def import_family(
    family: Family,
    original: Path,
    folder: Path | None = None,
    accept_licence: Callable[[str], bool] = lambda licence: False,
    progress: Progress = silent,
) -> tuple[list[Path], list[str]]:
    """Convert every published file that a folder (or its folders) holds; the originals stay as they are.

    Returns:
        The stored files that were made, and the names of the published files that were not found.
    """
    folder = folder or cache_folder()
    if not original.is_dir():
        raise CheckpointError(f"{original} is not a folder", hint="pass the folder that holds the published files")
    made, missing = [], []
    with locked(folder / family.name):
        _settle_licence(family, folder, accept_licence)
        for key, source in family.sources.items():
            found = find_published(source, original)
            if found is None:
                missing.append(source.name)
            elif not _stored(family, key, folder):
                made += _take_in(family, key, found, folder, progress)
    if len(missing) == len(family.sources):
        raise CheckpointError(f"{original} holds none of the {family.name} files", hint=f"looked for {missing[0]}, …")
    return made, missing


def convert_file(
    family: Family,
    original: Path,
    folder: Path | None = None,
    accept_licence: Callable[[str], bool] = lambda licence: False,
    progress: Progress = silent,
) -> list[Path]:
    """Convert one published file, anew where it was converted before; returns the stored files that were made.

    Raises:
        CheckpointError: there is no such file, or the family knows none of this name.
    """
    key = next((key for key, source in family.sources.items() if original.name in (source.name, *source.aliases)), None)
    if key is None:
        known = ", ".join(source.name for source in family.sources.values())
        raise CheckpointError(f"{original.name} is none of the {family.name} files", hint=f"known: {known}")
    if not original.is_file():
        raise CheckpointError(f"no such file: {original}", hint=f"styleheat checkpoints fetch {family.name}")
    folder = folder or cache_folder()
    with locked(folder / family.name):
        _settle_licence(family, folder, accept_licence)
        return _take_in(family, key, original, folder, progress)


def find_published(source: Source, folder: Path) -> Path | None:
    """The published file under one of its names, anywhere in a folder; or the folder of its loose members."""
    for name in (source.name, *source.aliases):
        for path in sorted(folder.rglob(name)):
            if path.is_file():
                return path
    for first in sorted(folder.rglob(source.members[0])) if source.members else ():
        if all((first.parent / member).is_file() for member in source.members):
            return first.parent
    return None


def standings(family: Family, thorough: bool = False) -> Iterator[Standing]:
    """How each component stands; `thorough` reads every tensor too and checks keys, shapes and finite values."""
    for component in family.components.values():
        path = component.find()
        row = (component.role, component.file)
        if path is None:
            detail = component.note if component.optional else component.remedy()
            yield Standing(*row, "missing", detail, component.optional)
            continue
        size = path.stat().st_size
        try:
            component.path()
            if thorough:
                _check_structure(component)
        except StyleheatError as error:
            yield Standing(*row, "damaged", str(error), component.optional, size, path)
        else:
            yield Standing(*row, "ready", "checked" if thorough else "digest checked", component.optional, size, path)


def remove_family(family: Family, folder: Path | None = None, forget: bool = False) -> int:
    """Delete what was fetched or imported into a folder; `forget` drops the digests too.

    Returns:
        Bytes freed.
    """
    folder = folder or cache_folder()
    own = folder / family.name
    if not own.is_dir():
        return 0
    freed = 0
    with locked(own):
        record = read_record(own)
        for path in sorted(own.iterdir()):
            if path.name in record.stored or path.name.endswith((".part", ".part.json")):
                freed += path.stat().st_size
                path.unlink()
                record = record.without(path.name)
        write_record(own, record)
    if forget:
        shutil.rmtree(own)
    return freed


def licence_accepted(family: Family, folder: Path | None = None) -> bool:
    """Whether somebody accepted this very text for this folder."""
    path = (folder or cache_folder()) / family.name / ACCEPTED
    return not family.licence or (path.is_file() and path.read_text("utf-8").strip() == _text_digest(family))


def _settle_licence(family: Family, folder: Path, accept: Callable[[str], bool]) -> None:
    if licence_accepted(family, folder):
        return
    if not accept(family.licence):
        raise CheckpointError(
            f"the terms of the {family.name} weights were not accepted",
            hint=f"styleheat checkpoints fetch {family.name} --accept-license",
        )
    (folder / family.name / ACCEPTED).write_text(_text_digest(family) + "\n", "utf-8")


def _text_digest(family: Family) -> str:
    return hashlib.sha256(family.licence.encode()).hexdigest()


def _stored(family: Family, key: str, folder: Path) -> bool:
    """Whether everything that a source gives lies in the folder already, as recorded."""
    files = {component.file for component in family.components.values() if component.source == key}
    for file in files:
        path = folder / file
        recorded = read_record(path.parent).stored.get(path.name)
        if recorded is None or not path.is_file() or digest_of(path) != recorded:
            return False
    return bool(files)


def _take_in(family: Family, key: str, original: Path, folder: Path, progress: Progress) -> list[Path]:
    """Check a published file against what it was the first time, convert it, record both."""
    source = family.sources[key]
    own = folder / family.name
    record = read_record(own)
    digest = digest_of(original) if original.is_file() else None  # loose members have no digest of their own
    if digest is not None:
        expected = Digest(source.sha256, source.size) if source.sha256 else record.published.get(source.name)
        if expected is not None:
            check_digest(original, expected, FORGET.format(family.name))
    progress(Event(f"convert {source.name}", 0, 1, "files"))
    made = convert(family, key, _tensors(source, original), folder)
    if digest is not None:
        record = record.with_("published", source.name, digest)
    for path in made:
        record = record.with_("stored", path.name, digest_of(path))
    write_record(own, record)
    progress(Event(f"convert {source.name}", 1, 1, "files"))
    return made


def _tensors(source: Source, original: Path) -> dict:
    if original.is_file():
        return read_published(original, source.members)
    loose = ((Path(member).stem, read_published(original / member)) for member in source.members)
    return {f"{stem}.{key}".rstrip("."): tensor for stem, tensors in loose for key, tensor in tensors.items()}


def _check_structure(component: Component) -> None:
    """Names and shapes where the architecture is a published one; of our own, whose digests are fixed, the values."""
    found = component.state_dict()
    published = component.architecture in ARCHITECTURES
    expected = blueprint(component.architecture, component.config).state_dict() if published else found
    for fault in structural_faults(expected, found):
        raise CheckpointError(f"{component.file}: {fault}", hint=component.remedy())
