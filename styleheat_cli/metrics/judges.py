"""Judges: the networks that some metrics ask, found by role, or the reason why one is absent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import CheckpointError

FAMILY = "judges"


class Judges:
    """The judges by role, loaded on first use.

    A judge of role `recon` comes with the product; the others are components of the family `judges`, which
    `styleheat checkpoints fetch judges` brings.
    """

    def __init__(self, given: dict[str, Any] | None = None):
        self._loaded: dict[str, Any] = dict(given or {})
        self._absent: dict[str, str] = {}

    def get(self, role: str) -> Any:
        """The judge of a role.

        Raises:
            CheckpointError: it is absent, with the command that brings it.
        """
        why = self.why_absent(role)
        if why:
            raise CheckpointError(f"no judge for {role}: {why}", hint="styleheat checkpoints fetch judges")
        return self._loaded[role]

    def why_absent(self, role: str) -> str:
        """What the metric needs, or nothing where the judge is there."""
        if role not in self._loaded and role not in self._absent:
            try:
                self._loaded[role] = _LOADERS[role](role)
            except (CheckpointError, ImportError) as error:
                self._absent[role] = _remedy(role, error)
        return self._absent.get(role, "")


def _remedy(role: str, error: Exception) -> str:
    if role == "recon":
        return "needs the landmark model of the embedded weights, which this installation lacks"
    if isinstance(error, CheckpointError) and "lack" not in str(error) and "no family" not in str(error):
        return f"needs {role}, but {error}"
    return f"needs {role} (styleheat checkpoints fetch judges)"


def _stored(role: str) -> Any:
    """The network of a role with its weights, ready to be asked."""
    from ..checkpoints import load_family

    component = load_family(FAMILY).component(role)
    return component.state_dict()


def _recon(role: str) -> Any:
    raise CheckpointError("not yet")


_LOADERS: dict[str, Callable[[str], Any]] = {
    "recon": _recon,
}


def batch(image: np.ndarray) -> Any:
    """(1, 3, H, W) float32 tensor in [-1, 1] of an (H, W, 3) uint8 picture."""
    import torch

    return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))[None].float() / 127.5 - 1
