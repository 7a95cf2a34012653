"""How speakers' heads sway and how they blink: statistics of the same clips, for photos that come alive.

Sway: the joint spectrum of pose, place and brows, averaged over clips that were each brought to the same spread, at the
spread of the median clip. Blinks: short dips of the lids' gap under half of what it usually is.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from ..engine.retarget import opening_rows
from ..face.morphable import Morphable, openings
from ..networks.speech import FREQUENCIES, SWAYS
from .speech import Taken

LOWEST_HZ, HIGHEST_HZ = 0.12, 2.5
SHORTEST_S = 4.0  # clips that are shorter say nothing about slow sway
BROWS = (70, 63, 105, 66, 107, 300, 293, 334, 296, 336)
DIP, LONGEST_BLINK_S, APART_S = 0.5, 0.4, 0.3  # share of the usual gap, seconds, seconds between two blinks
HALF = 1.8  # times that a blink lasts longer than its lids are half shut


def brow_of(model: Morphable) -> np.ndarray:
    """(64,): the least surprising expression that raises the brows by one head size."""
    row = -model.expression[:, BROWS, 1].mean(1)
    return row / (row @ row)


def sway_of(model: Morphable, clips: list[Taken]) -> tuple[np.ndarray, np.ndarray]:
    """(F,) Hz and (F, 7, 7): amplitudes of the waves that speaking heads are made of, see networks/speech.py."""
    frequencies = np.geomspace(LOWEST_HZ, HIGHEST_HZ, FREQUENCIES)
    bands = np.gradient(frequencies)
    row = brow_of(model) / (brow_of(model) @ brow_of(model))
    moves = [(np.column_stack([clip.head, clip.face @ row]), clip.fps) for clip in clips if len(clip.head) / clip.fps >= SHORTEST_S]
    spreads = np.array([_detrended(rows).std(0) for rows, _fps in moves])
    joint = np.mean([_spectrum(_detrended(rows) / spread, fps, frequencies)
                     for (rows, fps), spread in zip(moves, spreads, strict=True)], axis=0)  # fmt: skip
    joint *= bands[:, None, None]
    usual = np.median(spreads, axis=0) / np.sqrt(np.einsum("fii->i", joint))
    sizes, ways = np.linalg.eigh(joint * usual[:, None] * usual)
    return frequencies, ways * np.sqrt(np.maximum(sizes, 0))[:, None, :]


def _detrended(rows: np.ndarray) -> np.ndarray:
    return rows - np.median(rows, axis=0)


def _spectrum(rows: np.ndarray, fps: float, frequencies: np.ndarray) -> np.ndarray:
    """(F, D, D) power per Hz, the part in which all move in step, at these frequencies."""
    taper = np.hanning(len(rows))[:, None]
    wave = np.exp(-2j * np.pi * frequencies[:, None] * np.arange(len(rows)) / fps)
    found = wave @ (rows * taper)
    power = np.einsum("fi,fj->fij", found, found.conj()).real
    return 2 * power / (fps * np.square(taper).sum())


def blinks_of(model: Morphable, clips: list[Taken]) -> np.ndarray:
    """(3,): seconds between blinks (median), the spread of their logarithm, seconds a blink lasts."""
    waits, lengths, seconds, count = [], [], 0.0, 0
    for clip in clips:
        at = list(_dips(model, clip))
        seconds, count = seconds + len(clip.face) / clip.fps, count + len(at)
        lengths += [stop - start for start, stop in at]
        waits += [later[0] - sooner[1] for sooner, later in pairwise(at)]
    spread = float(np.std(np.log(waits))) if len(waits) > 4 else 0.5
    mean = seconds / max(count, 1)
    return np.array([mean * np.exp(-(spread**2) / 2), spread, HALF * np.median(lengths) if lengths else 0.25])


def _dips(model: Morphable, clip: Taken) -> Iterator[tuple[float, float]]:
    """(begin, end) in seconds of each blink."""
    gap = (openings(model.mean)[:2] + clip.face @ opening_rows(model)[:2].T).mean(1)
    shut = gap < DIP * np.percentile(gap, 80)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], shut, [False]]).astype(int))) / clip.fps
    before = -APART_S
    for start, stop in zip(edges[::2], edges[1::2], strict=True):
        if stop - start <= LONGEST_BLINK_S and 0 < start >= before + APART_S and stop < len(gap) / clip.fps:
            yield float(start), float(stop)
            before = stop


__all__ = ["SWAYS", "blinks_of", "brow_of", "sway_of"]
