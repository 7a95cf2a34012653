"""What a face and a picture look like, in few numbers: is this the same person, is this the same shot."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from .landmarks import region_of, view_of

CELLS = 6
BINS = 8
EDGES = 0.65
"""Weight of edges against colours."""
SAME = 0.16
"""Faces nearer than this are the same person: holds for one in 200 pairs of strangers, more where both sit in the
same studio, and for all but one in 20 pairs of frames of one clip taken without the looks between them."""
OTHER = 0.20
"""Faces farther than this are not, even where the one was a frame ago (measured: up to 0.17 within a person)."""
VIEWS = 24
"""Kept looks of one person: turned, lit and masked differently."""
NEW_VIEW = 0.08
CHANGE = 3.0
"""Grey levels by which pictures of two shots differ at least (mean over a 32 x 18 reduction)."""
SPIKE = 5.0
"""How many times the changes around it that is."""


def describe(image: np.ndarray, points: np.ndarray) -> np.ndarray:
    """(D,) float32 of length 1: colours and edge directions of the upright face, hair's edge and jaw included."""
    region = region_of(points)
    return _describe_view(view_of(image, replace(region, side=0.85 * region.side), 48))


def _describe_view(view: np.ndarray) -> np.ndarray:
    import cv2

    lab = cv2.cvtColor(view, cv2.COLOR_RGB2LAB).astype(np.float32)
    lab = cv2.GaussianBlur(lab, (0, 0), 1.0)
    grey = lab[..., 0]
    dx, dy = cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1)
    strength, angle = cv2.cartToPolar(dx, dy)
    colours = cv2.resize(lab, (CELLS, CELLS), interpolation=cv2.INTER_AREA)
    colours = (colours - [colours[..., 0].mean(), 128, 128]) * [0.5, 1, 1]
    edges = [cv2.resize(strength * _near(angle, b), (CELLS, CELLS), interpolation=cv2.INTER_AREA) for b in range(BINS)]
    parts = [_unit(colours) * (1 - EDGES) ** 0.5, _unit(np.sqrt(np.stack(edges))) * EDGES**0.5]
    return np.concatenate(parts).astype(np.float32)


def _near(angle: np.ndarray, which: int) -> np.ndarray:
    """Share of each angle that belongs to one of the directions."""
    off = np.abs((angle * BINS / (2 * np.pi) - which + BINS / 2) % BINS - BINS / 2)
    return (1 - off).clip(0)


def _unit(values: np.ndarray) -> np.ndarray:
    flat = values.ravel()
    return flat / max(float(np.linalg.norm(flat)), 1e-6)


@dataclass
class Person:
    """The looks of one person so far."""

    views: list[np.ndarray] = field(default_factory=list)

    def distance(self, look: np.ndarray) -> float:
        """0 (the same picture) to about 1, to the nearest look known."""
        return min((1 - float(look @ view) for view in self.views), default=0.0)

    def remember(self, look: np.ndarray) -> None:
        """Keep a look that is new, while there is room."""
        if len(self.views) < VIEWS and (not self.views or self.distance(look) > NEW_VIEW):
            self.views.append(look)


@dataclass
class Picture:
    """How much each picture differs from the one before (mean, median); as it streams, whether that may be a cut."""

    changes: list[tuple[float, float]] = field(default_factory=list)
    _last: np.ndarray | None = None

    def suspect(self, image: np.ndarray) -> bool:
        """Whether this picture may start another shot; for certain only what follows can tell."""
        import cv2

        small = cv2.resize(image, (32, 18), interpolation=cv2.INTER_AREA).astype(np.float32)
        change = np.zeros(1) if self._last is None else np.abs(small - self._last)
        self._last = small
        self.changes.append((float(change.mean()), float(np.median(change))))
        now, *before = (mean for mean, _ in reversed(self.changes[-9:]))
        return now > CHANGE and now > SPIKE * max(before, default=0.0)


def cuts(changes: np.ndarray, moves: np.ndarray) -> np.ndarray:
    """Indices of the frames that start another shot.

    There the picture jumps as it does nowhere near, and the face with it: an insert that changes behind a face which
    goes on as before is no cut. Where no face can tell, the greater part of the picture must change.

    Args:
        changes: (T, 2) difference of each picture from the one before: mean and median, grey levels.
        moves: (T,) how far the face moved since the frame before, in face heights; NaN where it was not in both.
    """
    mean, median = np.asarray(changes, np.float64).T
    face_jumps = np.where(np.isnan(moves), _spikes(median, CHANGE, SPIKE), _spikes(np.nan_to_num(moves), 0.02, 2.5))
    return np.flatnonzero(_spikes(mean, CHANGE, SPIKE) & face_jumps)


def _spikes(values: np.ndarray, least: float, times: float) -> np.ndarray:
    """(T,) bool: more than `least`, and so many times all within four frames but one (which may be a cut too)."""
    padded = np.pad(values, 4)
    near = np.stack([padded[4 + k:4 + k + len(values)] for k in (-4, -3, -2, -1, 1, 2, 3, 4)])
    return (values > least) & (values > times * np.sort(near, axis=0)[-2])
