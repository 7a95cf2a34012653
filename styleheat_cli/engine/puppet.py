"""A head and face moved by hand: angles, place and named axes added to a motion; curves through keyframes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ..face.axes import AXES, NAMES, change, directions
from ..face.morphable import Morphable, openings, pose_terms
from ..shot import ANGLES, EXPRESSION, MotionTrack
from .retarget import Region, region_projections

POSE = {"pitch": 1.12, "yaw": 1.12, "roll": 1.0}
"""Degrees, in the order of the coefficients, and how many of the model's own one is: the model reads a turn larger than the rigid
fit of a mean head does, by which degrees count (measured on results with 25 portraits of the training people)."""
EASINGS = {
    "linear": lambda t: t,
    "smooth": lambda t: t * t * (3 - 2 * t),
    "in": lambda t: t * t,
    "out": lambda t: t * (2 - t),
    "hold": lambda t: np.floor(t),
}
"""How a value goes from one keyframe (0) to the next (1)."""


def curve(times: np.ndarray, keys: Sequence[tuple[float, float, str]]) -> np.ndarray:
    """(N,) values at these seconds of a curve through keyframes (seconds, value, easing towards it), in order.

    Before the first keyframe and after the last their values are held.
    """
    at = np.array([key[0] for key in keys], np.float64)
    values = np.array([key[1] for key in keys], np.float64)
    after = np.searchsorted(at, times, side="right")
    out = values[np.clip(after, 1, len(keys)) - 1]
    for place in range(1, len(keys)):
        inside = after == place
        share = (times[inside] - at[place - 1]) / (at[place] - at[place - 1])
        out[inside] += EASINGS[keys[place][2]](share) * (values[place] - values[place - 1])
    return out


def within(times: np.ndarray, after_s: float | None, before_s: float | None, fade_s: float) -> np.ndarray:
    """(N,) in [0, 1]: 1 inside a span of time, 0 outside, smooth over `fade_s` inside its ends; an open end has none."""
    start, end = -np.inf if after_s is None else after_s, np.inf if before_s is None else before_s
    inside = np.minimum(times - start, end - times)
    soft = EASINGS["smooth"](np.clip(inside / fade_s, 0, 1)) if fade_s > 0 else np.ones(len(times))
    return np.where((times >= start) & (times < end), soft, 0.0)


def moved(model: Morphable, motion: MotionTrack, wanted: Mapping[str | int, np.ndarray], region: Region) -> MotionTrack:
    """The motion with what is wanted added to it, row by row.

    Args:
        wanted: (T,) each, by name: pitch, yaw, roll in degrees; zoom as a logarithm; shift_x, shift_y in head sizes; the axes of
            AXES; coefficients of the expression by their index. What is not named stays as it is.
        region: what may move.
    """
    still = np.zeros(len(motion.coeffs))
    coeffs = motion.coeffs.astype(np.float64)
    if region in ("all", "pose"):
        coeffs[:, ANGLES] += np.radians(np.stack([times * wanted.get(name, still) for name, times in POSE.items()], axis=-1))
        shift = np.stack([wanted.get(name, still) for name in ("shift_x", "shift_y")], axis=-1)
        coeffs[:, 67:69] += shift * coeffs[:, 69:70]
        coeffs[:, 69] *= np.exp(wanted.get("zoom", still))
        coeffs[:, EXPRESSION] += _unbent(model, motion.angles, coeffs[:, ANGLES])
    if region != "pose":
        coeffs[:, EXPRESSION] += _only(model, _expression(model, motion, wanted), region)
    return motion.with_(coeffs=coeffs.astype(np.float32))


def _unbent(model: Morphable, before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """(T, 64) what keeps lids and lips as far apart as they were before a turn, angles (T, 3): detected landmarks bend with the
    pose, and the model with them, so that lips would part as a face looks up."""
    bent = (pose_terms(after) - pose_terms(before)) @ openings(model.posed)  # [T 3]
    return -bent @ directions(model)[[NAMES.index(name) for name in ("left_eye", "right_eye", "lips_apart")]]


def _expression(model: Morphable, motion: MotionTrack, wanted: Mapping[str | int, np.ndarray]) -> np.ndarray:
    """(T, 64) what single coefficients and named axes add; the axes start from where the coefficients led."""
    added = np.zeros(motion.expression.shape)
    for index in range(added.shape[1]):
        added[:, index] = wanted.get(index, 0)
    calm = openings(model.mean) if motion.calm is None else motion.calm.astype(np.float64)
    axes = {name: wanted[name] for name in AXES if name in wanted}
    return added + change(model, axes, motion.expression + added, calm)


def _only(model: Morphable, added: np.ndarray, region: Region) -> np.ndarray:
    """(T, 64) what is left of a change in one region of the face."""
    return added @ region_projections(model)[region].T if region in ("lips", "eyes") else added
