"""Instrumental music from numbers, played otherwise than training makes it up: so many seconds at 16 kHz of a guitar, a violin, …"""

import numpy as np
from scipy.signal import lfilter

RATE = 16_000
CHORDS = ((0, 4, 7, 12, 16), (5, 9, 12, 17), (7, 11, 14, 19), (9, 12, 16, 21))
SCALE = (0, 2, 4, 5, 7, 9, 11, 12, 14, 16)


def guitar(random, seconds):
    """Strummed chords of plucked strings."""
    sound, at, root = np.zeros(round(seconds * RATE)), 0.0, random.choice([98, 110, 131])
    while at < seconds:
        for number, step in enumerate(CHORDS[random.integers(4)]):
            put(sound, at + 0.015 * number, plucked(random, root * 2 ** (step / 12), 1.5))
        at += random.choice([0.25, 0.5, 0.5, 1])
    return sound


def plucked(random, hz, seconds):
    period = round(RATE / hz)
    struck = np.zeros(round(seconds * RATE))
    struck[:period] = random.uniform(-1, 1, period)
    back = np.zeros(period + 2)
    back[[0, period, period + 1]] = 1, -0.498, -0.498
    return lfilter([1], back, struck) * np.minimum(1, (seconds - np.arange(len(struck)) / RATE) / 0.02)


def piano(random, seconds):
    """Struck notes, each a little out of harmony and dying away."""
    sound, at, t = np.zeros(round(seconds * RATE)), 0.0, np.arange(2 * RATE) / RATE
    while at < seconds:
        hz = 110 * 2 ** (random.choice([0, 4, 7, 12, 16, 19, 24]) / 12)
        parts = (np.sin(2 * np.pi * hz * n * np.sqrt(1 + 4e-4 * n * n) * t) * np.exp(-t * (1.2 + 0.5 * n)) / n for n in range(1, 12))
        put(sound, at, sum(parts) * np.minimum(1, t / 0.004) * random.uniform(0.4, 1))
        at += random.choice([0.2, 0.25, 0.4, 0.5])
    return sound


def violin(random, seconds):
    """A melody with vibrato that swells note by note as a voice does syllable by syllable."""
    count, at = round(seconds * RATE), 0
    steps, swell = np.zeros(count), np.zeros(count)
    while at < count:
        end = min(count, at + round(random.choice([0.18, 0.25, 0.35, 0.6]) * RATE))
        steps[at:end] = SCALE[random.integers(10)]
        swell[at:end] = random.uniform(0.5, 1) * np.sqrt(np.sin(np.pi * np.linspace(0, 1, end - at)))
        at = end
    glide = lfilter([0.002], [1, -0.998], steps - steps[0]) + steps[0]
    hz = 220 * 2 ** (glide / 12) * (1 + 0.008 * np.sin(12 * np.pi * np.arange(count) / RATE))
    return sum(np.sin(2 * np.pi * n * np.cumsum(hz) / RATE) / n for n in range(1, 12)) * swell


def strings(random, seconds):
    """A pad of chords with a tremolo."""
    t, made = np.arange(round(1.6 * RATE)) / RATE, []
    edge = np.minimum(1, np.minimum(t, t[-1] - t) / 0.15) * (1 + 0.35 * np.sin(2 * np.pi * 5.2 * t))
    for _ in range(int(seconds / 1.6) + 1):
        notes = (196 * 2 ** (step / 12) for step in CHORDS[random.integers(4)])
        made.append(sum(np.sin(2 * np.pi * n * hz * t + hz) / n for hz in notes for n in range(1, 10)) * edge)
    return np.concatenate(made)[: round(seconds * RATE)]


def drums(random, seconds):
    """A kick, a snare and a cymbal in quavers."""
    sound, t = np.zeros(round(seconds * RATE)), np.arange(RATE // 4) / RATE
    for number in range(int(seconds / 0.28)):
        if number % 4 == 0:
            put(sound, 0.28 * number, 1.2 * np.sin(2 * np.pi * (50 * t + 2 * (1 - np.exp(-30 * t)))) * np.exp(-14 * t))
        if number % 4 == 2:
            put(sound, 0.28 * number, 0.7 * random.normal(size=len(t)) * np.exp(-22 * t))
        put(sound, 0.28 * number, 0.18 * random.normal(size=len(t)) * np.exp(-60 * t))
    return sound


def band(random, seconds):
    """Guitar, drums and a melody together."""
    return sum(part(random, seconds) / part(random, seconds).std() for part in (guitar, drums, violin))


def put(sound, at_s, note):
    start = round(at_s * RATE)
    stop = max(start, min(start + len(note), len(sound)))
    sound[start:stop] += note[: stop - start]


TUNES = {tune.__name__: tune for tune in (guitar, piano, violin, strings, drums, band)}
