"""Smoothing over time: a window in seconds, without lag, that never looks across a cut."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

import numpy as np

BLOCK = 128
"""Frames smoothed at once: memory is this times a frame, whatever the clip's length."""
REACH = 3.0
"""The Gaussian is cut off this many standard deviations away."""


def smooth(values: Sequence[np.ndarray] | np.ndarray, times: np.ndarray, seconds: float,
           cuts: Iterable[float] = (), seen: np.ndarray | None = None) -> np.ndarray:
    """The values with everything quicker than `seconds` averaged out.

    A local straight line is fitted with Gaussian weights (full width at half height: `seconds`), so what moves
    evenly passes unchanged, at the ends and at uneven frame times too. Source: Cleveland 1979, local regression.

    Args:
        values: (T, ...) numbers, or a sequence that gives arrays when sliced.
        times: (T,) seconds, not decreasing.
        seconds: width of the window; 0 returns the values themselves.
        cuts: times at which nothing before may mix with anything from there on.
        seen: (T,) bool; rows that are False have no weight. Where no row has any, the value stays.

    Returns:
        (T, ...) of the values' float type (float64 for whole numbers).
    """
    if seconds <= 0 or len(values) < 2:
        return np.asarray(values[:])
    return np.concatenate(list(smoothed(values, times, seconds, cuts, seen)))


def smoothed(values: Sequence[np.ndarray] | np.ndarray, times: np.ndarray, seconds: float,
             cuts: Iterable[float] = (), seen: np.ndarray | None = None) -> Iterator[np.ndarray]:
    """The blocks of `smooth`, in order, for values too many to hold."""
    times = np.asarray(times, np.float64)
    weight = np.ones(len(times)) if seen is None else np.asarray(seen, np.float64)
    for start, stop in shots(times, cuts):
        for first in range(start, stop, BLOCK):
            last = min(first + BLOCK, stop)
            yield _block(values, times, weight, seconds, (first, last), (start, stop))


def shots(times: np.ndarray, cuts: Iterable[float]) -> list[tuple[int, int]]:
    """Index ranges (start, stop) between cuts; a frame at the cut's time belongs to what follows."""
    edges = {0, len(times), *np.searchsorted(times, np.asarray(list(cuts), np.float64) - 1e-6).tolist()}
    return list(pairwise(sorted(edges)))


def _block(values, times, weight, seconds, block, shot) -> np.ndarray:
    """Frames block[0]:block[1], from what is within reach inside the shot."""
    sigma = seconds / (2 * np.sqrt(2 * np.log(2)))
    inside, outside = times[block[0]:block[1]], times[shot[0]:shot[1]]
    low = shot[0] + int(np.searchsorted(outside, inside[0] - REACH * sigma))
    high = shot[0] + int(np.searchsorted(outside, inside[-1] + REACH * sigma, side="right"))
    around = np.asarray(values[low:high])
    kind = around.dtype if around.dtype.kind == "f" else np.dtype(np.float64)
    shares = _line_weights(times[low:high] - inside[:, None], weight[low:high], sigma)  # [B N]
    idle = np.flatnonzero(shares.sum(1) < 0.5)
    shares[idle] = 0
    shares[idle, idle + block[0] - low] = 1
    flat = shares.astype(kind) @ around.reshape(len(around), -1).astype(kind)
    return flat.reshape(len(inside), *around.shape[1:])


def _line_weights(offset: np.ndarray, weight: np.ndarray, sigma: float) -> np.ndarray:
    """(B, N): shares, summing to 1, that give the weighted least-squares line's value at offset 0.

    Rows without any weight are 0; where only one moment has weight the line is level.
    """
    w = np.exp(-0.5 * (offset / sigma) ** 2) * (np.abs(offset) <= REACH * sigma) * weight
    total = w.sum(1, keepdims=True)
    w = w / np.where(total > 1e-12, total, 1)
    mean = (w * offset).sum(1, keepdims=True)
    spread = (w * (offset - mean) ** 2).sum(1, keepdims=True)
    tilt = np.where(spread > 1e-3 * sigma**2, mean / np.where(spread > 0, spread, 1), 0)
    return w * (1 - tilt * (offset - mean))
