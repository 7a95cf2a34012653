"""Sounds without a voice, made up: instruments alone and together, drums, hiss; so that a mouth learns to rest while they play.

Nothing is recorded. What could be taken for syllables is there on purpose: notes that swell and slide, filters that sweep as
vowels do, and noises that begin like consonants.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.signal import lfilter

from ..media.audio import RATE

LENGTH_S = 8.0
HARMONICS, HIGHEST_HZ = 24, 7000.0
NOTE_S = (0.12, 0.8)
MODES = ((0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10), (0, 2, 4, 7, 9))  # semitones of a scale's notes
Instrument = Callable[[np.random.Generator, float, float], np.ndarray]
"""(random, Hz, seconds) -> a note's samples (n,) at 16 kHz, about 1 high."""


def music(random: np.random.Generator) -> np.ndarray:
    """(n,) some seconds at 16 kHz without a voice: noise, one instrument, or up to four; sometimes after a silence."""
    count = round(LENGTH_S * RATE)
    if random.random() < 0.2:
        sound = _noise(random, count)
    else:
        sound = sum(_even(_part(random, count)) * random.uniform(0.3, 1) for _ in range(random.choice([1, 1, 2, 3, 4])))
    if random.random() < 0.3:
        sound = _swept(random, sound)
    if random.random() < 0.2:
        sound[: random.integers(count // 4)] = 0
    hiss = 10 ** random.uniform(-4, -2) * random.normal(size=count)
    return (0.1 * _even(sound + hiss * sound.std())).astype(np.float32)


def _even(sound: np.ndarray) -> np.ndarray:
    return sound / max(float(sound.std()), 1e-9)


def _part(random: np.random.Generator, count: int) -> np.ndarray:
    """(count,) what one player plays: notes or chords of a scale in a rhythm, a gliding melody, or drums."""
    kind = random.choice(["notes", "chords", "melody", "drums"], p=[0.3, 0.3, 0.2, 0.2])
    if kind == "drums":
        return _drums(random, count)
    if kind == "melody":
        return _melody(random, count)
    sound, player = np.zeros(count), INSTRUMENTS[random.integers(len(INSTRUMENTS))]
    beat, lasting, at = random.uniform(0.15, 0.7), random.choice([0.6, 1.0, 2.5]), 0.0
    while at < LENGTH_S:
        step = beat * random.choice([0.5, 1, 1, 2])
        for pitch in _chord(random) if kind == "chords" else _chord(random)[:1]:
            _add(sound, at + random.uniform(0, 0.02), player(random, pitch, max(step * lasting, 0.1)))
        at += step
    return sound


def _chord(random: np.random.Generator) -> list[float]:
    """Hz of three to five notes of a scale, the first within four octaves."""
    mode, start = MODES[random.integers(len(MODES))], random.integers(0, 7)
    root = 55 * 2 ** (random.integers(0, 36) / 12)
    steps = [start + 2 * n for n in range(random.integers(3, 6))]
    return [root * 2 ** ((mode[step % len(mode)] + 12 * (step // len(mode))) / 12) for step in steps]


def _tone(random: np.random.Generator, pitch: float, seconds: float) -> np.ndarray:
    """Harmonics that fall off and die away at some rate, or do not: pianos, bells, organs, pads."""
    t = np.arange(round(seconds * RATE)) / RATE
    fall, bright, stiff = random.choice([0.0, random.uniform(0.5, 7)]), random.uniform(0.3, 2.2), random.choice([0, 0, 4e-4])
    shake = 0.004 * random.random() * np.sin(2 * np.pi * random.uniform(3, 7) * t)
    tone = np.zeros(len(t))
    for n in range(1, HARMONICS + 1):
        hz = n * pitch * np.sqrt(1 + stiff * n * n)
        if hz < HIGHEST_HZ:
            tone += np.sin(2 * np.pi * hz * (t + shake / 20)) * np.exp(-fall * (0.6 + 0.4 * n) * t) / n**bright
    trembling = 1 + random.choice([0, 0.5]) * np.sin(2 * np.pi * random.uniform(2, 8) * t)
    return tone * trembling * _edges(t, seconds, random.choice([0.005, 0.03, 0.15]))


def _string(random: np.random.Generator, pitch: float, seconds: float) -> np.ndarray:
    """A plucked string. Source: Karplus and Strong, Digital synthesis of plucked-string and drum timbres (1983)."""
    period, soft, stays = max(round(RATE / pitch), 3), random.uniform(0.1, 0.6), random.uniform(0.98, 0.999)
    pluck = np.zeros(round(seconds * RATE))
    burst = lfilter([1], [1, -random.uniform(0, 0.8)], random.uniform(-1, 1, period))
    pluck[: len(burst)] = burst[: len(pluck)]
    feedback = np.zeros(period + 2)
    feedback[0], feedback[period], feedback[period + 1] = 1, -stays * (1 - soft), -stays * soft
    return lfilter([1], feedback, pluck) * _edges(np.arange(len(pluck)) / RATE, seconds, 0.002)


def _blown(random: np.random.Generator, pitch: float, seconds: float) -> np.ndarray:
    """A flute's or a horn's note: breath in the tone, louder as it goes on."""
    t = np.arange(round(seconds * RATE)) / RATE
    tone = np.sin(2 * np.pi * pitch * t + random.uniform(0.2, 3) * np.sin(2 * np.pi * pitch * t) * np.minimum(1, t / 0.1))
    return (tone + random.uniform(0, 0.2) * random.normal(size=len(t))) * _edges(t, seconds, random.uniform(0.02, 0.12))


INSTRUMENTS: tuple[Instrument, ...] = (_tone, _tone, _string, _string, _blown)


def _edges(t: np.ndarray, seconds: float, soft_s: float) -> np.ndarray:
    return np.minimum(1, t / soft_s) * np.clip((seconds - t) / max(0.02, soft_s), 0, 1)


def _melody(random: np.random.Generator, count: int) -> np.ndarray:
    """(count,) one voice of strings or brass that slides from note to note, with a vibrato and swells about as long as syllables."""
    pitch, volume, at, notes = np.zeros(count), np.zeros(count), 0, _chord(random)
    while at < count:
        end = min(count, at + round(random.uniform(*NOTE_S) * RATE))
        t = np.linspace(0, 1, end - at)
        pitch[at:end] = notes[random.integers(len(notes))]
        volume[at:end] = random.uniform(0.3, 1) * np.sin(np.pi * t) ** random.uniform(0.2, 1.5) * (random.random() < 0.93)
        at = end
    slide = np.exp(-1 / (random.uniform(0.005, 0.06) * RATE))
    pitch = lfilter([1 - slide], [1, -slide], pitch - pitch[0]) + pitch[0]
    pitch *= 1 + random.uniform(0, 0.015) * np.sin(2 * np.pi * random.uniform(4, 7) * np.arange(count) / RATE)
    phase, bright = np.cumsum(pitch) / RATE, random.uniform(0.6, 2)
    sound = sum(np.sin(2 * np.pi * n * phase) * (n * pitch < HIGHEST_HZ) / n**bright for n in range(1, HARMONICS + 1)) * volume
    return np.tanh(random.uniform(1, 5) * sound / np.abs(sound).max()) if random.random() < 0.4 else sound


def _drums(random: np.random.Generator, count: int) -> np.ndarray:
    """(count,) a beat of drums, snares and cymbals."""
    sound, step, t = np.zeros(count), random.uniform(0.1, 0.25), np.arange(round(0.3 * RATE)) / RATE
    drum = np.sin(2 * np.pi * (random.uniform(45, 120) * t - 2 * np.exp(-25 * t))) * np.exp(-random.uniform(8, 20) * t)
    rattle, tight = random.uniform(0.3, 1), random.uniform(12, 40)
    beat = random.random((3, 16)) < np.array([0.25, 0.2, 0.6])[:, None]
    for number in range(int(LENGTH_S / step)):
        strike = random.uniform(0.6, 1)
        for played, hit in zip(beat[:, number % 16], (drum, None, None), strict=True):
            if played:
                noise = random.normal(size=len(t)) * np.exp(-tight * t)
                _add(sound, number * step, strike * (hit if hit is not None else rattle * noise))
    return sound if random.random() < 0.5 else np.diff(sound, append=0) + 0.3 * sound


def _swept(random: np.random.Generator, sound: np.ndarray) -> np.ndarray:
    """The sound through one or two resonances that wander as those of vowels do, or stay."""
    for _ in range(random.integers(1, 3)):
        low, high = np.sort(random.uniform(250, 3000, 2))
        speed, size, width = random.choice([0, random.uniform(0.3, 5)]), RATE // 50, random.uniform(0.9, 0.98)
        made, state = np.empty_like(sound), np.zeros(2)
        for start in range(0, len(sound), size):
            centre = low + (high - low) * (0.5 + 0.5 * np.sin(2 * np.pi * speed * start / RATE))
            turn = 2 * width * np.cos(2 * np.pi * centre / RATE)
            made[start : start + size], state = lfilter([1 - width], [1, -turn, width**2], sound[start : start + size], zi=state)
        sound = 0.2 * _even(sound) + _even(made)
    return sound


def _noise(random: np.random.Generator, count: int) -> np.ndarray:
    """(count,) hiss, wind or hum: noise of some colour that swells slowly, or switches on and off."""
    wave = np.fft.rfft(random.normal(size=count)) * np.maximum(np.arange(count // 2 + 1), 100.0) ** -random.uniform(0, 1.2)
    knots = random.integers(3, 12)
    volume = random.uniform(0.1, 1, knots) * (random.random(knots) < 0.85) + 1e-3
    return np.fft.irfft(wave, count) * np.interp(np.arange(count), np.linspace(0, count, knots), volume)


def _add(sound: np.ndarray, begins_s: float, note: np.ndarray) -> None:
    start = round(begins_s * RATE)
    stop = max(start, min(start + len(note), len(sound)))
    sound[start:stop] += note[: stop - start]
