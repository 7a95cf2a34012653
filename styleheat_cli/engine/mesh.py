"""The embedded family's motion generator: the morphable mesh moved from source to target, drawn as a backward flow.

The face's 478 points are continued by rings over hair, ears and neck, which follow the head less the farther out they lie,
and below the chin the shoulders more and more; at a border of the crop beyond which the frame goes on all rests. Triangles are drawn far to near, so that what a turn hides
is hidden; each pixel then knows by its triangle where in the source it came from.
Source: the role of StyleHEAT's motion generator (Yin et al. 2022, section 3.2); the mesh in its place is our own.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import cache

import cv2
import numpy as np

from ..face.morphable import Fit, Morphable, canonical, rotation
from ..face.regions import INNER_LIPS, LEFT_EYE, LIP_POINTS, OVAL, RIGHT_EYE
from ..shot import POINTS

GRID = 256  # side of the raster on which the flow is drawn
HOLES = sum(len(ring) - 2 for ring in (LEFT_EYE, RIGHT_EYE, INNER_LIPS))  # triangles that close them
FIRM = np.array([*LIP_POINTS, *LEFT_EYE, *RIGHT_EYE])
SLIVER = 0.12  # share of its area to which a triangle of skin may shrink
EDGE_ON = 12.0  # area of a triangle in the source, against the target's, from which it is seen edge-on and not drawn
BORDER = 0.10  # share of the crop's side over which motion comes to rest at a border beyond which the frame goes on
ALL_ROUND = (True, True, True, True)

Borders = tuple[bool, bool, bool, bool]  # top, bottom, left, right
Way = Callable[[np.ndarray], np.ndarray]

RING_REACH = np.array([1.22, 1.5, 1.85, 2.4, 4.0])  # radius, in radii of the face's oval
RING_DEPTH = np.array([0.16, 0.26, 0.26, 0.26, 0.26])  # how far behind the oval, in head sizes
FOLLOW_UP = np.array([1.0, 1.0, 0.85, 0.0, 0.0])  # share of the head's motion that a ring follows: sides and top
FOLLOW_DOWN = np.array([0.85, 0.5, 0.15, 0.0, 0.0])  # ... and below the chin; the rest of its way is that of the shoulders
FOLLOW_SKIN = np.array([0.45, 0.12, 0.0, 0.0, 0.0])  # share of the expression at the oval (a dropping jaw) that a ring follows


def triangles(model: Morphable) -> np.ndarray:
    """(M, 3) int: eyes and mouth closed by strips (the first HOLES of them), skin, and the rings round the oval."""
    holes = [_strip(ring) for ring in (LEFT_EYE, RIGHT_EYE, INNER_LIPS)]
    return np.concatenate([*holes, model.triangles, _ring_triangles()])


def _strip(ring: tuple[int, ...]) -> np.ndarray:
    """Triangles over a closed ring whose first point and whose middle point are its corners."""
    half = len(ring) // 2
    low = ring[: half + 1]
    high = (ring[0], *reversed(ring[half + 1 :]), ring[half])
    pairs = [(low[i], low[i + 1], high[i + 1]) for i in range(half)]
    pairs += [(low[i], high[i + 1], high[i]) for i in range(1, half)]
    return np.array([t for t in pairs if len(set(t)) == 3], dtype=np.int64)


def _ring_triangles() -> np.ndarray:
    count = len(OVAL)
    rows = [np.array(OVAL)] + [POINTS + k * count + np.arange(count) for k in range(len(RING_REACH))]
    out = []
    for inner, outer in itertools.pairwise(rows):
        for i in range(count):
            j = (i + 1) % count
            out += [(inner[i], inner[j], outer[i]), (inner[j], outer[j], outer[i])]
    return np.array(out, dtype=np.int64)


def unfolded(shape: np.ndarray, still: np.ndarray, skin: np.ndarray, rounds: int = 16) -> np.ndarray:
    """(478, 3): a canonical shape without folds that the still one has not: where triangles turn over or shrink to
    slivers, the movement of the skin there is evened out with that of its neighbours. Lips and lids keep theirs.

    shape, still (478, 3): after and before the movement; skin (M, 3) int.
    """
    move, before, mean = shape - still, _areas(still, skin), _neighbours(skin.tobytes())
    for _ in range(rounds):
        folded = _areas(still + move, skin) / np.where(before == 0, 1e-9, before) < SLIVER
        if not folded.any():
            break
        points = np.unique(skin[folded])
        around = np.setdiff1d(np.flatnonzero(mean[points].any(0)), FIRM)
        move[around] = (move[around] + mean[around] @ move) / 2
    return still + move


def _areas(shape: np.ndarray, skin: np.ndarray) -> np.ndarray:
    """(M,) twice the signed area of triangles as seen from the front."""
    a, b, c = (shape[skin[:, i], :2] for i in range(3))
    return (b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]


@cache
def _neighbours(skin: bytes) -> np.ndarray:
    """(478, 478): averages over the neighbours of each point."""
    joined = np.zeros((POINTS, POINTS))
    for a, b, c in np.frombuffer(skin, np.int64).reshape(-1, 3):
        for i, j in ((a, b), (b, c), (c, a)):
            joined[i, j] = joined[j, i] = 1
    return joined / np.maximum(joined.sum(1, keepdims=True), 1)


def source_mesh(model: Morphable, landmarks: np.ndarray, fit: Fit, frame: int = 0) -> np.ndarray:
    """(658, 3) vertices in crop pixels: the landmarks as measured, and rings round them where the fit puts them."""
    turn = rotation(fit.angles[frame])
    own = canonical(landmarks[None], fit.scale[frame : frame + 1], turn[None], fit.shift[frame : frame + 1])[0]
    rings = rings_round(own)
    placed = fit.scale[frame] * rings @ turn.T + fit.shift[frame]
    return np.concatenate([landmarks, placed])


def rings_round(points: np.ndarray) -> np.ndarray:
    """(180, 3) canonical ring points round the oval of canonical face points (478, 3)."""
    oval = points[list(OVAL)]
    centre = oval.mean(0) * [1, 1, 0]
    rings = []
    for reach, depth in zip(RING_REACH, RING_DEPTH, strict=True):
        ring = centre + (oval * [1, 1, 0] - centre) * reach
        ring[:, 2] = oval[:, 2] + depth
        rings.append(ring)
    return np.concatenate(rings)


def ring_follow(points: np.ndarray) -> np.ndarray:
    """(180,) share of the head's motion that each ring point follows, for face points (478, 3) upright in the crop."""
    down = _downness(points)
    return np.concatenate([(1 - down) * up + down * low for up, low in zip(FOLLOW_UP, FOLLOW_DOWN, strict=True)])


