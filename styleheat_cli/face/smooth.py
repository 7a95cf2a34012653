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
        seen: (T,) bool; rows that are False do not count. Gaps shorter than the window are bridged; a longer one keeps
            its values and parts what is before from what is after.

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
    seen = np.ones(len(times), bool) if seen is None else np.asarray(seen, bool)
    for start, stop in _stretches(times, cuts, seen, seconds):
        for first in range(start, stop, BLOCK):
            block = (first, min(first + BLOCK, stop))
            if seen[start:stop].any():
                yield _block(values, times, seen, seconds, block, (start, stop))
            else:
                yield np.asarray(values[slice(*block)])


def shots(times: np.ndarray, cuts: Iterable[float]) -> list[tuple[int, int]]:
    """Index ranges (start, stop) between cuts; a frame at the cut's time belongs to what follows."""
    edges = {0, len(times), *np.searchsorted(times, np.asarray(list(cuts), np.float64) - 1e-6).tolist()}
    return list(pairwise(sorted(edges)))


def _stretches(times: np.ndarray, cuts: Iterable[float], seen: np.ndarray, seconds: float) -> list[tuple[int, int]]:
    """Index ranges (start, stop) that may mix: shots, parted again by the gaps that are longer than the window."""
    edges = set()
    for start, stop in shots(times, cuts):
        edges |= {start, stop}
        for a, b in gaps(seen[start:stop]):
            first, after = start + a, start + b
            if a == 0 or after == stop or times[after] - times[first] > seconds:
                edges |= {first, after}
    return list(pairwise(sorted(edges)))


def gaps(seen: np.ndarray) -> list[tuple[int, int]]:
    """Index ranges (start, stop) of the rows that are not seen."""
    edges = np.flatnonzero(np.diff(np.concatenate([[True], seen, [True]]).astype(int))).tolist()
    return list(zip(edges[::2], edges[1::2], strict=True))


def _block(values, times, seen, seconds, block, stretch) -> np.ndarray:
    """Frames block[0]:block[1], from what is within reach inside the stretch."""
    sigma = seconds / (2 * np.sqrt(2 * np.log(2)))
    inside, outside = times[block[0]:block[1]], times[stretch[0]:stretch[1]]
    low = stretch[0] + int(np.searchsorted(outside, inside[0] - REACH * sigma))
    high = stretch[0] + int(np.searchsorted(outside, inside[-1] + REACH * sigma, side="right"))
    around = np.asarray(values[low:high])
    kind = around.dtype if around.dtype.kind == "f" else np.dtype(np.float64)
    shares = _line_weights(times[low:high] - inside[:, None], seen[low:high], sigma)  # [B N]
    flat = shares.astype(kind) @ around.reshape(len(around), -1).astype(kind, copy=False)
    return flat.reshape(len(inside), *around.shape[1:])


def _line_weights(offset: np.ndarray, seen: np.ndarray, sigma: float) -> np.ndarray:
    """(B, N): shares, summing to 1, that give the weighted least-squares line's value at offset 0.

    Where all the weight is at one moment the line is level.
    """
    w = np.exp(-0.5 * (offset / sigma) ** 2) * (np.abs(offset) <= REACH * sigma) * seen
    w = w / w.sum(1, keepdims=True)
    mean = (w * offset).sum(1, keepdims=True)
    spread = (w * (offset - mean) ** 2).sum(1, keepdims=True)
    tilt = np.where(spread > 1e-6 * sigma**2, mean / np.where(spread > 0, spread, 1), 0)
    return w * (1 - tilt * (offset - mean))
