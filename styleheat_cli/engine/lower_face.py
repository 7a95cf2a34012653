"""The lower face: which part of an expression it is, what its mouth measures, and how a mouth is closed."""

from __future__ import annotations

import numpy as np

from ..face.morphable import Morphable
from ..face.regions import CHIN, LIPS
from .retarget import opening_rows, width_row

FROM, FULLY = 1, 164  # points of the nose's tip and of the dent over the upper lip: between them the lower face begins
ELSEWHERE = 16.0  # times that a point outside weighs in keeping still
UPPER_LIP, LOWER_LIP = 0, 17


def weights(model: Morphable) -> np.ndarray:
    """(478,) 0 above the tip of the nose, 1 from the upper lip down, smooth between."""
    top, bottom = model.mean[FROM, 1], model.mean[FULLY, 1]
    share = np.clip((model.mean[:, 1] - top) / (bottom - top), 0, 1)
    return share * share * (3 - 2 * share)


def projection(model: Morphable) -> np.ndarray:
    """(64, 64): expressions (T, 64) times its transpose keep what they move in the lower face, and rest elsewhere.

    Least squares over the points: inside what the expression moves, outside nothing, the latter weighing more.
    """
    share = weights(model)
    care = np.where(share > 0.5, 1.0, ELSEWHERE)
    flat = model.expression.reshape(len(model.expression), -1)  # [64 1434]
    cared = flat * np.repeat(care, 3)
    gram = cared @ flat.T
    wanted = (flat * np.repeat(care * share, 3)) @ flat.T
    part = np.linalg.solve(gram + 1e-5 * np.trace(gram) / len(gram) * np.eye(len(gram)), wanted)
    return 2 * part - part @ part  # what a first pass leaves of the lower face, a second takes


def measures(model: Morphable) -> np.ndarray:
    """(4, 64): how each expression component opens the lips, widens the mouth, lowers the jaw and brings the lips forward,
    in head sizes."""
    e = model.expression
    return np.stack([
        opening_rows(model)[2], width_row(model), e[:, CHIN, 1], -(e[:, UPPER_LIP, 2] + e[:, LOWER_LIP, 2]) / 2,
    ])  # fmt: skip


def closing(model: Morphable) -> np.ndarray:
    """(64,): the least surprising expression of the lower face that parts the lips by one head size."""
    row = opening_rows(model)[2]
    alone = row @ projection(model)  # what the lower part of each component opens
    direction = projection(model) @ alone
    return direction / (row @ direction)


__all__ = ["LIPS", "closing", "measures", "projection", "weights"]
