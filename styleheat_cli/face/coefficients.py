"""From a tracked face to its motion: identity once a clip, then expression, pose and place frame by frame."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..shot import COEFFICIENTS, Clip, FaceTrack, MotionTrack, Person
from .morphable import Fit, Morphable, fit_frames, fit_identity, openings

IDENTITY_FRAMES = 200  # frames of a clip from which its identity is read
CHUNK = 256  # frames fitted at a time: memory stays flat in the clip's length


def person_of(model: Morphable, face: FaceTrack) -> Person:
    """Whose face a track shows, from frames spread over those in which it is seen."""
    seen = np.flatnonzero(face.seen)
    chosen = seen[np.linspace(0, len(seen) - 1, min(IDENTITY_FRAMES, len(seen))).round().astype(int)]
    landmarks = np.stack([face.landmarks[int(i)] for i in chosen]).astype(np.float64)
    return Person(*fit_identity(model, landmarks))


def motion_of(model: Morphable, face: FaceTrack, clip: Clip | None = None, person: Person | None = None) -> MotionTrack:
    """The motion of a tracked face in the model's space, one row a frame, not smoothed."""
    person = person or person_of(model, face)
    coeffs = np.empty((len(face.times), COEFFICIENTS), np.float32)
    for start, landmarks in _chunks(face):
        fitted = fit_frames(model, landmarks, person.identity, person.own)
        rows = slice(start, start + len(landmarks))
        coeffs[rows] = _rows(fitted, squares(face.crop[rows]))
    ease = at_ease(model, person).astype(np.float32)
    return MotionTrack(
        coeffs, np.asarray(face.times, np.float64), seen=face.seen, identity=person.identity.astype(np.float32),
        ease=ease, calm=openings(ease), shoulders=face.shoulders, clip=clip, gaps=face.gaps, cuts=face.cuts,
    )  # fmt: skip


def at_ease(model: Morphable, person: Person) -> np.ndarray:
    """(478, 3) canonical: a person's face without expression."""
    return model.mean + np.tensordot(person.identity, model.identity, axes=1) + person.own


def squares(crop: np.ndarray) -> np.ndarray:
    """(T, 2, 3) frame -> unit square transforms as (T, 3) side, centre x, centre y in pixels of the frame."""
    linear = np.linalg.inv(crop[:, :, :2].astype(np.float64))
    centre = np.einsum("tij,tj->ti", linear, 0.5 - crop[:, :, 2])
    return np.concatenate([np.linalg.norm(linear[:, :, 0], axis=1, keepdims=True), centre], axis=1)


def _chunks(face: FaceTrack) -> Iterator[tuple[int, np.ndarray]]:
    for start in range(0, len(face.times), CHUNK):
        yield start, np.asarray(face.landmarks[start : start + CHUNK], np.float64)


def _rows(fitted: Fit, square: np.ndarray) -> np.ndarray:
    """(T, 73) of a fit in frame pixels and the crop squares (T, 3) round it."""
    side = square[:, :1]
    place = np.concatenate([(fitted.shift[:, :2] - square[:, 1:]) / side, fitted.scale[:, None] / side], axis=1)
    return np.concatenate([fitted.expression, fitted.angles, place, square], axis=1)
