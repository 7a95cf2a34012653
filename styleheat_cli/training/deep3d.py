"""The bridge between two spaces: from the landmark model's numbers to those of Deep3DFaceRecon.

Estimated on clips that come with Deep3D coefficients (a `.mat` of the same name beside the clip: `coeff`, frames x 257,
expression in columns 80-143, angles in 224-226; `transform_params`, frames x 5: the size of the picture, s, tx, ty of its
alignment). Quality is R² with the clip left out of its own estimate.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..face.align_published import FACE_SCALE
from ..face.morphable import Fit, Morphable, fit, rotation
from .material import Tracked

EXPRESSION = slice(80, 144)
ANGLES = slice(224, 227)
SMOOTH = 2  # frames on each side over which Deep3D's per-frame noise is averaged


@dataclass(frozen=True)
class Alignment:
    """Where a head is in a clip: fit of the landmark model, and params (T, 5) of Deep3D's alignment."""

    fit: Fit
    params: np.ndarray


@dataclass(frozen=True)
class Pairs:
    """One clip in both spaces: ours (T, 67) expression and angles, theirs (T, 67) the same of Deep3D."""

    person: str
    ours: np.ndarray
    theirs: np.ndarray
    alignment: Alignment


def pairs_of(model: Morphable, found: Tracked) -> Pairs | None:
    """Both descriptions of a clip, where it has both. Rows begin `frames - rows` frames into the clip."""
    path = found.item.path.with_suffix(".mat")
    if not path.is_file():
        return None
    rows, params = _content(path)
    lag = len(found.landmarks) - len(rows)
    landmarks = found.landmarks[lag:] if lag >= 0 else found.landmarks
    rows, params = rows[: len(landmarks)], params[: len(landmarks)]
    seen = np.isfinite(landmarks).all((1, 2))
    fitted = fit(model, landmarks[seen].astype(np.float64))
    theirs = np.concatenate([rows[:, EXPRESSION], rows[:, ANGLES]], axis=1)[seen]
    ours = np.concatenate([fitted.expression, fitted.angles], axis=1)
    return Pairs(found.item.person, ours, _averaged(theirs), Alignment(fitted, params[seen]))


def _content(path: Path) -> tuple[np.ndarray, np.ndarray]:
    from scipy.io import loadmat

    content = loadmat(path)
    return tuple(np.asarray(content[name], np.float64) for name in ("coeff", "transform_params"))


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


def placement(clips: list[Pairs]) -> dict[str, float | list[float]]:
    """How large Deep3D's unit is and where its origin lies, in head sizes, and how well that tells its alignment.

    Medians and least squares over all frames; clips whose alignment is told for another size of picture stand out by their
    scale and are left out. Errors: mean of the scale's, root mean square of the place's in pixels of 256.
    """
    units = [_unit(clip.alignment) for clip in clips]
    usual = float(np.median(np.concatenate(units)))
    kept = [clip.alignment for clip, unit in zip(clips, units, strict=True) if abs(np.median(unit) / usual - 1) < 0.2]
    design, wanted = (np.concatenate(parts) for parts in zip(*map(_origin_rows, kept), strict=True))
    origin = np.linalg.lstsq(design, wanted, rcond=None)[0]
    away = np.concatenate([_unit(alignment) / usual - 1 for alignment in kept])
    return {
        "deep3d_unit": round(usual, 3),
        "deep3d_origin": origin.round(3).tolist(),
        "deep3d_scale_error": round(float(np.abs(away).mean()), 4),
        "deep3d_place_px": round(float(np.sqrt(np.square(design @ origin - wanted).mean())), 2),
        "deep3d_placed_clips": len(kept),
    }


def _unit(alignment: Alignment) -> np.ndarray:
    """(T,) head sizes in Deep3D's unit."""
    return FACE_SCALE / alignment.params[:, 2] / alignment.fit.scale


def _origin_rows(alignment: Alignment) -> tuple[np.ndarray, np.ndarray]:
    """(2T, 3) and (2T,): linear equations of the origin in head sizes; y of the alignment runs upwards."""
    found, params = alignment.fit, alignment.params
    turned = found.scale[:, None, None] * rotation(found.angles)
    x, y = params[:, 3] + 0.5, params[:, 1] - 0.5 - params[:, 4]
    return np.concatenate([turned[:, 0], turned[:, 1]]), np.concatenate([x - found.shift[:, 0], y - found.shift[:, 1]])


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
