"""Named axes of expression: which coefficients raise the lip corners, drop the jaw, lift the brows, turn the eyes.

A measure reads one thing off a canonical shape: how far the lips are apart, how high the left brow is. Its direction is the
expression that moves it by one head size while every other measure stands still exactly and the skin away from it as well
as it can: the most likely one under the model's prior (unit-normal coefficients), given that the points which should rest
were seen to rest, within noise. An axis is a sum of such directions.
Source: the conditional mean of a linear Gaussian model, here of the landmark morphable model.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from .morphable import Morphable, openings
from .regions import LEFT_EYE, LEFT_IRIS, LEFT_LIDS, LIP_POINTS, MOUTH_CORNERS, RIGHT_EYE, RIGHT_IRIS, RIGHT_LIDS

LEFT_BROW, RIGHT_BROW = (70, 63, 105, 66, 107, 46, 53, 52, 65, 55), (300, 293, 334, 296, 336, 276, 283, 282, 295, 285)
INNER_BROWS = (55, 285)
EYE_CORNERS = tuple([ring[0], ring[len(ring) // 2]] for ring in (LEFT_EYE, RIGHT_EYE))
LOWER_LIDS = tuple(lower for _upper, lower in (*LEFT_LIDS, *RIGHT_LIDS))
JAW = (152, 148, 176, 149, 150, 136, 377, 400, 378, 379, 365)
NOSE_RIDGE, NOSE_TIP = (6, 197, 195, 5), (1, 2, 4)
LIP_MIDDLES = (0, 13, 14, 17)
MEASURES: Mapping[str, tuple[int, ...]] = {
    "lip_corners": LIP_POINTS,
    "mouth_width": LIP_POINTS,
    "lips_forward": LIP_POINTS,
    "lips_apart": (*LIP_POINTS, *JAW),
    "left_brow": LEFT_BROW,
    "right_brow": RIGHT_BROW,
    "brows_apart": INNER_BROWS,
    "left_eye": LEFT_EYE,
    "right_eye": RIGHT_EYE,
    "gaze_x": (*LEFT_IRIS, *RIGHT_IRIS),
    "gaze_y": (*LEFT_IRIS, *RIGHT_IRIS),
    "irises_apart": (*LEFT_IRIS, *RIGHT_IRIS),
    "eye_corners": (*LEFT_EYE, *RIGHT_EYE),
    "lower_lids": (*LEFT_EYE, *RIGHT_EYE),
}
"""What is read, and the points round which skin may move for it."""
NAMES = tuple(MEASURES)
LOOSE = ("lower_lids",)
"""Measures that need not stand still for others: lower lids go along with a blink."""
NEAR, FAR = 0.3, 1.0
"""Head sizes from these points up to which skin moves freely, and from which it should rest."""
REST = 0.1
"""Head sizes by which a point that should rest may well stray: a fiftieth of the face's height."""

AXES: Mapping[str, Mapping[str, float]] = {
    "smile": {"lip_corners": 0.20, "mouth_width": 0.30},
    "jaw_open": {"lips_apart": 0.45},
    "mouth_wide": {"mouth_width": 0.30},
    "pucker": {"mouth_width": -0.35, "lips_forward": 0.10},
    "brows_up": {"left_brow": 0.20, "right_brow": 0.20},
    "brows_down": {"left_brow": -0.16, "right_brow": -0.16, "brows_apart": -0.03},
    "blink_left": {"left_eye": -1.0},
    "blink_right": {"right_eye": -1.0},
    "squint": {"left_eye": -0.65, "right_eye": -0.65, "lower_lids": 0.015},
    "gaze_x": {"gaze_x": 1.0},
    "gaze_y": {"gaze_y": 1.0},
}
"""What each axis moves at 1: head sizes, but openings of the eyes in shares of what they are and gaze in degrees."""
COUNTERED: Mapping[str, Mapping[str, float]] = {
    "jaw_open": {"mouth_width": -0.10, "lip_corners": 0.03},
    "pucker": {"lip_corners": 0.03},
    "brows_up": {"gaze_y": 4.0},
    "brows_down": {"gaze_y": -4.0},
}
"""What moves besides, so that it is seen at rest: trackers read a wider mouth in an open jaw and a lowered glance under raised
brows (found by tracking results on 25 portraits of the training people)."""
EYEBALL = 0.34
"""Radius of an eyeball in head sizes: an iris is as wide (12 mm both; Bekerman et al. 2014)."""


