"""What a head hides of its background, once for a photo: completed by copies of what can be seen beside it.

Source: patch-based completion (Wexler et al. 2007) with the randomised search of PatchMatch (Barnes et al. 2009): from
coarse to fine, each unknown patch looks for the known patch that it is most like, and the unknown takes the mean of what
its patches found. Copies from different places are joined in their gradients (Poisson editing, Pérez et al. 2003), so that no seam is
seen between them. Found on a coarse grid, they are then made at the picture's full resolution.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy.sparse import csc_matrix
from scipy.sparse.linalg import splu

GRID = 128  # side of the finest grid that is searched
COARSEST = 64  # side of the grid that is filled from its rim inwards
REACH = 2  # a patch is 5 x 5 cells
ROUNDS = 4
TRIES = 5  # random looks in a round, each half as far away as the one before
NEAR = 25.0  # levels of difference that a patch from one side of the picture counts on the other
STEPS = ((0, 1), (1, 0), (0, -1), (-1, 0))  # to the cells beside one
HOLDS = 0.003  # weight of a copy's own colours against its gradients: they come through farther than some 18 cells from a seam
JOINS = 60.0  # levels by which what is beside a seam may differ from what a copy has there: farther apart it is another thing


def completed(image: np.ndarray, known: np.ndarray, real: np.ndarray, smooth: np.ndarray) -> np.ndarray:
    """(S, S, 3) uint8: the picture with what is not known copied from what is. The same input gives the same result.

    Args:
        image: (S, S, 3) uint8.
        known: (S, S) bool: what is right.
        real: (S, S) bool: what may be copied where it is known.
        smooth: (S, S, 3) uint8: a first guess, equal to the picture where it is known; the result where nothing can be copied.
    """
    found, colours, random = None, smooth, np.random.default_rng(0)
    for side in _sides(len(image)):
        level = _Level(image, known, known & real, side)
        if not len(level.sources):
            return smooth
        cells = cv2.resize(colours, (side, side), interpolation=cv2.INTER_AREA).astype(np.float32)
        cells = np.where(level.hole[..., None], cells, level.colours)
        if found is None:
            cells, found = level.grown_in(cells)
        else:
            found = level.finer(found)
            cells = level.voted(cells, found, np.ones((side, side), np.float32))
        for _ in range(ROUNDS):
            found, far = level.search(cells, found, random)
            cells = level.voted(cells, found, far)
        colours = np.clip(cells, 0, 255)
    return _copied(image, known, found, level.joined(found) - level.taken(found))


def _sides(side: int) -> list[int]:
    """Sides of the grids, from coarse to fine."""
    sides = [min(GRID, side)]
    while sides[0] >= 2 * COARSEST:
        sides.insert(0, sides[0] // 2)
    return sides


class _Level:
    """One grid: its colours (G, G, 3), its hole and what is given beside it (G, G) bool, the centres of patches wholly given (K, 2)."""

    def __init__(self, image: np.ndarray, known: np.ndarray, source: np.ndarray, side: int):
        self.side = side
        self.colours = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA).astype(np.float32)
        self.hole = self._lacking(known)
        grown = self._round(self.hole)
        self.given = ~self._lacking(source)
        self.whole = ~self._round(~self.given)
        self.whole[:REACH] = self.whole[-REACH:] = False
        self.whole[:, :REACH] = self.whole[:, -REACH:] = False
        self.sources = np.argwhere(self.whole)
        self.wanting = np.argwhere(grown)
        self.patches = _patches(self.colours)

    def _lacking(self, mask: np.ndarray) -> np.ndarray:
        return cv2.resize(mask.astype(np.float32), (self.side, self.side), interpolation=cv2.INTER_AREA) < 0.99

    def _round(self, cells: np.ndarray) -> np.ndarray:
        """Cells whose patch touches these."""
        return cv2.dilate(cells.astype(np.uint8), np.ones((2 * REACH + 1,) * 2)) > 0

    def grown_in(self, cells: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """A first (G, G, 3) and (G, G, 2): from the rim inwards, each cell takes the known patch most like what is there by then."""
        depth = cv2.distanceTransform(self._round(self.hole).astype(np.uint8), cv2.DIST_C, 3)
        sources = self.patches[tuple(self.sources.T)]
        found = np.indices((self.side, self.side)).transpose(1, 2, 0).copy()
        cells, there = cells.copy(), ~self.hole
        for layer in range(1, int(depth.max()) + 1):
            at = np.argwhere(depth.round() == layer)
            wanted, mask = _patches(cells)[tuple(at.T)], _patches(there[..., None].repeat(3, -1).astype(np.float32))[tuple(at.T)]
            apart = mask @ np.square(sources).T - 2 * (wanted * mask) @ sources.T
            apart += mask.sum(1)[:, None] * self._strayed(at[:, None], self.sources)
            best = self.sources[apart.argmin(1)]
            found[tuple(at.T)] = best
            new = self.hole[tuple(at.T)]
            cells[tuple(at[new].T)] = self.colours[tuple(best[new].T)]
            there[tuple(at.T)] = True
        return cells, found

    def finer(self, found: np.ndarray) -> np.ndarray:
        """(G, G, 2): what was found on the grid before, on this one."""
        twice = 2 * found.repeat(2, 0).repeat(2, 1)[: self.side, : self.side]
        return np.clip(twice + np.indices((self.side, self.side)).transpose(1, 2, 0) % 2, 0, self.side - 1)

    def search(self, cells: np.ndarray, found: np.ndarray, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """(G, G, 2) better patches, and (G, G) how far they are from those wanted, mean square of 255 levels, and from their
        place (`_strayed`)."""
        y, x = self.wanting.T
        wanted = _patches(cells)[y, x]
        best = found[y, x]
        far = np.where(self.whole[tuple(best.T)], self._apart(wanted, best), np.inf)
        field = found.copy()
        for step in STEPS:
            near = np.clip(self.wanting - step, 0, self.side - 1)
            best, far = self._better(wanted, best, far, field[tuple(near.T)] + step)
            field[y, x] = best
        radius = self.side // 2
        for _ in range(TRIES):
            best, far = self._better(wanted, best, far, best + random.integers(-radius, radius + 1, best.shape))
            radius = max(radius // 2, 1)
        field[y, x] = best
        distance = np.zeros((self.side, self.side), np.float32)
        distance[y, x] = np.where(np.isfinite(far), far, 255.0**2)
        return field, distance

    def _better(self, wanted, best, far, others):
        others = np.clip(others, 0, self.side - 1)
        apart = np.where(self.whole[tuple(others.T)], self._apart(wanted, others), np.inf)
        nearer = apart < far
        return np.where(nearer[:, None], others, best), np.where(nearer, apart, far)

    def _apart(self, wanted: np.ndarray, at: np.ndarray) -> np.ndarray:
        return np.square(self.patches[tuple(at.T)] - wanted).mean(1) + self._strayed(at, self.wanting)

    def _strayed(self, at: np.ndarray, place: np.ndarray) -> np.ndarray:
        """Of patches that are equally like what is wanted the nearest is the best: levels² for how far away they are."""
        return NEAR**2 * np.square((at - place) / self.side, dtype=np.float32).sum(-1)

    def voted(self, cells: np.ndarray, found: np.ndarray, far: np.ndarray) -> np.ndarray:
        """(G, G, 3): the unknown cells as the patches over them have it, likely ones before all."""
        weight = np.exp(-far / (2 * max(float(np.percentile(far[self.hole], 75)), 1.0)))
        total = np.zeros((self.side + 2 * REACH, self.side + 2 * REACH, 4), np.float32)
        for dy in range(-REACH, REACH + 1):
            for dx in range(-REACH, REACH + 1):
                taken = self.colours[np.clip(found[..., 0] + dy, 0, self.side - 1), np.clip(found[..., 1] + dx, 0, self.side - 1)]
                part = total[REACH + dy : REACH + dy + self.side, REACH + dx : REACH + dx + self.side]
                part += np.dstack([taken, np.ones_like(weight)]) * weight[..., None]
        inner = total[REACH:-REACH, REACH:-REACH]
        return np.where(self.hole[..., None], inner[..., :3] / np.maximum(inner[..., 3:], 1e-6), cells)


    def taken(self, at: np.ndarray) -> np.ndarray:
        """(..., 3): the colours at some cells (..., 2), or next to them where the grid ends."""
        return self.colours[tuple(np.moveaxis(np.clip(at, 0, self.side - 1), -1, 0))]

    def joined(self, found: np.ndarray) -> np.ndarray:
        """(G, G, 3): the unknown cells with the gradients of what they found, joined to each other and to what is given, by least
        squares: no step is left where copies from different places meet."""
        cells = np.argwhere(self.hole)
        number = np.full(self.hole.shape, -1)
        number[self.hole] = each = np.arange(len(cells))
        total = HOLDS * self.taken(found[self.hole]).astype(np.float64)
        rows, columns, values = [each], [each], [np.full(len(cells), HOLDS)]
        for step in np.array(STEPS):
            here, beside, hidden, rise, weight = self._beside(cells, found, step)
            total[here] += weight[:, None] * (np.where(hidden[:, None], 0, self.taken(beside)) - rise)
            rows += [here, here[hidden]]
            columns += [here, number[tuple(beside[hidden].T)]]
            values += [weight, -weight[hidden]]
        system = csc_matrix((np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))))
        made = self.colours.copy()
        made[self.hole] = np.clip(splu(system).solve(total), 0, 255)
        return made

    def _beside(self, cells: np.ndarray, found: np.ndarray, step: np.ndarray) -> tuple[np.ndarray, ...]:
        """Of some cells (K, 2) those with another cell a step away, hidden or given: which (L,), the other (L, 2), whether it is hidden
        (L,), by how much it is lighter (L, 3), the mean of what both found, and how sure that is (L,)."""
        beside = np.clip(cells + step, 0, self.side - 1)
        hidden = self.hole[tuple(beside.T)] & (beside != cells).any(1)
        here = np.flatnonzero(hidden | self.given[tuple(beside.T)])
        own, beside, hidden = found[tuple(cells[here].T)], beside[here], hidden[here]
        across = np.where(hidden[:, None], found[tuple(beside.T)], beside)
        starts, goes_on, before, there = (self.taken(at) for at in (own, own + step, across - step, across))
        rise = np.where(hidden[:, None], (goes_on - starts + there - before) / 2, goes_on - starts)
        apart = np.square(goes_on - there) + hidden[:, None] * np.square(starts - before)
        return here, beside, hidden, rise, np.exp(-apart.mean(1) / JOINS**2)


def _patches(cells: np.ndarray) -> np.ndarray:
    """(G, G, 75): the patch round each cell, mirrored at the edges."""
    padded = np.pad(cells, ((REACH, REACH), (REACH, REACH), (0, 0)), mode="reflect")
    windows = sliding_window_view(padded, (2 * REACH + 1,) * 2, (0, 1))
    return windows.reshape(*cells.shape[:2], -1)


def _copied(image: np.ndarray, known: np.ndarray, found: np.ndarray, differs: np.ndarray) -> np.ndarray:
    """The unknown pixels from where their cells found them: copies of four cells, blended, each so many levels (G, G, 3) lighter."""
    side, grid = len(image), len(found)
    scale = side / grid
    shift = (found - np.indices((grid, grid)).transpose(1, 2, 0)).astype(np.float32) * scale
    at = ((np.arange(side) + 0.5) / scale - 0.5).astype(np.float32)
    low, share = np.floor(at).astype(int), (at - np.floor(at)).astype(np.float32)
    x, y = np.meshgrid(np.arange(side, dtype=np.float32), np.arange(side, dtype=np.float32))
    made = np.zeros(image.shape, np.float32)
    for i, down in ((0, 1 - share), (1, share)):
        for j, across in ((0, 1 - share), (1, share)):
            cells = np.ix_(np.clip(low + i, 0, grid - 1), np.clip(low + j, 0, grid - 1))
            moved = shift[cells]
            copy = cv2.remap(image, x + moved[..., 1], y + moved[..., 0], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
            made += (copy + differs[cells].astype(np.float32)) * (down[:, None] * across)[..., None]
    return np.where(known[..., None], image, np.clip(made + 0.5, 0, 255).astype(np.uint8))
