"""What a family of weights consists of: its manifest, typed.

A role is what the method needs, a component fills a role, a family is a manifest that fills all of them. The manifest
is a TOML file named after the family; its components name an architecture (never an import path), a file and that
file's digest. A family that is not ours to ship also lists where its files were published (`[sources.…]`).
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from ..errors import CheckpointError
from .store import Digest, check_digest, locate, read_record, search_path

if TYPE_CHECKING:
    from torch import Tensor

NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class Source:
    """One published file: where it is, and under which terms."""

    name: str
    """File name as published, also the name looked for by `import`."""
    url: str = ""
    licence: str = ""
    members: tuple[str, ...] = ()
    """File names inside the archive, when the published file is a zip."""
    aliases: tuple[str, ...] = ()
    """Other names under which people keep the file."""
    sha256: str = ""
    """Digest, where the publisher gave one; otherwise it is recorded at the first fetch."""
    size: int = 0


@dataclass(frozen=True)
class Override:
    """Keys in the file of another component that win over this component's own, where they are there."""

    role: str
    prefix: str


@dataclass(frozen=True)
class Component:
    """One set of weights that fills a role, and the file that holds it."""

    role: str
    architecture: str
    """Name in the register of architectures."""
    file: str
    """Stored file, relative to a folder of the search path."""
    config: Mapping[str, Any] = field(default_factory=dict)
    """Arguments of the architecture: sizes live here."""
    sha256: str = ""
    """Expected digest; empty where it is recorded at the first fetch instead."""
    size: int = 0
    prefix: str = ""
    """Keys of this component begin so inside the file."""
    keys: tuple[str, ...] = ()
    """Only these keys of the file; empty for all that begin with the prefix."""
    override: Override | None = None
    """Where tensors may lie that replace this component's."""
    source: str = ""
    """Which of the family's sources the file is made from; empty for weights of our own."""
    optional: bool = False
    """The family works without it; `note` says what is lost."""
    note: str = ""
    recipe: str = ""
    """The recipe that trained it."""
    seed: int | None = None
    family: str = ""
    folders: tuple[Path, ...] = ()
    overriding: Component | None = None
    """The component that `override` names."""
    origin: Source | None = None
    """The source that `source` names."""

    def path(self, hashed: bool = True) -> Path:
        """The stored file, its digest checked before the first use in this process; only its length if not `hashed`.

        Raises:
            CheckpointError: missing, damaged, or of an unknown digest; the hint is the command that mends it.
        """
        found = self.find()
        if found is None:
            raise CheckpointError(f"the {self.family} weights lack {self.file} ({self.role})", hint=self.remedy())
        check_digest(found, self._expected(found), hint=self.remedy(), hashed=hashed)
        return found

    def find(self) -> Path | None:
        """The stored file, unchecked, or nothing."""
        return locate(self.file, self.folders)

    def state_dict(self) -> dict[str, Tensor]:
        """The component's tensors on the CPU, by the keys of its architecture."""
        from .convert import read_stored

        tensors = read_stored(self.path(), self.prefix, self.keys)
        if self.override and self.overriding:
            winning = read_stored(self.overriding.path(), self.override.prefix)
            tensors |= {key: tensor for key, tensor in winning.items() if key in tensors}
        return tensors

    def digest(self) -> str:
        """SHA-256 that the stored file has to have; empty where it is not there."""
        found = self.find()
        return self._expected(found).sha256 if found else ""

    def remedy(self) -> str:
        """The command that brings the file back."""
        if self.origin and not self.origin.url:
            return f"styleheat checkpoints import FOLDER, a folder that holds {self.origin.name}"
        if self.source:
            return f"styleheat checkpoints fetch {self.family}, or styleheat checkpoints import FOLDER"
        return "install styleheat again: this file is part of it"

    def _expected(self, found: Path) -> Digest:
        if self.sha256:
            return Digest(self.sha256, self.size)
        recorded = read_record(found.parent).stored.get(found.name)
        if recorded is None:
            raise CheckpointError(f"nobody recorded what {found} should be", hint=self.remedy())
        return recorded


