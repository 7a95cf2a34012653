"""Published files to stored ones: read safely, brought to the architecture's shapes, checked, kept as safetensors.

A published file is a flat or nested dictionary of tensors, an archive of such files, or a few arrays. Whatever it is,
it becomes one flat dictionary whose keys are the nested keys joined by dots; archive members lend their stem as first.
"""

from __future__ import annotations

import os
import pickle
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from ..errors import CheckpointError, OutputError
from ..networks.published import blueprint
from .manifest import Component, Family

LARGEST_MEMBER = 4 << 30
"""Bytes; an archive member that claims to be larger is refused."""
COUNTER = "num_batches_tracked"
"""Counters of batch normalisation: old files lack them and nobody reads them."""


def read_stored(path: Path, prefix: str = "", keys: Iterable[str] = ()) -> dict[str, Tensor]:
    """The tensors of a safetensors file whose keys begin with the prefix, without it; or only the keys named."""
    try:
        with safe_open(path, framework="pt") as file:
            wanted = list(keys) or [key for key in file.keys() if key.startswith(prefix)]  # noqa: SIM118
            return {key.removeprefix(prefix): file.get_tensor(key) for key in wanted}
    except SafetensorError as error:
        raise CheckpointError(f"{path.name} is not a safetensors file: {error}", hint="fetch it again") from None


def read_published(path: Path, members: Iterable[str] = ()) -> dict[str, Tensor]:
    """Every tensor of a published file by its flat key; nothing in it is ever run.

    Args:
        path: a .pth, .pt, .npz, .mat, .safetensors or .zip file.
        members: file names to take from an archive; required for a .zip.

    Raises:
        CheckpointError: the file is something else, damaged, or holds more than tensors.
    """
    if path.suffix == ".zip":
        return {key: tensor for name in _members(path, members) for key, tensor in _read_member(path, name)}
    with path.open("rb") as stream:
        return dict(flatten(_read(stream, path.suffix, path.name)))


def _members(path: Path, members: Iterable[str]) -> Iterator[str]:
    """Names inside the archive of the wanted files; refuses an archive that points outside of itself."""
    try:
        with zipfile.ZipFile(path) as archive:
            infos = archive.infolist()
    except (zipfile.BadZipFile, OSError) as error:
        raise _not_weights(path.name, error, path.open("rb")) from None
    for info in infos:
        inside = PurePosixPath(info.filename.replace("\\", "/"))
        if inside.is_absolute() or ".." in inside.parts or ":" in inside.parts[0]:
            raise CheckpointError(
                f"{path.name} holds {info.filename!r}, which points outside of it", hint="do not use this file"
            )
    by_name = {PurePosixPath(info.filename).name: info for info in infos if not info.is_dir()}
    for member in members:
        info = by_name.get(member)
        if info is None:
            raise CheckpointError(f"{path.name} does not hold {member}", hint="fetch it again")
        if info.file_size > LARGEST_MEMBER:
            raise CheckpointError(f"{member} in {path.name} claims {info.file_size} bytes", hint="do not use this file")
        yield info.filename


def _read_member(path: Path, name: str) -> Iterator[tuple[str, Tensor]]:
    inside = PurePosixPath(name)
    with zipfile.ZipFile(path) as archive:
        content = BytesIO(archive.read(name))
    return flatten(_read(content, inside.suffix, f"{inside.name} in {path.name}"), inside.stem)


def _read(stream: BinaryIO, suffix: str, name: str) -> Any:
    reader = READERS.get(suffix)
    if reader is None:
        raise CheckpointError(f"{name} is of no kind that can be read", hint="known: " + ", ".join(sorted(READERS)))
    try:
        return reader(stream)
    except (pickle.UnpicklingError, RuntimeError, ValueError, EOFError, OSError, KeyError, TypeError) as error:
        raise _not_weights(name, error, stream) from None


def _read_torch(stream: BinaryIO) -> Any:
    rebuild = np.core.multiarray._reconstruct  # the one function that a pickled array calls
    dtypes = [type(np.dtype(name)) for name in ("f2", "f4", "f8", "i4", "i8", "u1")]
    with torch.serialization.safe_globals([rebuild, np.ndarray, np.dtype, *dtypes]):
        return torch.load(stream, map_location="cpu", weights_only=True)


def _read_numpy(stream: BinaryIO) -> dict[str, np.ndarray]:
    with np.load(stream, allow_pickle=False) as arrays:
        return {key: arrays[key] for key in arrays.files if arrays[key].dtype.kind in "fiu"}


def _read_matlab(stream: BinaryIO) -> dict[str, np.ndarray]:
    from scipy.io import loadmat

    fields = loadmat(stream)
    return {key: value for key, value in fields.items() if not key.startswith("__")}


def _read_safetensors(stream: BinaryIO) -> dict[str, Tensor]:
    from safetensors.torch import load

    try:
        return load(stream.read())
    except SafetensorError as error:
        raise ValueError(str(error)) from None


READERS: Mapping[str, Callable[[BinaryIO], Any]] = {
    ".pth": _read_torch,
    ".pt": _read_torch,
    ".npz": _read_numpy,
    ".mat": _read_matlab,
    ".safetensors": _read_safetensors,
}


