"""Lids of a driver: when they blink, and whether both eyes do the same."""

from __future__ import annotations

import numpy as np

from .fill import ramp

WINK = 0.35  # difference of the eyes' openings, as shares of calm, from which each eye goes its own way
BLINK_S = 0.4  # seconds that a blink takes at most
DIP, DEEP = 0.6, 0.55  # of what lies before and after: a share under which lids dip; share of an open eye that they get to when they blink
BOTH = 0.8  # share of that to which the more open eye comes down, too, when both blink and none winks
BEGINS = 0.95  # share of that at which a blink begins and ends


def together(ratio: np.ndarray) -> np.ndarray:
    """(N, 2) openings of both eyes: alike unless one clearly winks."""
    mean = ratio.mean(1, keepdims=True)
    apart = np.abs(ratio[:, :1] - ratio[:, 1:])
    return mean + ramp(apart, (WINK / 2, WINK)) * (ratio - mean)


def blinked(ratio: np.ndarray, times: np.ndarray) -> np.ndarray:
    """(N, 2) openings as shares of an open eye at times (N,) seconds: a blink shuts both eyes, even where a tracker sees but half of it,
    or one of them, as behind glasses."""
    out, mean = ratio.copy(), ratio.mean(1)
    for lowest, before in _dips(mean, times):
        begins = BEGINS * before
        rows = _around(mean < begins, lowest)
        if ratio[lowest].max() < BOTH * before and lowest == rows.start + mean[rows].argmin():
            share = np.clip((begins - mean[rows]) / (begins - mean[lowest]), 0, 1)
            out[rows] = np.maximum(out[rows] - share[:, None] * np.maximum(ratio[lowest], 0), np.minimum(out[rows], 0))
    return out


def _dips(opening: np.ndarray, times: np.ndarray) -> list[tuple[int, float]]:
    """(row, opening before and after) of the lowest moments of short dips of (N,) openings."""
    first, last = np.searchsorted(times, times - BLINK_S), np.searchsorted(times, times + BLINK_S, side="right")
    calm = np.array([min(opening[first[i] : i + 1].max(), opening[i : last[i]].max()) for i in range(len(times))])
    low = (opening < DIP * calm) & (opening < DEEP)
    starts, ends = (np.flatnonzero(np.diff(np.r_[False, low, False].astype(int)) == way) for way in (1, -1))
    short = times[ends - 1] - times[starts] <= BLINK_S
    rows = [start + int(opening[start:end].argmin()) for start, end in zip(starts[short], ends[short], strict=True)]
    return [(row, float(calm[row])) for row in rows]


def _around(where: np.ndarray, row: int) -> slice:
    """The stretch of rows (N,) bool round one of them."""
    off = np.flatnonzero(~where)
    at = int(np.searchsorted(off, row))
    return slice(int(off[at - 1]) + 1 if at else 0, int(off[at]) if at < len(off) else len(where))
