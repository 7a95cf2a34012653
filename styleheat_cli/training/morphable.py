"""How the landmark morphable model is made: from landmarks of many people's clips and portraits.

1. Align all landmark sets rigidly, find which points are rigid, make the mean symmetric: that is the head's own frame.
2. A person's neutral is the median of the frames with closed lips and open eyes, or a portrait with both.
3. Expression = what a frame adds to its person's neutral; what follows the pose alone is told apart by regression.
4. Identity = principal components of the neutrals, expression = 64 principal components of what is added.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from ..face.morphable import Morphable, angles_of, canonical, pose_terms, rigid, rotation
from ..face.regions import INNER_LIP_GAP, LEFT_EYE_GAP, MIRROR_PAIRS, RIGHT_EYE_GAP, surface_triangles
from ..shot import POINTS

EXPRESSIONS = 64


@dataclass(frozen=True)
class Settings:
    """identities: size of the identity basis; share: most frames of one person that count; ridge: of the pose fit."""

    identities: int = 50
    frames_per_person: int = 240
    ridge: float = 1e-3
    rounds: int = 6


def train(people: Mapping[str, list[np.ndarray]], settings: Settings) -> tuple[Morphable, dict[str, float]]:
    """The model from landmark sets by person: each a list of (T, 478, 3) arrays in pixels, one array a clip or photo.

    Returns the model and what it measured of itself: shares of variance, noise in head sizes, counts.
    """
    sets = {name: _thinned(np.concatenate(clips), settings.frames_per_person) for name, clips in people.items()}
    owner = np.repeat(np.arange(len(sets)), [len(s) for s in sets.values()])
    points = np.concatenate(list(sets.values())).astype(np.float64)
    mean, rigidity, mirror = _mean_shape(points, settings.rounds)
    points, owner = _with_mirrored(points, owner, mirror)
    scale, turn, shift = rigid(points, mean, rigidity)
    angles, shapes = angles_of(turn), canonical(points, scale, turn, shift)
    calm = _calm(shapes)
    posed = _posed(shapes, angles, owner, settings.ridge)
    shapes = shapes - np.tensordot(pose_terms(angles), posed, axes=1)
    neutrals, has = _neutrals(shapes, owner, calm)
    mean = neutrals[has].mean(0)
    identity, identity_share = _components(neutrals[has] - mean, settings.identities)
    added, weight = _added(shapes, owner, neutrals, has)
    expression, expression_share = _components(added, EXPRESSIONS, weight)
    rest = added.reshape(len(added), -1)
    noise = _unexplained(rest, expression)
    model = Morphable(
        mean=mean, identity=identity, expression=expression, posed=posed, rigidity=rigidity,
        noise=np.float64(noise), mirror=mirror, triangles=surface_triangles(),
    )
    facts = {
        "people": len(sets), "neutrals": int(has.sum()) // 2, "frames": len(points) // 2,
        "identity_variance": identity_share, "expression_variance": expression_share, "noise": noise,
    }
    return model, facts


def _thinned(points: np.ndarray, most: int) -> np.ndarray:
    keep = np.isfinite(points).all((1, 2))
    points = points[keep]
    return points[np.linspace(0, len(points) - 1, min(most, len(points))).round().astype(int)]


def _mean_shape(points: np.ndarray, rounds: int):
    """The symmetric mean (478, 3) of rigidly aligned sets, the rigidity of each point, the mirror pairs."""
    mean = _normal(points[0] - points[0].mean(0), np.ones(POINTS))
    weights, mirror = np.ones(POINTS), np.arange(POINTS)
    for turn_number in range(rounds):
        shapes = canonical(points, *rigid(points, mean, weights))
        mean = np.median(shapes, axis=0)
        weights = 1 / (shapes.var(0).sum(-1) + 1e-4)
        if turn_number == 1:
            mean, mirror = _upright(mean)
        weights = (weights + weights[mirror]) / 2
        mean = _normal((mean + _mirrored(mean, mirror)) / 2, weights)
    return _facing(mean, points, weights), weights, mirror


def _normal(shape: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Centred at the weighted mean, root mean square radius 1."""
    w = (weights / weights.sum())[:, None]
    shape = shape - (shape * w).sum(0)
    return shape / np.sqrt((shape * shape * w).sum())


def _mirrored(shape: np.ndarray, mirror: np.ndarray) -> np.ndarray:
    return shape[..., mirror, :] * np.array([-1.0, 1.0, 1.0])


