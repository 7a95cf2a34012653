"""The family's published files, made by the rule: under their published names, in a folder that can be served."""

from __future__ import annotations

import gc
import zipfile
from collections.abc import Iterable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.io import savemat

from .fixture import MANIFESTS, Fixture

ARCHIVES = {
    "directions": ("interfacegan_directions/{}.pt", {"age": "interfacegan_age", "pose": "interfacegan_pose"}),
    "standard_face": ("BFM_Fitting/{}.mat", {"similarity_Lm3D_all": "bfm_lm3d"}),
}
"""Sources that are published as a zip: the members' names inside, and their manifests."""


def publish(fixture: Fixture, folder: Path, sources: Iterable[str]) -> None:
    """Writes these sources of the family into a folder, one after the other."""
    for source in sources:
        path = folder / fixture.family.sources[source].name
        if source in ARCHIVES:
            _archive(fixture, path, *ARCHIVES[source])
        else:
            _save(fixture.published(MANIFESTS[source]), path, path.suffix)
        gc.collect()


def _archive(fixture: Fixture, path: Path, inside: str, members: dict[str, str]) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for stem, manifest in members.items():
            content = BytesIO()
            _save(fixture.published(manifest), content, Path(inside).suffix)
            archive.writestr(inside.format(stem), content.getvalue())


def _save(content: Any, target: Any, suffix: str) -> None:
    if suffix == ".npz":
        np.savez(target, **content)
    elif suffix == ".mat":
        savemat(target, content)
    else:
        torch.save(tensors(content), target)


def tensors(content: Any) -> Any:
    """The same nesting with torch tensors."""
    if isinstance(content, dict):
        return {key: tensors(value) for key, value in content.items()}
    return torch.as_tensor(content)
