"""The judge of expression: the embedded landmark model, fitted to meshes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..face.morphable import Morphable, fit_frames, fit_identity


@dataclass(frozen=True)
class Recon:
    """Fits the model: identity from some meshes of a person, then expression and angles of every mesh."""

    model: Morphable

    @classmethod
    def embedded(cls) -> Recon:
        """The model of the family `default`.

        Raises:
            CheckpointError: its file is absent or damaged.
        """
        from ..engine.engine import Engine

        return cls(Engine("default").morphable)

    def identity(self, meshes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Identity coefficients and what they leave over, of meshes (N, 478, 3) of one person."""
        return fit_identity(self.model, meshes.astype(np.float64))

    def coefficients(self, meshes: np.ndarray, person: tuple[np.ndarray, np.ndarray]) -> dict[str, np.ndarray]:
        """`expression` (N, 64) and `angles` (N, 3) rad of meshes (N, 478, 3) of that person."""
        fitted = fit_frames(self.model, meshes.astype(np.float64), *person)
        return {"expression": fitted.expression, "angles": fitted.angles}
