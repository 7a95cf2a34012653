"""What a face and a picture look like, in few numbers: is this the same person, is this the same shot."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from .landmarks import region_of, view_of

CELLS = 6
BINS = 8
SAME = 0.30
"""Faces nearer than this are the same person."""
OTHER = 0.42
"""Faces farther than this are not, even where the one was a frame ago."""
VIEWS = 12
"""Kept looks of one person: turned, lit and masked differently."""


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
    colours[..., 0] = (colours[..., 0] - colours[..., 0].mean()) / 2
    edges = [cv2.resize(strength * _near(angle, b), (CELLS, CELLS), interpolation=cv2.INTER_AREA) for b in range(BINS)]
    return np.concatenate([_unit(colours - [0, 128, 128]), _unit(np.sqrt(np.stack(edges)))]).astype(np.float32) / 2**0.5


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
        if len(self.views) < VIEWS and (not self.views or self.distance(look) > 0.08):
            self.views.append(look)


@dataclass
class Cuts:
    """Tells when the picture changes to another shot."""

    _last: np.ndarray | None = None
    _usual: float = 0.0

    def is_cut(self, image: np.ndarray) -> bool:
        """Whether this picture starts another shot than the one given before."""
        import cv2

        small = cv2.resize(image, (32, 18), interpolation=cv2.INTER_AREA).astype(np.float32)
        if self._last is None:
            self._last = small
            return False
        change = float(np.abs(small - self._last).mean())
        cut = change > 14 and change > 5 * self._usual
        self._usual = 0.0 if cut else 0.8 * self._usual + 0.2 * change
        self._last = small
        return cut