def change(model: Morphable, values: Mapping[str, np.ndarray], expression: np.ndarray, calm: np.ndarray) -> np.ndarray:
    """(N, 64): what to add to an expression so that each named axis moves what it names.

    Args:
        values: (N,) of each axis, in its own unit: degrees of gaze, else shares of AXES.
        expression: (N, 64) to which it is added: eyes close from where they are, and so do lips.
        calm: (3,) openings of this face without expression, in head sizes: left eye, right eye, lips.
    """
    openings_now = np.maximum(calm + expression @ openings(model.expression), 0)
    return moves(values, openings_now) @ directions(model)


def moves(values: Mapping[str, np.ndarray], openings_now: np.ndarray) -> np.ndarray:
    """(N, M) head sizes by which each measure shall move, for faces whose eyes and lips are open by (N, 3)."""
    wanted = {name: np.zeros(len(openings_now)) for name in NAMES}
    left = {"left_eye": np.ones(len(openings_now)), "right_eye": np.ones(len(openings_now))}
    for axis, value in values.items():
        for measure, amount in (*AXES[axis].items(), *COUNTERED.get(axis, {}).items()):
            if measure in left:
                left[measure] = left[measure] * (1 + amount * value)
            elif measure in ("gaze_x", "gaze_y"):
                wanted[measure] += EYEBALL * np.sin(np.radians(amount * value))
            else:
                wanted[measure] += amount * np.maximum(value, 0) if axis == "jaw_open" else amount * value
    for place, eye in enumerate(left):
        wanted[eye] = openings_now[:, place] * (left[eye] - 1)
    wanted["lips_apart"] += np.minimum(values.get("jaw_open", 0.0), 0) * openings_now[:, 2]
    return np.stack([wanted[name] for name in NAMES], axis=-1)


def measures(shape: np.ndarray) -> np.ndarray:
    """(..., M) of canonical shapes (..., 478, 3), in head sizes, in the order of MEASURES; linear in the shape.

    Heights count upwards from the nose, which no expression moves: those of eyes and brows from its ridge, that of the lip
    corners from its tip; gaze counts from the ridge to the right.
    """
    ridge, corners, brows = shape[..., NOSE_RIDGE, :].mean(-2), shape[..., MOUTH_CORNERS, :], shape[..., INNER_BROWS, 0]
    irises = shape[..., [LEFT_IRIS[0], RIGHT_IRIS[0]], :]
    eyes = np.stack([shape[..., ends, :].mean(-2) for ends in EYE_CORNERS], axis=-2)
    left_eye, right_eye, lips = np.moveaxis(openings(shape), -1, 0)
    return np.stack([
        shape[..., NOSE_TIP, 1].mean(-1) - corners[..., 1].mean(-1),
        corners[..., 1, 0] - corners[..., 0, 0],
        ridge[..., 2] - shape[..., LIP_MIDDLES, 2].mean(-1),
        lips,
        ridge[..., 1] - shape[..., LEFT_BROW, 1].mean(-1),
        ridge[..., 1] - shape[..., RIGHT_BROW, 1].mean(-1),
        brows[..., 1] - brows[..., 0],
        left_eye,
        right_eye,
        irises[..., 0].mean(-1) - ridge[..., 0],
        ridge[..., 1] - irises[..., 1].mean(-1),
        irises[..., 1, 0] - irises[..., 0, 0] - eyes[..., 1, 0] + eyes[..., 0, 0],
        ridge[..., 1] - eyes[..., 1].mean(-1),
        ridge[..., 1] - shape[..., LOWER_LIDS, 1].mean(-1),
    ], axis=-1)  # fmt: skip


def directions(model: Morphable) -> np.ndarray:
    """(M, 64): the expression that moves one measure by a head size and no other, in the order of MEASURES."""
    rows = measures(model.expression).T  # [M 64]
    return np.stack([_direction(model, rows, place) for place in range(len(rows))])


def _direction(model: Morphable, rows: np.ndarray, place: int) -> np.ndarray:
    """(64,) argmin of |c|² + |what moves away from the measure|² / REST², where rows @ c is 1 at `place`, else 0."""
    held = [other for other, name in enumerate(NAMES) if name not in LOOSE or other == place]
    rest = _rest(model, MEASURES[NAMES[place]])
    still = (model.expression * rest[:, None]).reshape(len(model.expression), -1)
    cost = np.eye(len(still)) + still @ still.T / REST**2
    likely = np.linalg.solve(cost, rows[held].T)  # [64 held]
    return likely @ np.linalg.solve(rows[held] @ likely, np.equal(held, place).astype(float))


def _rest(model: Morphable, points: tuple[int, ...]) -> np.ndarray:
    """(478,) 0 at these points and near them, rising smoothly to 1 away from them."""
    away = np.linalg.norm(model.mean[:, None] - model.mean[None, list(points)], axis=-1).min(1)
    share = np.clip((away - NEAR) / (FAR - NEAR), 0, 1)
    return share * share * (3 - 2 * share)
