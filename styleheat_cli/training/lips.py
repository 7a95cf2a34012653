"""Lips that meet: where clips tell that they do, and how often a network's do at an m, b or p."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import maximum_filter1d, uniform_filter1d

from ..engine.speech import mouth_of, opened_by
from ..face.morphable import Morphable
from ..media.audio import HOP, RATE, hear
from ..networks.speech import BILABIAL, PHONEMES, Speech

if TYPE_CHECKING:
    from .speech import Taken

ROWS_A_SECOND = RATE / HOP
CLOSED, OPEN = 0.12, 0.35  # shares of a clip's usual opening under which the lips meet, and over which they do not
MEET_S = (0.025, 0.25)  # seconds that lips meet for an m, b or p, least and most
SHUT = 0.02  # head sizes of a gap that is none
NEAR = 4  # rows by which a mouth may shut before or after the sound
VOWELS = [n for n, name in enumerate(PHONEMES) if name[0] in "AEIOU"]


def meetings(sounds: np.ndarray) -> np.ndarray:
    """(M,) 1 in every m, b and p, 0 elsewhere, -1 within two rows of them."""
    bilabial = np.isin(sounds, [PHONEMES.index(name) for name in BILABIAL])
    return np.where(bilabial, 1, np.where(maximum_filter1d(bilabial, 5), -1, 0))


def seen_to_meet(share: np.ndarray, seen: np.ndarray, speaks: np.ndarray) -> np.ndarray:
    """(M,) 1 where lips shut for a moment amid a voice, 0 where they are open, -1 where neither can be told.

    share (M,): of the clip's usual opening.
    """
    found = np.where(seen & (share > OPEN), 0, -1)
    amid = uniform_filter1d(speaks.astype(float), round(0.3 * ROWS_A_SECOND)) > 0.4
    for begins, ends in runs(seen & (share < CLOSED)):
        if MEET_S[0] <= (ends - begins) / ROWS_A_SECOND <= MEET_S[1] and amid[begins:ends].any():
            found[begins:ends] = 1
    return found


def runs(held: np.ndarray) -> list[tuple[int, int]]:
    """Where (M,) bool holds without a break: first row and the one after the last."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], held.astype(int), [0]])))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def lips_at(model: Morphable, network: Speech, clips: Iterable[Taken]) -> tuple[int, int, float]:
    """At how many m, b and p whose sounds are written down a network's mouth shuts, of how many, and in which share of the
    vowels' frames (those next to an m, b or p left out) it does, too; 25 frames a second."""
    met, closed = [], []
    for clip in clips:
        if clip.sound is None or not (clip.sounds >= 0).any():
            continue
        times = np.arange(0, len(clip.sounds) / ROWS_A_SECOND, 0.04)
        shut = opened_by(model, mouth_of(network, hear(clip.sound), times), times) < SHUT
        bilabial = meetings(clip.sounds)
        met += [shut[np.abs(times * ROWS_A_SECOND - (a + b) / 2) <= (b - a) / 2 + NEAR].any() for a, b in runs(bilabial == 1)]
        vowel = np.isin(clip.sounds, VOWELS) & ~maximum_filter1d(bilabial == 1, 4 * NEAR + 1)
        closed += list(shut[vowel[np.floor(times * ROWS_A_SECOND).astype(int)]])
    return int(np.sum(met)), len(met), float(np.mean(closed)) if closed else 0.0
