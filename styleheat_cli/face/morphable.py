"""The landmark morphable model: a face as mean + identity + expression at 478 points, and its fit to landmarks.

Convention: canonical space has x to the picture's right, y down, z away from the camera, origin at the head's
centre, and the root mean square distance of its rigid points from the origin is 1 ("head size"). A landmark set is
`scale * R (mean + identity + expression + posed) + shift` in pixels: a weak-perspective camera.
Angles are (pitch, yaw, roll) in radians, R = Rz(roll) Ry(yaw) Rx(pitch); positive pitch looks up, positive
yaw turns to the picture's right, positive roll tilts clockwise as seen.
Source: linear shape models as in Blanz & Vetter 1999, made for the MediaPipe points by `styleheat train morphable`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..shot import POINTS
from .regions import LEFT_LIDS, LIPS, RIGHT_LIDS


@dataclass(frozen=True)
class Morphable:
    """The model's arrays, as its file holds them (float32 unless told).

    mean (478, 3); identity (K, 478, 3) and expression (64, 478, 3): one standard deviation of each component, so
    that coefficients have unit variance; posed (5, 478, 3): what the landmark detector adds with the pose;
    rigidity (478,): weights of the rigid fit; noise: standard deviation of a landmark coordinate that nothing explains;
    mirror (478,) int: each point's partner on the other side; triangles (M, 3) int: the surface.
    """

    mean: np.ndarray
    identity: np.ndarray
    expression: np.ndarray
    posed: np.ndarray
    rigidity: np.ndarray
    noise: np.ndarray
    mirror: np.ndarray
    triangles: np.ndarray
    deep3d: np.ndarray | None = None  # [68 67]: (expression, angles, 1) times this = Deep3D's expression and angles

    @cached_property
    def expression_solver(self) -> np.ndarray:
        """(1434, 64): from offsets of the points to the expression that explains them, with the model's prior."""
        return _posterior(self.expression.reshape(len(self.expression), -1), self.noise)

    @cached_property
    def shared_solver(self) -> np.ndarray:
        """(1434, K + 64): the same for identity and expression together."""
        basis = np.concatenate([self.identity, self.expression])
        return _posterior(basis.reshape(len(basis), -1), self.noise)

    def shape(self, identity: np.ndarray, expression: np.ndarray, angles: np.ndarray) -> np.ndarray:
        """(T, 478, 3) canonical shapes of (K,) or (T, K) identity, (T, 64) expression, (T, 3) angles."""
        return (
            self.mean
            + np.tensordot(identity, self.identity, axes=1)
            + np.tensordot(expression, self.expression, axes=1)
            + np.tensordot(pose_terms(angles), self.posed, axes=1)
        )


@dataclass(frozen=True)
class Fit:
    """What explains T landmark sets: one identity, and per frame expression, pose and place.

    identity (K,), expression (T, 64), angles (T, 3) rad, scale (T,) px per head size, shift (T, 3) px,
    own (478, 3): what is left of this person that the identity basis cannot say (canonical, mean over the frames).
    """

    identity: np.ndarray
    expression: np.ndarray
    angles: np.ndarray
    scale: np.ndarray
    shift: np.ndarray
    own: np.ndarray


def pose_terms(angles: np.ndarray) -> np.ndarray:
    """(..., 3) radians -> (..., 5): the polynomial in the pose by which detected landmarks bend."""
    pitch, yaw, _roll = np.moveaxis(np.asarray(angles), -1, 0)
    return np.stack([pitch, yaw, pitch * pitch, yaw * yaw, pitch * yaw], axis=-1)


def rotation(angles: np.ndarray) -> np.ndarray:
    """(..., 3) pitch, yaw, roll in radians -> (..., 3, 3) = Rz Ry Rx of the convention above."""
    angles = np.asarray(angles, np.float64)
    (cx, cy, cz), (sx, sy, sz) = np.moveaxis(np.cos(angles), -1, 0), np.moveaxis(np.sin(angles), -1, 0)
    sx, sy = -sx, -sy  # the nose is at z < 0: positive pitch moves it up, positive yaw to the right
    rows = [
        [cz * cy, cz * sy * sx - sz * cx, cz * sy * cx + sz * sx],
        [sz * cy, sz * sy * sx + cz * cx, sz * sy * cx - cz * sx],
        [-sy, cy * sx, cy * cx],
    ]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def angles_of(matrix: np.ndarray) -> np.ndarray:
    """(..., 3, 3) rotation -> (..., 3) pitch, yaw, roll in radians: the inverse of `rotation`."""
    pitch = np.arctan2(-matrix[..., 2, 1], matrix[..., 2, 2])
    yaw = np.arcsin(np.clip(matrix[..., 2, 0], -1, 1))
    roll = np.arctan2(matrix[..., 1, 0], matrix[..., 0, 0])
    return np.stack([pitch, yaw, roll], axis=-1)


