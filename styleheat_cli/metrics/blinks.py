"""Blinks: which of the driver's blinks the generated face makes, and which it invents."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .face_geometry import EYES
from .metric import Moment, Reading, Setting, View, blank, metric
from .series import Pairs

CLOSED = 0.6
"""Share of how far the eyes are open both before and after, within the longest blink, below which they count as closed."""
AWAKE = 0.4
"""Share of the clip's own open eye (80th percentile) that they have to be open by then: closed eyes that tremble do not blink."""
LONGEST_S = 0.6
"""An eye that stays closed longer does not blink."""
TOLERANCE_S = 0.15
"""Blinks whose middles are nearer are the same."""


def eye_openness(view: View) -> float:
    """Height over width of the eyes, mean of both, from the mesh in three dimensions."""
    return float(np.mean([_openness(view.face, *eye) for eye in EYES]))


def _openness(face: np.ndarray, *eye: int) -> float:
    outer, inner, top, bottom, top_too, bottom_too = (face[point] for point in eye)
    height = np.linalg.norm(top - bottom) + np.linalg.norm(top_too - bottom_too)
    return float(height / (2 * np.linalg.norm(outer - inner) + 1e-9))


def blink_times(times: np.ndarray, openness: np.ndarray) -> np.ndarray:
    """(K,) seconds: the middles of the short stretches in which the eyes are closed."""
    if len(times) < 3:
        return np.zeros(0)
    around = _around(times, openness)
    closed = (openness < CLOSED * around) & (around > AWAKE * np.percentile(openness, 80))
    edges = np.flatnonzero(np.diff(np.r_[False, closed, False].astype(int)))
    starts, ends = edges[::2], edges[1::2] - 1
    short = times[ends] - times[starts] <= LONGEST_S
    inside = (starts > 0) & (ends < len(times) - 1)
    return ((times[starts] + times[ends]) / 2)[short & inside]


def _around(times: np.ndarray, openness: np.ndarray) -> np.ndarray:
    """(T,) how far the eyes are open at most within the longest blink before, or after, whichever is less."""
    first, last = (np.searchsorted(times, times + by) for by in (-LONGEST_S, LONGEST_S))
    at = range(len(times))
    return np.array([min(openness[first[i] : i + 1].max(), openness[i : last[i] + 1].max()) for i in at])


def matched(own: np.ndarray, real: np.ndarray) -> np.ndarray:
    """Which of the own times (K,) belong to a real one within 0.15 s, each used once, the nearest first: (K,) bool."""
    apart, found = np.abs(own[:, None] - real[None]), np.zeros(len(own), bool)
    while apart.size and apart.min() <= TOLERANCE_S:
        i, j = np.unravel_index(apart.argmin(), apart.shape)
        apart[i], apart[:, j], found[i] = np.inf, np.inf, True
    return found


def open_at(at: np.ndarray, times: np.ndarray, openness: np.ndarray) -> np.ndarray:
    """(K,) bool: whether eyes are open at some times, against the clip's own open eye."""
    if not len(times):
        return np.zeros(0, bool)
    return openness[np.abs(times - at[:, None]).argmin(1)] >= CLOSED * np.percentile(openness, 80)


@metric(
    "blinks",
    better="higher",
    protocol="mesh",
    says="share of the driver's blinks that are made within 0.15 s, and how many are made while the driver's eyes are open (a lid that comes "
    "down further from a half shut eye is not invented)",
    needs="driving faces",
)
class Blinks:
    """Blinks found and blinks invented."""

    def __init__(self, setting: Setting):
        self.pairs = Pairs()

    def update(self, moment: Moment) -> float | None:
        own, driver = moment.generated, moment.driving
        if own.face is None:
            return None
        value = eye_openness(own)
        if driver.face is not None:
            self.pairs.add(own.time, value, eye_openness(driver))
        return value

    def readings(self) -> list[Reading]:
        times, own, driver = self.pairs.arrays()
        made, real = blink_times(times, own), blink_times(times, driver)
        found = matched(made, real)
        invented = ~found & open_at(made, times, driver)
        names = [f"blinks-{what}[{self.spec.protocol}]" for what in ("found", "invented")]
        if len(real):
            first = replace(blank(self.spec, "", names[0]), value=found.sum() / len(real), samples=len(real), of="blinks")
        else:
            first = blank(self.spec, "the driver does not blink", names[0])
        rest = replace(blank(self.spec, "", names[1]), value=float(invented.sum()), better="lower", samples=len(times))
        return [first, rest]
