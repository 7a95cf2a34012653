"""A voice from numbers: syllables of a buzzing source through the resonances of a mouth, to show speech without a recording.

Source: formant synthesis (Klatt 1980), with the vowels' first three resonances as Peterson and Barney (1952) measured them.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from .audio import RATE, write_wav

FORMANTS_HZ = {"a": (730, 1090, 2440), "i": (270, 2290, 3010), "u": (300, 870, 2240), "e": (530, 1840, 2480), "o": (570, 840, 2410)}
BANDWIDTHS_HZ = (80, 100, 140)
SYLLABLES = ("ma", "u", "pi", " ", "ba", "mo", "i", "a", " ", "mu", "pa", "e")
SYLLABLE_S, CLOSED_S = 0.24, 0.07
PITCH_HZ, FALL_HZ = 205, 45  # where a breath begins, and how far it falls
LEVEL = 0.25


def write_babble(path: Path, seconds: float) -> None:
    """A wav file of syllables for so long."""
    write_wav(path, babble(seconds))


def babble(seconds: float) -> np.ndarray:
    """(n,) float32 at RATE: m, b and p are closures, a blank is a pause."""
    count = int(np.ceil(seconds / SYLLABLE_S))
    spoken = [_syllable(SYLLABLES[place % len(SYLLABLES)], place) for place in range(count)]
    voice = np.concatenate(spoken)[: round(seconds * RATE)]
    return (LEVEL * voice / max(np.abs(voice).max(), 1e-6)).astype(np.float32)


def _syllable(letters: str, place: int) -> np.ndarray:
    """One syllable: closed lips hum or are silent, then the vowel swells and fades."""
    times = np.arange(round(SYLLABLE_S * RATE)) / RATE
    if letters == " ":
        return np.zeros(len(times))
    pitch = PITCH_HZ - FALL_HZ * (place % 4) / 4
    buzz = sum(np.sin(2 * np.pi * pitch * n * times) / n for n in range(1, int(4000 / pitch)))
    begins = CLOSED_S if len(letters) > 1 else 0.0
    open_share = np.clip((times - begins) / 0.04, 0, 1) * np.clip((SYLLABLE_S - times) / 0.05, 0, 1)
    hum = 0.1 * np.sin(2 * np.pi * pitch * times) * (times < begins) * (letters[0] == "m")
    return open_share * _resonant(buzz, FORMANTS_HZ[letters[-1]]) + hum


def _resonant(source: np.ndarray, formants: tuple[int, ...]) -> np.ndarray:
    """The source through one resonance after the other, as loud as another."""
    from scipy.signal import lfilter

    for frequency, width in zip(formants, BANDWIDTHS_HZ, strict=True):
        radius = np.exp(-np.pi * width / RATE)
        tail = [1, -2 * radius * np.cos(2 * np.pi * frequency / RATE), radius**2]
        source = lfilter([sum(tail)], tail, source)
    return source / max(np.abs(source).max(), 1e-6)
