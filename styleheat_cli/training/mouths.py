"""Pairs of mouths for the calibration: two frames of one clip, the flow between them, what it uncovers.

Everything is cut to the window that the engine heals (engine/heal.py), in the crop that the engine uses, so that training
sees what rendering sees. Targets lean to open mouths and sources to closed ones: that is what has to be learned.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..engine.fill import drawn
from ..engine.heal import SIDE, WINDOW, window_corner
from ..engine.mesh import GRID, backward_map, source_mesh, target_mesh, triangles
from ..engine.performance import into_crop
from ..face.morphable import Fit, Morphable, fit, rotation
from ..face.regions import INNER_LIP_GAP, INNER_LIPS
from .material import Tracked

FLOW = WINDOW * GRID // SIDE  # side of the window in cells of the flow's raster
FIELDS = ("source", "target", "flow", "source_lips", "target_lips", "motion")


@dataclass(frozen=True)
class Mouths:
    """N pairs as arrays: source and target (N, 192, 192, 3) uint8, flow (N, 96, 96, 2) float16 in pixels of the source
    window, source_lips and target_lips (N, 192, 192) uint8, motion (N, 67) float32."""

    source: np.ndarray
    target: np.ndarray
    flow: np.ndarray
    source_lips: np.ndarray
    target_lips: np.ndarray
    motion: np.ndarray

    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for name in FIELDS:
            np.save(folder / f"{name}.npy", getattr(self, name))

    @staticmethod
    def load(folder: Path) -> Mouths:
        return Mouths(*(np.load(folder / f"{name}.npy", mmap_mode="r") for name in FIELDS))


def mouth_pairs(model: Morphable, clips: Iterable[Tracked], per_clip: int, smallest_px: int, seed: int) -> Mouths:
    """Pairs from every clip whose crop is at least `smallest_px` pixels in its own frame."""
    faces, pairs = triangles(model), []
    for number, clip in enumerate(clips):
        if clip.item.still or clip.seen.sum() < 40 or clip.side < smallest_px:
            continue
        share = 1.0 if clip.side > 1.4 * smallest_px else 0.4
        pairs += _pairs(model, faces, clip, max(1, round(share * per_clip)), np.random.default_rng([seed, number]))
    return Mouths(*(np.stack(column) for column in zip(*pairs, strict=True)))


def _pairs(model, faces, clip: Tracked, count: int, generator: np.random.Generator) -> list[tuple]:
    rows = np.flatnonzero(clip.seen)
    points = np.stack([into_crop(clip.landmarks[r].astype(float), clip.crop[r].astype(float), SIDE) for r in rows])
    fitted = fit(model, points)
    sources, targets = _choose(points, count, generator)
    wanted = {int(rows[i]) for i in (*sources, *targets)}
    pictures = clip.pictures(wanted, SIDE)
    return [
        _pair(model, faces, points, fitted, s, t, pictures[int(rows[s])], pictures[int(rows[t])])
        for s, t in zip(sources, targets, strict=True)
        if int(rows[s]) in pictures and int(rows[t]) in pictures
    ]


def _choose(points: np.ndarray, count: int, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Rows of sources (mostly closed mouths) and targets (half of them likelier the wider they open)."""
    gap = np.linalg.norm(points[:, INNER_LIP_GAP[0], :2] - points[:, INNER_LIP_GAP[1], :2], axis=1) + 5
    closed = np.argsort(gap)[: max(5, len(gap) // 3)]
    half = count // 2
    targets = [generator.integers(len(gap), size=half), generator.choice(len(gap), count - half, p=gap / gap.sum())]
    sources = np.where(generator.random(count) < 0.7, generator.choice(closed, count), generator.integers(len(gap), size=count))
    return sources, np.concatenate(targets)


def _pair(model, faces, points, fitted: Fit, s: int, t: int, source: np.ndarray, target: np.ndarray) -> tuple:
    places = [(float(fitted.scale[i]), rotation(fitted.angles[i]), fitted.shift[i]) for i in (s, t)]
    mesh = source_mesh(model, points[s], fitted, s)
    moved = target_mesh(mesh, points[t], *places)
    at, _ = backward_map(mesh, moved, faces, SIDE)
    here, there = window_corner(points[s][:, :2]), window_corner(points[t][:, :2])
    x, y = there * GRID // SIDE
    flow = at[y : y + FLOW, x : x + FLOW] - here
    motion = np.concatenate([fitted.expression[t], fitted.angles[t]]).astype(np.float32)
    return (
        _window(source, here), _window(target, there), flow.astype(np.float16),
        _lips(points[s], here), _lips(points[t], there), motion,
    )  # fmt: skip


def _window(image: np.ndarray, corner: np.ndarray) -> np.ndarray:
    return image[corner[1] : corner[1] + WINDOW, corner[0] : corner[0] + WINDOW].copy()


def _lips(points: np.ndarray, corner: np.ndarray) -> np.ndarray:
    return np.round(255 * drawn(points[list(INNER_LIPS), :2] - corner, (WINDOW, WINDOW))).astype(np.uint8)
