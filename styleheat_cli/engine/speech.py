"""Speaking: the mouth that a voice asks for, laid over a motion. The lower face is the voice's, all else stays as it was."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.ndimage import gaussian_filter1d, maximum_filter1d, median_filter, minimum_filter1d, uniform_filter1d

from ..face.morphable import Morphable
from ..media.audio import levelled
from ..networks.speech import BILABIAL, HEARD, PHONEMES
from ..networks.speech import Speech as Network
from ..shot import EXPRESSION, MotionTrack, Speech
from .lower_face import closing, measures, projection
from .retarget import calm_of, opening_rows

BLOCK = 4000  # rows heard at once: memory stays flat in the speech's length
SILENCE = -3.4  # log10 of the mel magnitude (the loudest band) under which nothing sounds
STEADY, SWING_S = 0.25, 1.0  # log10 of the magnitude by which a voice at least rises and falls within so long
EAGER_S = 0.045  # seconds by which the network's mouth is ahead of real ones (mean lag of opening and width, held-out speakers)
EARLY_S = 0.2  # seconds by which a mouth moves before its voice is heard, and after it was
SOFT_S = 0.05  # standard deviation of how it comes and goes
STRESS = 1.6  # times that a mouth moves farther than its most likely movement, which is always the smaller one
LOW, WITHIN_S, CONTRAST = 0.6, 0.75, 1.8  # share taken off of the least gap within so long; times what is left of the gap
SEALED, AJAR = 0.03, 0.1  # head sizes by which closed lips press on each other, and gap at which they no longer do
MEETS, CERTAIN = 0.2, 0.6  # probabilities whose peaks are an m, b or p, and at which lips meet in any case
AHEAD_S = 0.04  # seconds by which lips meet before their sound is heard
MET_S, DRAWN_S, APART_S = 0.03, 0.04, 0.15  # seconds that lips meet, draw together before and part after; between two peaks


@dataclass(frozen=True)
class Mouth:
    """What a voice does with a mouth at T times: expression (T, 64) against the mouth at rest; voice (T,) in [0, 1]: whether
    anybody speaks; closed (T,) in [0, 1]: how far the lips meet."""

    expression: np.ndarray
    voice: np.ndarray
    closed: np.ndarray


def mouth_of(network: Network, speech: Speech, times: np.ndarray) -> Mouth:
    """The mouth of a speech at times (T,) in its seconds; where nobody speaks, and beyond its ends, it rests."""
    said, count = _said(network, levelled(speech.mel)), network.modes  # [M K+2+41]
    at = np.arange(len(said)) / speech.rate
    rows = np.column_stack([said[:, :count] @ network.basis.cpu().numpy(), spoken(_probable(said[:, count]), speech)])
    found = np.stack([np.interp(times - EAGER_S, at, column) for column in rows.T], axis=-1)
    inside = (times >= 0) & (times < speech.length_s + EARLY_S)
    return Mouth(found[:, :64], found[:, 64] * inside, np.interp(times + AHEAD_S, at, shut(meeting(said, count), speech.rate)))


@torch.inference_mode()
def _said(network: Network, mel: np.ndarray) -> np.ndarray:
    """(M, K + 2 + 41) of levelled rows (M, 80); beyond the ends it is quiet."""
    quiet = np.full((HEARD, mel.shape[1]), mel.min(), np.float32)
    padded = np.concatenate([quiet, mel, quiet])
    made = []
    for start in range(0, len(mel), BLOCK):
        part = torch.from_numpy(padded[start : start + BLOCK + 2 * HEARD].T[None]).to(network.out.weight)
        made.append(network.said(part)[0, :, HEARD : part.shape[2] - HEARD].T.float().cpu().numpy())
    return np.concatenate(made)


def meeting(said: np.ndarray, modes: int) -> np.ndarray:
    """(M,) probability that the lips meet: that the sound is made with both of them."""
    sounds = np.exp(said[:, modes + 2 :] - said[:, modes + 2 :].max(1, keepdims=True))
    return sounds[:, [PHONEMES.index(name) for name in BILABIAL]].sum(1) / sounds.sum(1)


def shut(probability: np.ndarray, rate: float) -> np.ndarray:
    """(M,) in [0, 1]: how far lips meet: wholly for a moment at each peak of the probability (M,), longer where it is certain."""
    peak = (probability == maximum_filter1d(probability, round(APART_S * rate))) & (probability > MEETS)
    held = (peak | (probability > CERTAIN)).astype(np.float64)
    drawn = round(DRAWN_S * rate)
    return uniform_filter1d(maximum_filter1d(held, round(MET_S * rate) + drawn), drawn)


def _probable(logit: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-np.clip(logit, -30, 30)))


def spoken(probability: np.ndarray, speech: Speech) -> np.ndarray:
    """(M,) in [0, 1]: 1 where somebody speaks and a little before and after, 0 in silence and where only music plays."""
    rate = speech.rate
    sounds = (probability > 0.5) & (speech.mel.max(1) > SILENCE) & (_swing(speech) > STEADY)
    steady = median_filter(sounds.astype(np.float64), round(0.1 * rate) | 1, mode="nearest")
    wide = maximum_filter1d(steady, 2 * round(EARLY_S * rate) + 1, mode="constant")
    return gaussian_filter1d(wide, SOFT_S * rate, mode="nearest")


def _swing(speech: Speech) -> np.ndarray:
    """(M,): how far the level moves round each row; syllables move it by a factor of three at least, hiss and pads do not."""
    level, size = gaussian_filter1d(speech.mel.mean(1).astype(np.float64), 2), round(SWING_S * speech.rate)
    return maximum_filter1d(level, size) - minimum_filter1d(level, size)


def speak(model: Morphable, own: MotionTrack, motion: MotionTrack, mouth: Mouth, gain: float = 1.0) -> MotionTrack:
    """The motion with its lower face speaking: rows of `motion` and of `mouth` belong together.

    own: what the source does by itself: its calm mouth, lips closed, is where speech starts from and rests.
    """
    now = motion.expression.astype(np.float64)
    rest = calm_of(model, own.expression) if len(own.coeffs) > 1 else own.expression[0]
    said = (gain * STRESS * mouth.voice)[:, None] * mouth.expression
    wanted = now + (rest + said - now) @ projection(model).T
    row, opened = opening_rows(model)[2], opened_by(model, mouth, motion.times, gain)
    goal = opened - SEALED * np.maximum(1 - opened / AJAR, 0)
    parted = _calm_gap(own) + wanted @ row
    wanted += (goal - parted)[:, None] * closing(model)
    coeffs = motion.coeffs.copy()
    coeffs[:, EXPRESSION] = wanted
    return motion.with_(coeffs=coeffs)


def opened_by(model: Morphable, mouth: Mouth, times: np.ndarray, gain: float = 1.0) -> np.ndarray:
    """(T,) head sizes by which a mouth parts the lips; 0 where they meet."""
    return gain * mouth.voice * articulated(mouth.expression @ measures(model)[0], times) * (1 - mouth.closed)


def articulated(gap: np.ndarray, times: np.ndarray) -> np.ndarray:
    """(T,) the lips' gap with the contrast of real speech: a likely gap never closes and never gapes, a real one does both."""
    gap = np.maximum(gap, 0)
    step = float(np.median(np.diff(times))) if len(times) > 1 else 1.0
    least = minimum_filter1d(gap, round(WITHIN_S / step) | 1, mode="nearest")
    return CONTRAST * np.maximum(gap - LOW * gaussian_filter1d(least, 0.2 * WITHIN_S / step, mode="nearest"), 0)


def _calm_gap(own: MotionTrack) -> float:
    """Head sizes between the lips of the face at ease."""
    return 0.0 if own.calm is None else float(own.calm[2])