def _not_weights(name: str, error: Exception, stream: BinaryIO) -> CheckpointError:
    """What the file seems to be instead: a web page where weights should be is the commonest case."""
    stream.seek(0)
    head = stream.read(512).lstrip().lower()
    stream.close()
    if head.startswith((b"<!doctype", b"<html", b"<?xml")):
        return CheckpointError(f"{name} is a web page, not weights", hint="fetch it again, or look at it in a browser")
    if isinstance(error, pickle.UnpicklingError):
        reason = "it holds more than tensors, or is damaged"
    else:
        reason = str(error).strip().splitlines()[0][:120] if str(error).strip() else type(error).__name__
    return CheckpointError(f"{name} cannot be read as weights: {reason}", hint="fetch it again")


def flatten(content: Any, start: str = "") -> Iterator[tuple[str, Tensor]]:
    """Flat key and tensor of everything numeric in nested dictionaries; the rest is left out."""
    if isinstance(content, Mapping):
        for key, value in content.items():
            yield from flatten(value, f"{start}.{key}" if start else str(key))
    elif isinstance(content, Tensor):
        yield start, content.detach()
    elif isinstance(content, np.ndarray) and content.dtype.kind in "fiu":
        yield start, torch.from_numpy(content)


def component_state(component: Component, published: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The component's state dict out of a published file's flat tensors, in the architecture's shapes.

    Raises:
        CheckpointError: keys are missing, shapes differ or values are not finite; counts all, names the first.
    """
    expected = blueprint(component.architecture, component.config).state_dict()
    found: dict[str, Tensor] = {}
    for key, blank in expected.items():
        tensor = published.get(component.prefix + key)
        if tensor is not None:
            found[key] = normal_form(component.architecture, tensor, tuple(blank.shape)).to(blank.dtype).contiguous()
        elif key.endswith(COUNTER):
            found[key] = torch.zeros((), dtype=torch.int64)
    faults = list(structural_faults(expected, found))
    if faults:
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        raise CheckpointError(
            f"not the {component.family} {component.role}: {faults[0]}{more}",
            hint="check that the file is the published one, then fetch or import it again",
        )
    return found


def structural_faults(expected: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> Iterator[str]:
    """Every key that is missing, has another shape or holds a value that is not finite, as words."""
    for key, blank in expected.items():
        if key not in found:
            yield f"{key} is missing"
        elif found[key].shape != blank.shape:
            yield f"{key} has shape {tuple(found[key].shape)}, expected {tuple(blank.shape)}"
        elif not _finite(found[key]):
            yield f"{key} holds values that are not finite"


def _finite(tensor: Tensor) -> bool:
    """Whether every value is a number: the smallest and the largest tell, in one pass without a copy."""
    return tensor.numel() == 0 or all(bool(end.isfinite()) for end in tensor.aminmax())


def normal_form(architecture: str, tensor: Tensor, shape: tuple[int, ...]) -> Tensor:
    """The tensor in the shape wanted, for the few constants that are published in more shapes than one."""
    if architecture in ("average-code", "directions") and tensor.numel() in (shape[-1], shape[-1] * shape[0]):
        return tensor.reshape(-1, shape[-1]).expand(shape)
    if architecture == "principal-components" and tensor.dim() > 0:
        flat = tensor.reshape(tensor.shape[0], -1) if len(shape) == 2 else tensor.flatten()
        return flat[: shape[0]]
    return tensor


def convert(family: Family, source: str, published: Mapping[str, Tensor], folder: Path) -> list[Path]:
    """The stored files made from one source, written to the family's place in a folder; each in one step."""
    written = []
    for file in dict.fromkeys(c.file for c in family.components.values() if c.source == source):
        tensors: dict[str, Tensor] = {}
        for component in family.components.values():
            if component.file == file:
                state = component_state(component, published)
                tensors |= {component.prefix + key: tensor for key, tensor in state.items()}
            elif component.override and component.overriding and component.overriding.file == file:
                tensors |= _overriding(component, published)
        path = folder / file
        write_stored(path, tensors)
        written.append(path)
    return written


def _overriding(component: Component, published: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The keys that will replace a component's own; a known key of another shape is refused."""
    prefix = component.override.prefix
    expected = blueprint(component.architecture, component.config).state_dict()
    found = {key: published[prefix + key] for key in expected if prefix + key in published}
    for fault in structural_faults({key: expected[key] for key in found}, found):
        raise CheckpointError(f"not the {component.family} {component.role}: {prefix}{fault}", hint="fetch it again")
    return {prefix + key: tensor.contiguous() for key, tensor in found.items()}


def write_stored(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """A safetensors file that appears under its name only when it is whole."""
    temporary = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file({key: tensor.clone() for key, tensor in tensors.items()}, temporary)
        os.replace(temporary, path)
    except (OSError, SafetensorError) as error:
        if path.parent.is_dir():
            temporary.unlink(missing_ok=True)
        raise OutputError(
            f"cannot write {path}: {error}", hint="free some space, or pass --checkpoints FOLDER"
        ) from None