def _upright(mean: np.ndarray):
    """Turns a mean until its plane of symmetry is x = 0, and pairs each point with its mirror image.

    The plane comes from a few pairs that are known by name, the other pairs from nearness across it.
    """
    known = np.array(MIRROR_PAIRS)
    left, right = np.concatenate([known, known[:, ::-1]]).T
    shape = mean
    for _ in range(8):
        weights = np.ones(len(left))
        turn = rigid(shape[None, left], shape[right] * [-1, 1, 1], weights)[1]
        half = rotation(angles_of(turn)[0] / 2)
        shape = (shape - shape[left].mean(0)) @ half
    mirror = linear_sum_assignment(np.linalg.norm(shape[:, None] - (shape * [-1, 1, 1])[None], axis=-1))[1]
    if (mirror[mirror] != np.arange(POINTS)).any():
        raise ValueError("landmarks did not pair into mirror images")
    return shape, mirror


def _facing(mean: np.ndarray, points: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Pitch zero is the median pitch of all: people mostly look at the camera."""
    pitch = np.median(angles_of(rigid(points, mean, weights)[1])[:, 0])
    return mean @ rotation(np.array([pitch, 0.0, 0.0])).T


def _with_mirrored(points: np.ndarray, owner: np.ndarray, mirror: np.ndarray):
    return np.concatenate([points, _mirrored(points, mirror)]), np.concatenate([owner, owner + owner.max() + 1])


def _calm(shapes: np.ndarray) -> np.ndarray:
    """(T,) whether lips are closed and eyes open, by gaps in head sizes."""
    lips = _gap(shapes, INNER_LIP_GAP)
    eyes = np.minimum(_gap(shapes, LEFT_EYE_GAP), _gap(shapes, RIGHT_EYE_GAP))
    return (lips < 0.03) & (eyes > 0.6 * np.median(eyes))


def _gap(shapes: np.ndarray, pair: tuple[int, int]) -> np.ndarray:
    return np.linalg.norm(shapes[:, pair[0]] - shapes[:, pair[1]], axis=-1)


def _posed(shapes, angles, owner, ridge):
    """(5, 478, 3): regression of what a person's shapes do with the pose, people pooled."""
    terms = pose_terms(angles)
    sums = [_by_owner(a.reshape(len(a), -1), owner) for a in (terms, shapes)]
    x, y = (a.reshape(len(a), -1) - s[owner] for a, s in zip((terms, shapes), sums, strict=True))
    solved = np.linalg.solve(x.T @ x + ridge * len(x) * np.eye(x.shape[1]), x.T @ y)
    return solved.reshape(-1, POINTS, 3)


def _by_owner(values: np.ndarray, owner: np.ndarray, weight: np.ndarray | None = None) -> np.ndarray:
    """(people, n) weighted means by person; people without weight give zeros."""
    weight = np.ones(len(values)) if weight is None else weight.astype(float)
    total = np.zeros((owner.max() + 1, values.shape[1]))
    np.add.at(total, owner, values * weight[:, None])
    count = np.bincount(owner, weight, minlength=len(total))
    return total / np.maximum(count, 1e-9)[:, None]


def _neutrals(shapes, owner, calm):
    """(people, 478, 3) mean calm shape of each person and (people,) whether there is one."""
    has = np.bincount(owner, calm, minlength=owner.max() + 1) > 0
    return _by_owner(shapes.reshape(len(shapes), -1), owner, calm).reshape(-1, POINTS, 3), has


def _added(shapes, owner, neutrals, has):
    """What frames add to their person's neutral, where a person has one and moves; and each frame's weight."""
    moves = np.bincount(owner, minlength=len(has)) > 10
    keep = (has & moves)[owner]
    count = np.bincount(owner[keep], minlength=len(has))
    return shapes[keep] - neutrals[owner[keep]], 1 / np.sqrt(count[owner[keep]])


def _components(offsets: np.ndarray, count: int, weight: np.ndarray | None = None):
    """(count, 478, 3) principal directions times their standard deviation, and the share of variance they hold."""
    weight = np.ones(len(offsets)) if weight is None else weight
    flat = offsets.reshape(len(offsets), -1) * np.sqrt(weight / weight.sum())[:, None]
    sizes, directions = np.linalg.eigh(flat.T @ flat)
    sizes, directions = sizes[::-1], directions.T[::-1]
    basis = directions[:count] * np.sqrt(np.maximum(sizes[:count], 0))[:, None]
    return basis.reshape(count, POINTS, 3), float(sizes[:count].sum() / sizes.sum())


def _unexplained(offsets: np.ndarray, expression: np.ndarray) -> float:
    """Root mean square of what the expression basis leaves of a coordinate."""
    flat = expression.reshape(len(expression), -1)
    unit = flat / np.linalg.norm(flat, axis=1, keepdims=True)
    return float(np.sqrt(np.mean((offsets - (offsets @ unit.T) @ unit) ** 2)))
