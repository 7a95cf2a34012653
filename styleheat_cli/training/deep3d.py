"""The bridge between two expression spaces: from the landmark model's 64 numbers to those of Deep3DFaceRecon.

Estimated on clips that come with Deep3D coefficients (a `.mat` of the same name beside the clip: `coeff`, frames x 257,
expression in columns 80-143, angles in 224-226). Quality is R² with the clip left out of its own estimate.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..face.morphable import Morphable, fit
from .material import Tracked

EXPRESSION = slice(80, 144)
ANGLES = slice(224, 227)
SMOOTH = 2  # frames on each side over which Deep3D's per-frame noise is averaged


@dataclass(frozen=True)
class Pairs:
    """One clip in both spaces: ours (T, 67) expression and angles, theirs (T, 67) the same of Deep3D."""

    person: str
    ours: np.ndarray
    theirs: np.ndarray


def pairs_of(model: Morphable, found: Tracked) -> Pairs | None:
    """Both descriptions of a clip, where it has both. Rows begin `frames - rows` frames into the clip."""
    path = found.item.path.with_suffix(".mat")
    if not path.is_file():
        return None
    rows = _coefficients(path)
    lag = len(found.landmarks) - len(rows)
    landmarks = found.landmarks[lag:] if lag >= 0 else found.landmarks
    rows, seen = rows[: len(landmarks)], np.isfinite(landmarks).all((1, 2))
    fitted = fit(model, landmarks[seen].astype(np.float64))
    theirs = np.concatenate([rows[:, EXPRESSION], rows[:, ANGLES]], axis=1)[seen]
    return Pairs(found.item.person, np.concatenate([fitted.expression, fitted.angles], axis=1), _averaged(theirs))


def _coefficients(path: Path) -> np.ndarray:
    from scipy.io import loadmat

    return np.asarray(loadmat(path)["coeff"], np.float64)


def _averaged(rows: np.ndarray) -> np.ndarray:
    from scipy.ndimage import uniform_filter1d

    return uniform_filter1d(rows, 2 * SMOOTH + 1, axis=0, mode="nearest")


def bridge(clips: list[Pairs], ridge: float = 0.02) -> tuple[np.ndarray, dict[str, float]]:
    """(68, 67): the linear map with its constant as last row, and its R² with each clip left out.

    A clip's own mean is its person's, in both spaces, so R² is of what changes inside a clip.
    """
    whole = _solved(clips, ridge)
    away, spread = np.zeros(67), np.zeros(67)
    for left_out in clips:
        others = [clip for clip in clips if clip is not left_out]
        made = _centred(left_out.ours) @ _solved(others, ridge)[:-1]
        real = _centred(left_out.theirs)
        away += np.square(made - real).sum(0)
        spread += np.square(real).sum(0)
    r2 = 1 - away / np.maximum(spread, 1e-12)
    overall = 1 - away[:64].sum() / spread[:64].sum()
    named = {"expression": overall, "expression_first_six": r2[:6].mean(), "pitch": r2[64], "yaw": r2[65], "roll": r2[66]}
    return whole, {f"deep3d_r2_{name}": round(float(value), 3) for name, value in named.items()}


def _solved(clips: list[Pairs], ridge: float) -> np.ndarray:
    x = np.concatenate([_centred(clip.ours) for clip in clips])
    y = np.concatenate([_centred(clip.theirs) for clip in clips])
    spread = x.std(0)
    x = x / spread
    linear = np.linalg.solve(x.T @ x + ridge * len(x) * np.eye(x.shape[1]), x.T @ y) / spread[:, None]
    ours, theirs = (np.mean([getattr(clip, name).mean(0) for clip in clips], axis=0) for name in ("ours", "theirs"))
    return np.concatenate([linear, (theirs - ours @ linear)[None]])


def _centred(rows: np.ndarray) -> np.ndarray:
    return rows - rows.mean(0)
