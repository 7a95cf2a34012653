"""Life: how a head sways and blinks while its owner speaks, sampled from the statistics of real speakers."""

from __future__ import annotations

import numpy as np

from ..face.morphable import Morphable
from ..networks.speech import Speech as Network
from ..shot import ANGLES, EXPRESSION, MotionTrack
from .retarget import opening_rows

SETTLING_S = 1.5  # seconds over which the pose of the photo gives way to the sway
SHUT_S = 0.4  # share of a blink in which the lids come down; they rise more slowly
FIRST_S, SHORTEST_S = 0.7, 0.9  # seconds before the first blink, and least between two


def enlivened(model: Morphable, network: Network, motion: MotionTrack, seed: int) -> MotionTrack:
    """The motion of a head that is alive: it sways and blinks round what it does; the first row stays as it is."""
    random = np.random.default_rng(seed)
    since = motion.times - motion.times[0]
    moves = swaying(network.frequencies.cpu().numpy(), network.sway.cpu().numpy(), since, random)  # [T 7]
    coeffs = motion.coeffs.astype(np.float64)
    size = coeffs[:, 69:70] * np.exp(moves[:, 5:6])
    coeffs[:, ANGLES] += moves[:, :3]
    coeffs[:, 67:69] += moves[:, 3:5] * coeffs[:, 69:70]
    coeffs[:, 69:70] = size
    coeffs[:, EXPRESSION] += moves[:, 6:7] * network.brow.cpu().numpy()
    shut = blinking(since, *network.blinks.tolist(), random)
    coeffs[:, EXPRESSION] = lowered(model, motion, coeffs[:, EXPRESSION], shut)
    return motion.with_(coeffs=coeffs.astype(np.float32))


def swaying(frequencies: np.ndarray, amplitudes: np.ndarray, times: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """(T, D): a random motion whose waves have these frequencies (F,) Hz and joint amplitudes (F, D, D); 0 at time 0."""
    count, size = amplitudes.shape[:2]
    phase = 2 * np.pi * frequencies * (1 + 0.02 * random.standard_normal(count))  # never in step again
    sine, cosine = (np.einsum("fij,fj->fi", amplitudes, random.standard_normal((count, size))) for _ in range(2))
    moves = np.zeros((len(times), size))
    for wave in range(count):
        turn = phase[wave] * times[:, None]
        moves += np.sin(turn) * sine[wave] + np.cos(turn) * cosine[wave]
    return moves - np.exp(-times / SETTLING_S)[:, None] * cosine.sum(0)


def blinking(times: np.ndarray, every_s: float, spread: float, lasts_s: float, random: np.random.Generator) -> np.ndarray:
    """(T,) in [0, 1]: how far the lids are shut; waits between blinks are log-normal."""
    shut, at = np.zeros(len(times)), FIRST_S + random.uniform(0, 1) * every_s / 2
    while len(times) and at < times[-1]:
        share = (times - at) / lasts_s
        fall, rise = share / SHUT_S, (1 - share) / (1 - SHUT_S)
        shut = np.maximum(shut, np.where((share > 0) & (share < 1), np.sin(0.5 * np.pi * np.clip(np.minimum(fall, rise) * 1.25, 0, 1)) ** 2, 0))
        at += lasts_s + max(SHORTEST_S, every_s * np.exp(spread * random.standard_normal()))
    return shut


def lowered(model: Morphable, motion: MotionTrack, expression: np.ndarray, shut: np.ndarray) -> np.ndarray:
    """(T, 64): the expression with the lids lowered by these shares (T,) of their opening."""
    rows = opening_rows(model)[:2]
    calm = np.zeros(2) if motion.calm is None else motion.calm[:2].astype(np.float64)
    parted = np.maximum(calm + expression @ rows.T, 0)
    return expression - (shut[:, None] * parted) @ np.linalg.pinv(rows).T