@dataclass(frozen=True)
class Family:
    """A complete set of weights, by role."""

    name: str
    title: str
    components: Mapping[str, Component]
    sources: Mapping[str, Source] = field(default_factory=dict)
    licence: str = ""
    """What a person has to accept before the files are fetched; empty where nothing is asked."""
    manifest: Path = Path()
    folders: tuple[Path, ...] = ()

    def component(self, role: str) -> Component:
        """The component that fills a role."""
        if role not in self.components:
            has = ", ".join(sorted(self.components))
            raise CheckpointError(
                f"the {self.name} weights have no {role} (they have {has})", hint="pass another family to --weights"
            )
        return self.components[role]

    def stored_files(self) -> tuple[str, ...]:
        """The distinct files of all components, in the order of the manifest."""
        return tuple(dict.fromkeys(component.file for component in self.components.values()))


def load_family(name_or_path: str | Path, checkpoints: Path | None = None) -> Family:
    """The family of this name, or of this manifest file.

    Args:
        name_or_path: `default`, `styleheat`, or the path of a manifest (`.toml`).
        checkpoints: a folder to look in before all others.
    """
    folders = search_path(checkpoints)
    manifest = Path(name_or_path)
    if manifest.suffix == ".toml":
        folders = (manifest.absolute().parent, *folders)
    else:
        found = locate(f"{name_or_path}.toml", folders)
        if found is None:
            raise CheckpointError(
                f"no family of weights is called {str(name_or_path)!r}",
                hint="known: " + (", ".join(family_names(checkpoints)) or "none") + "; or pass the path of a manifest",
            )
        manifest = found
    return read_manifest(manifest, folders)


def family_names(checkpoints: Path | None = None) -> tuple[str, ...]:
    """Names of the families whose manifests lie on the search path."""
    return tuple(sorted({path.stem for folder in search_path(checkpoints) for path in folder.glob("*.toml")}))


def read_manifest(path: Path, folders: tuple[Path, ...]) -> Family:
    """The family a manifest file describes; its files are looked for in `folders`."""
    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise CheckpointError(f"cannot read {path}: {error.strerror}", hint="pass a manifest that exists") from None
    except ValueError as error:
        raise CheckpointError(f"{path} is not a manifest: {error}", hint="compare it with styleheat.toml") from None
    name = str(content.get("name", path.stem))
    tables = _tables(content, "sources", path)
    sources = {key: _typed(Source, row, f"{path.name}: sources.{key}") for key, row in tables}
    components = {}
    for key, row in _tables(content, "components", path):
        given = {"role": key, **row, "family": name, "folders": folders}
        where = f"{path.name}: components.{key}"
        if "override" in row:
            given["override"] = _typed(Override, row["override"], f"{where}.override")
        component = _typed(Component, given, where)
        if component.source and component.source not in sources:
            raise CheckpointError(
                f"{path.name}: components.{key}: no source is called {component.source!r}",
                hint="add it under [sources]",
            )
        component = replace(component, origin=sources.get(component.source))
        components[component.role] = component
    for role, component in components.items():
        if component.override:
            if component.override.role not in components:
                raise CheckpointError(
                    f"{path.name}: components.{role}.override: no component is called {component.override.role!r}",
                    hint="name one of the components",
                )
            components[role] = replace(component, overriding=components[component.override.role])
    if not components:
        raise CheckpointError(f"{path} names no component", hint="compare it with styleheat.toml")
    return Family(
        name=name,
        title=str(content.get("title", name)),
        components=components,
        sources=sources,
        licence=str(content.get("licence", "")),
        manifest=path,
        folders=folders,
    )


def _tables(content: Mapping[str, Any], key: str, path: Path) -> list[tuple[str, Mapping[str, Any]]]:
    tables = content.get(key, {})
    if not isinstance(tables, dict) or not all(isinstance(row, dict) for row in tables.values()):
        raise CheckpointError(f"{path.name}: [{key}] is not a table of tables", hint="compare it with styleheat.toml")
    return list(tables.items())


def _typed(kind: type, row: Mapping[str, Any], where: str) -> Any:
    """The dataclass filled from a table; names the first key that is unknown or missing."""
    known = {f.name for f in fields(kind)}
    for key in row:
        if key not in known:
            raise CheckpointError(f"{where}.{key}: not a field", hint="known: " + ", ".join(sorted(known)))
    for f in fields(kind):
        if f.name not in row and f.default is MISSING and f.default_factory is MISSING:
            raise CheckpointError(f"{where}.{f.name}: missing", hint="add it to the manifest")
    return kind(**{key: tuple(value) if isinstance(value, list) else value for key, value in row.items()})
