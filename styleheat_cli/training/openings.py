"""Pairs of mouths and of eyes for the calibration: two frames of one clip, the flow between them, what it uncovers.

Everything is cut to the window that the engine heals (engine/heal.py), in the crop that the engine uses, so that training
sees what rendering sees. Mouths lean to those that open, eyes to those that shut and open: that is what has to be learned.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..engine.eyes import EYES, openness, width_of
from ..engine.fill import drawn
from ..engine.heal import SIDE, WINDOW, Opening, eye_opening, lids_outline, mouth_opening, window
from ..engine.mesh import GRID, backward_map, source_mesh, target_mesh, triangles
from ..engine.performance import into_crop
from ..face.morphable import Fit, Morphable, fit, rotation
from ..face.regions import INNER_LIP_GAP, INNER_LIPS
from .material import Tracked

FLOW = WINDOW * GRID // SIDE  # side of the window in cells of the flow's raster
OUTLINE = len(INNER_LIPS)  # points of an outline; an eye's last one is repeated
EYES_A_MOUTH = 0.5  # pairs of eyes for each pair of mouths
ASIDE = 0.7  # width of a far eye against the near one's under which it tells nothing
FIELDS = ("source", "target", "flow", "source_outline", "target_outline", "source_iris", "target_iris", "motion")


@dataclass(frozen=True)
class Openings:
    """N pairs of windows round a mouth or an eye.

    source and target (N, 192, 192, 3) uint8; flow (N, 96, 96, 2) float16 in pixels of the source window; source_outline and target_outline
    (N, 20, 2) float32: what opens there, in pixels of the windows; source_iris and target_iris (N, 3) float32: place and radius of the iris,
    the radius of a mouth's 0; motion (N, 67) float32.
    """

    source: np.ndarray
    target: np.ndarray
    flow: np.ndarray
    source_outline: np.ndarray
    target_outline: np.ndarray
    source_iris: np.ndarray
    target_iris: np.ndarray
    motion: np.ndarray

    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for name in FIELDS:
            np.save(folder / f"{name}.npy", getattr(self, name))

    @staticmethod
    def load(folder: Path) -> Openings:
        return Openings(*(np.load(folder / f"{name}.npy", mmap_mode="r") for name in FIELDS))


def opening_pairs(model: Morphable, clips: Iterable[Tracked], per_clip: int, smallest_px: int, seed: int) -> Openings:
    """Pairs from every clip whose crop is at least `smallest_px` pixels in its own frame; mouths first, then eyes."""
    faces, mouths, eyes = triangles(model), tuple([] for _ in FIELDS), tuple([] for _ in FIELDS)
    for number, clip in enumerate(clips):
        if clip.item.still or clip.seen.sum() < 40 or clip.side < smallest_px:
            continue
        share = 1.0 if clip.side > 1.4 * smallest_px else 0.4
        count, generator = max(2, round(share * per_clip)), np.random.default_rng([seed, number])
        rows = np.flatnonzero(clip.seen)
        points = np.stack([into_crop(clip.landmarks[r].astype(float), clip.crop[r].astype(float), SIDE) for r in rows])
        wanted = _mouths(points, count, generator), _eyes(points, round(EYES_A_MOUTH * count), generator)
        shown = clip.pictures({int(rows[i]) for chosen in wanted for pair in chosen for i in pair[:2]}, SIDE)
        pictures = {i: shown[row] for i, row in enumerate(rows.tolist()) if row in shown}
        fitted = fit(model, points)
        for chosen, columns in zip(wanted, (mouths, eyes), strict=True):
            for pair in _pairs(model, faces, points, fitted, pictures, chosen):
                for column, value in zip(columns, pair, strict=True):
                    column.append(value)
    return Openings(*(_stacked(*column) for column in zip(mouths, eyes, strict=True)))


def _stacked(mouths: list[np.ndarray], eyes: list[np.ndarray]) -> np.ndarray:
    """One array of both, which are emptied: of gigabytes, two copies of a column are enough."""
    made = np.stack([*mouths, *eyes])
    mouths.clear()
    eyes.clear()
    return made


Chosen = list[tuple[int, int, Opening, Opening]]  # rows of source and target, and what opens there


def _mouths(points: np.ndarray, count: int, generator: np.random.Generator) -> Chosen:
    """Sources with mostly closed mouths; half of the targets likelier the wider they open."""
    gap = np.linalg.norm(points[:, INNER_LIP_GAP[0], :2] - points[:, INNER_LIP_GAP[1], :2], axis=1) + 5
    closed = np.argsort(gap)[: max(5, len(gap) // 3)]
    sources = np.where(generator.random(count) < 0.7, generator.choice(closed, count), generator.integers(len(gap), size=count))
    targets = _half_likelier(gap, count, generator)
    return [(int(s), int(t), mouth_opening(points[s]), mouth_opening(points[t])) for s, t in zip(sources, targets, strict=True)]


def _eyes(points: np.ndarray, count: int, generator: np.random.Generator) -> Chosen:
    """One eye of each pair: sources mostly open, half of the targets, and the other sources, likelier the nearer they are to shut."""
    out = []
    which = generator.integers(len(EYES), size=count)
    gap = np.array([[openness(face[list(ring), :2]) for ring, _ in EYES] for face in points])
    weight = np.maximum(gap, 0.02).mean(1) ** -2.0
    open_ones = gap.mean(1).argsort()[-max(5, len(gap) // 2) :]
    shutting = generator.choice(len(gap), count, p=weight / weight.sum())
    sources = np.where(generator.random(count) < 0.6, generator.choice(open_ones, count), shutting)
    for s, t, eye in zip(sources, _half_likelier(weight, count, generator), which, strict=True):
        eye = _seen_better(points[[s, t]], int(eye))
        out.append((int(s), int(t), eye_opening(points[s], eye), eye_opening(points[t], eye)))
    return out


def _half_likelier(weight: np.ndarray, count: int, generator: np.random.Generator) -> np.ndarray:
    """Rows, half of them by chance, half as likely as their weight (T,) says."""
    anyhow = generator.integers(len(weight), size=count // 2)
    return np.concatenate([anyhow, generator.choice(len(weight), count - count // 2, p=weight / weight.sum())])


def _seen_better(points: np.ndarray, eye: int) -> int:
    """The eye, or the other one where it is turned away in one of the faces (2, 478, 3)."""
    widths = np.array([[width_of(face[list(ring), :2]) for ring, _ in EYES] for face in points])
    return eye if (widths[:, eye] > ASIDE * widths[:, 1 - eye]).all() else 1 - eye


def _pairs(model, faces, points, fitted: Fit, pictures: dict[int, np.ndarray], chosen: Chosen) -> Iterator[tuple]:
    for s, t, *opens in chosen:
        if s in pictures and t in pictures:
            yield _pair(model, faces, points, fitted, s, t, *opens, pictures[s], pictures[t])


def _pair(
    model, faces, points, fitted: Fit, s: int, t: int, here: Opening, there: Opening, source: np.ndarray, target: np.ndarray
) -> tuple:  # fmt: skip
    places = [(float(fitted.scale[i]), rotation(fitted.angles[i]), fitted.shift[i]) for i in (s, t)]
    mesh = source_mesh(model, points[s], fitted, s)
    at, _ = backward_map(mesh, target_mesh(mesh, points[t], *places), faces, SIDE)
    from_corner, to_corner = here.corner, there.corner
    x, y = to_corner * GRID // SIDE
    flow = at[y : y + FLOW, x : x + FLOW] - from_corner
    motion = np.concatenate([fitted.expression[t], fitted.angles[t]]).astype(np.float32)
    return (
        window(source, from_corner).copy(), window(target, to_corner).copy(), flow.astype(np.float16),
        _inside(_repeated(here.outline), from_corner), _inside(_repeated(there.outline), to_corner),
        _inside(here.iris, from_corner), _inside(there.iris, to_corner), motion,
    )  # fmt: skip


def _repeated(outline: np.ndarray) -> np.ndarray:
    """(20, 2): an outline whose last point is repeated until it is as long as any."""
    return np.pad(outline, ((0, OUTLINE - len(outline)), (0, 0)), "edge")


def _inside(places: np.ndarray, corner: np.ndarray) -> np.ndarray:
    """Places (..., 2 or 3) counted from a window's corner; an iris' radius, and the 0 of one that is none, stays."""
    moved = places.astype(np.float32)
    moved[..., :2] -= corner
    return moved


def drawn_lids(outlines: np.ndarray, irises: np.ndarray, side: int) -> np.ndarray:
    """(N, side, side) in [0, 1]: where eyes and their lids are; of a mouth nothing."""
    out = np.zeros((len(outlines), side, side), np.float32)
    for mask, outline, iris in zip(out, outlines, irises, strict=True):
        if iris[2]:
            mask[:] = drawn(side / WINDOW * lids_outline(outline), (side, side))
    return out