def _downness(points: np.ndarray) -> np.ndarray:
    """(36,) in [0, 1] for the points of the oval: 0 beside and above the face, 1 below it."""
    oval = points[list(OVAL), :2]
    out = oval - oval.mean(0)
    return _smooth_step(out[:, 1] / np.linalg.norm(out, axis=1), 0.0, 0.8)


def _smooth_step(x: np.ndarray, low: float, high: float) -> np.ndarray:
    t = np.clip((x - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def target_mesh(
    source: np.ndarray, landmarks: np.ndarray, before: tuple, after: tuple, shoulders: Way | None = None
) -> np.ndarray:
    """(658, 3) vertices of the target: its landmarks, and rings that follow.

    source (658, 3) vertices, landmarks (478, 3) of the target, before and after: (scale, R, shift) of the head in source
    and target, shoulders: where these carry points (N, 2), all in crop pixels.
    """
    still = canonical(source[None], np.array([before[0]]), before[1][None], before[2][None])[0]
    moved = after[0] * still @ after[1].T + after[2]
    rigid_move = moved[POINTS:] - source[POINTS:]
    stretch = (landmarks - moved[:POINTS])[list(OVAL)]
    follow = ring_follow(source[:POINTS])[:, None]
    skin = np.concatenate([share * stretch for share in FOLLOW_SKIN])
    rings = source[POINTS:] + follow * rigid_move + skin
    if shoulders is not None:
        below = np.tile(_downness(source[:POINTS]), len(RING_REACH))[:, None]
        rings[:, :2] += (1 - follow) * below * (shoulders(source[POINTS:, :2]) - source[POINTS:, :2])
    rings[:, 2] = moved[POINTS:, 2]
    return np.concatenate([landmarks, rings])


def backward_map(
    source: np.ndarray, target: np.ndarray, faces: np.ndarray, side: float, grid: int = GRID, resting: Borders = ALL_ROUND
) -> tuple[np.ndarray, np.ndarray]:
    """Where each cell of the target crop comes from in the source crop.

    source, target (N, 3) vertices in crop pixels, faces (M, 3) int, side of the crop in pixels, resting: the borders at which
    nothing moves.
    Returns (grid, grid, 2) float32 source x, y in units of crop pixels at cell centres, and (grid, grid) int32: the
    triangle of each cell (of those that are drawn), -1 where the mesh does not reach (there the map is the identity).
    """
    corners, affine = _surface(source, target, faces)
    drawn = rasterised(corners * (grid / side), grid)
    centres = ((np.arange(grid) + 0.5) * (side / grid)).astype(np.float32)
    x, y = np.broadcast_to(centres, (grid, grid)), np.broadcast_to(centres[:, None], (grid, grid))
    mapped = np.clip(_mapped(np.take(affine, drawn.ravel(), axis=0).reshape(grid, grid, 6), x, y), 0, side)
    still = np.stack([x, y], -1)
    mapped[drawn < 0] = still[drawn < 0]
    return still + (mapped - still) * _rest(grid, resting), drawn


def exact_map(
    source: np.ndarray, target: np.ndarray, faces: np.ndarray, side: int, pixels: np.ndarray, resting: Borders = ALL_ROUND
) -> tuple[np.ndarray, np.ndarray]:
    """Where single pixels (2, K: rows, columns) of the target crop come from, each by the triangle that is drawn over it.

    Returns (K, 2) float32 source x, y, and (K,) bool: whether there is a triangle.
    """
    corners, affine = _surface(source, target, faces)
    drawn = rasterised(corners, side)[pixels[0], pixels[1]]
    y, x = pixels + np.float32(0.5)
    at = _mapped(affine[drawn], x, y)
    still, moves = np.stack([x, y], -1), _rest(GRID, resting)[pixels[0] * GRID // side, pixels[1] * GRID // side]
    return (still + (np.clip(at, 0, side) - still) * moves).astype(np.float32), drawn >= 0


def _mapped(a: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """(..., 2): places (...) under affine maps a (..., 6)."""
    return np.stack([a[..., 0] * x + a[..., 1] * y + a[..., 2], a[..., 3] * x + a[..., 4] * y + a[..., 5]], -1)


def _surface(source: np.ndarray, target: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The triangles that are drawn, far to near: (M, 3, 2) corners in the target, (M, 6) affine maps into the source."""
    depth = target[faces, 2].mean(1)
    depth[:HOLES] = np.inf  # what closes eyes and mouth lies behind everything
    faces = faces[np.argsort(-depth, kind="stable")]
    affine, ok = affine_maps(target[faces, :2], source[faces, :2])
    ok &= np.abs(affine[:, 0] * affine[:, 4] - affine[:, 1] * affine[:, 3]) < EDGE_ON
    return target[faces[ok], :2], affine[ok]


@cache
def _rest(grid: int, resting: Borders) -> np.ndarray:
    """(grid, grid, 1) float32: 1 inside the crop, falling smoothly to 0 at the borders that rest."""
    ramp = _smooth_step(np.arange(grid) / grid, 0.0, BORDER).astype(np.float32)
    top, bottom, left, right = (way if rests else np.ones_like(ramp) for way, rests in zip((ramp, ramp[::-1]) * 2, resting, strict=True))
    return np.minimum(np.minimum(left, right), np.minimum(top, bottom)[:, None])[..., None]


def rasterised(corners: np.ndarray, grid: int) -> np.ndarray:
    """(grid, grid) int32: the last triangle drawn over each cell centre."""
    bits = 8
    canvas = np.full((grid, grid), -1, np.int32)
    fixed = np.round((corners - 0.5) * (1 << bits)).astype(np.int32)
    for index, corner in enumerate(fixed):
        cv2.fillConvexPoly(canvas, corner, index, cv2.LINE_8, bits)
    return canvas


def affine_maps(at: np.ndarray, to: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(M, 6) affine maps that carry triangles `at` (M, 3, 2) to `to`; (M,) whether the triangle has an area."""
    u, v = at[:, 1] - at[:, 0], at[:, 2] - at[:, 0]
    area = u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0]
    ok = np.abs(area) > 1e-4
    area = np.where(ok, area, 1.0)[:, None]
    du, dv = to[:, 1] - to[:, 0], to[:, 2] - to[:, 0]
    along_x = (du * v[:, 1:2] - dv * u[:, 1:2]) / area
    along_y = (dv * u[:, 0:1] - du * v[:, 0:1]) / area
    start = to[:, 0] - along_x * at[:, :1, 0] - along_y * at[:, :1, 1]
    rows = np.stack([along_x[:, 0], along_y[:, 0], start[:, 0], along_x[:, 1], along_y[:, 1], start[:, 1]], -1)
    return rows.astype(np.float32), ok