def rigid(points: np.ndarray, shape: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The similarity that carries shapes to points, weighted least squares (Umeyama 1991).

    points (T, P, 3), shape (P, 3) or (T, P, 3), weights (P,) -> scale (T,), R (T, 3, 3), shift (T, 3).
    """
    shape = np.broadcast_to(shape, points.shape)
    w = (weights / weights.sum())[:, None]
    centre, origin = (points * w).sum(1), (shape * w).sum(1)
    to, of = points - centre[:, None], shape - origin[:, None]
    covariance = np.einsum("tpi,tpj->tij", to * w, of)
    u, sizes, vt = np.linalg.svd(covariance)
    sign = np.ones_like(sizes)
    sign[:, 2] = np.sign(np.linalg.det(u @ vt))
    turn = (u * sign[:, None]) @ vt
    scale = (sizes * sign).sum(1) / (of * of * w).sum((1, 2))
    return scale, turn, centre - scale[:, None] * np.einsum("tij,tj->ti", turn, origin)


def canonical(points: np.ndarray, scale: np.ndarray, turn: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """(T, P, 3) pixels -> canonical space: undoes scale, rotation and shift."""
    return np.einsum("tpi,tij->tpj", points - shift[:, None], turn) / scale[:, None, None]


def placed(shape: np.ndarray, scale: np.ndarray, turn: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """(T, P, 3) canonical -> pixels: the inverse of `canonical`."""
    return scale[:, None, None] * np.einsum("tij,tpj->tpi", turn, shape) + shift[:, None]


def fit_identity(model: Morphable, landmarks: np.ndarray, rounds: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """One person's identity (K,) and leftover (478, 3) from (T, 478, 3) landmark sets of that person.

    The mean of what is seen is shared between identity and a constant expression by their priors (both unit normal),
    so a photo that smiles is a smile more than a wide mouth; with more frames the expression averages out.
    """
    known = len(model.identity)
    identity, own = np.zeros(known), np.zeros((POINTS, 3))
    expression = np.zeros((len(landmarks), len(model.expression)))
    for _ in range(rounds):
        _angles, seen = _unposed(model, landmarks, identity, expression, own)
        offset = (seen - model.mean).reshape(len(seen), -1)
        both = offset.mean(0) @ model.shared_solver
        identity = both[:known]
        expression = _expression(model, seen, identity, np.zeros_like(own))
    rest = seen - model.mean - np.tensordot(identity, model.identity, axes=1)
    own = (rest - np.tensordot(expression, model.expression, axes=1)).mean(0)
    return identity, own


def fit_frames(model: Morphable, landmarks: np.ndarray, identity: np.ndarray, own: np.ndarray, rounds: int = 3) -> Fit:
    """Expression, pose and place of (T, 478, 3) landmark sets of a person whose identity is known."""
    expression = np.zeros((len(landmarks), len(model.expression)))
    for _ in range(rounds):
        angles, seen = _unposed(model, landmarks, identity, expression, own)
        expression = _expression(model, seen, identity, own)
    shape = model.shape(identity, expression, angles) + own
    scale, turn, shift = rigid(landmarks, shape, model.rigidity)
    return Fit(identity, expression, angles_of(turn), scale, shift, own)


def fit(model: Morphable, landmarks: np.ndarray) -> Fit:
    """Identity, expression and pose of one person's (T, 478, 3) landmark sets."""
    identity, own = fit_identity(model, landmarks)
    return fit_frames(model, landmarks, identity, own)


def expression_on(model: Morphable, shape: np.ndarray, ease: np.ndarray) -> np.ndarray:
    """(64,) expression that turns a face at ease (478, 3) into a canonical shape (478, 3)."""
    return (shape - ease).reshape(-1) @ model.expression_solver


def openings(shape: np.ndarray) -> np.ndarray:
    """(..., 3): how far left eye, right eye and lips are open in canonical shapes (..., 478, 3), in head sizes."""
    return np.stack([gaps(shape, pairs).mean(-1) for pairs in (LEFT_LIDS, RIGHT_LIDS, LIPS)], axis=-1)


def gaps(shape: np.ndarray, pairs: tuple[tuple[int, int], ...]) -> np.ndarray:
    """(..., n): downward distance from the upper to the lower point of each pair; negative where they cross."""
    upper, lower = np.array(pairs).T
    return shape[..., lower, 1] - shape[..., upper, 1]


def _unposed(model, landmarks, identity, expression, own):
    """Angles (T, 3) under the present estimate, and the canonical shapes (T, 478, 3) without the pose's bend."""
    shape = model.mean + own + np.tensordot(identity, model.identity, axes=1)
    shape = shape + np.tensordot(expression, model.expression, axes=1)
    angles = angles_of(rigid(landmarks, shape, model.rigidity)[1])
    bend = np.tensordot(pose_terms(angles), model.posed, axes=1)
    scale, turn, shift = rigid(landmarks, shape + bend, model.rigidity)
    return angles_of(turn), canonical(landmarks, scale, turn, shift) - bend


def _expression(model, seen, identity, own):
    """(T, 64) expression of canonical shapes of a known person, with the model's prior."""
    rest = seen - model.mean - own - np.tensordot(identity, model.identity, axes=1)
    return rest.reshape(len(rest), -1) @ model.expression_solver


def _posterior(basis: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """(P, K) matrix from offsets to unit-normal coefficients under white noise of this standard deviation."""
    gram = basis @ basis.T / noise**2
    return np.linalg.solve(gram + np.eye(len(basis)), basis / noise**2).T
