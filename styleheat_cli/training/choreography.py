"""The demo's motion, written by hand: a nod, a turn, speech-like lips, blinks and a smile, in seven seconds.

Head angles are written as they are; a wish for the face (lids apart by so much, lip corners up by so much) becomes the
least surprising expression of the morphable model that grants it.
"""

from __future__ import annotations

import numpy as np

from ..engine.retarget import opening_rows, width_row
from ..face.morphable import Morphable, openings
from ..face.regions import MOUTH_CORNERS
from ..shot import ANGLES, CROP, EXPRESSION, TRANSLATION, MotionTrack

FPS = 25
SECONDS = 7.0
BLINKS_S = (0.7, 2.3, 3.9, 5.2)
BLINK_S = 0.24  # from open to open
NODS = ((0.5, 1.3, -13.0), (1.3, 1.9, 6.0))  # begin, end (s), degrees of pitch at the middle
TURNS = ((1.9, 3.6, 21.0), (3.4, 5.2, -19.0))  # begin, end (s), degrees of yaw at the middle
TILT = (3.6, 6.6, 7.0)  # begin, end (s), degrees of roll at the middle
SPEECH_S = (2.1, 5.0)
SYLLABLES_HZ = (2.3, 3.7)
LIPS_APART = 0.4  # head sizes
SMILE_S = (5.0, 7.0)
SMILE_WIDER, SMILE_HIGHER = 0.2, 0.12  # head sizes: lip corners apart, and up


def choreograph(model: Morphable) -> MotionTrack:
    """The motion, for the identity of the mean face."""
    times = np.arange(round(SECONDS * FPS)) / FPS
    coeffs = np.zeros((len(times), 73), np.float32)
    coeffs[:, ANGLES] = np.radians(_angles(times))
    coeffs[:, EXPRESSION] = _expression(model, times)
    coeffs[:, TRANSLATION] = (0, 0, 0.25)
    coeffs[:, CROP] = (512, 256, 256)
    return MotionTrack(coeffs, times, seen=np.ones(len(times), bool), identity=np.zeros(len(model.identity), np.float32))


def bump(times: np.ndarray, begin: float, end: float) -> np.ndarray:
    """(T,) smooth: 0 outside, 1 in the middle."""
    share = np.clip((times - begin) / (end - begin), 0, 1)
    return np.sin(np.pi * share) ** 2


def _angles(times: np.ndarray) -> np.ndarray:
    """(T, 3) degrees of pitch, yaw and roll."""
    pitch = sum(degrees * bump(times, begin, end) for begin, end, degrees in NODS)
    yaw = sum(degrees * bump(times, begin, end) for begin, end, degrees in TURNS)
    begin, end, degrees = TILT
    return np.column_stack([pitch, yaw, degrees * bump(times, begin, end)])


def _expression(model: Morphable, times: np.ndarray) -> np.ndarray:
    """(T, 64): the smallest coefficients that grant every wish of a moment."""
    lids = -sum(bump(times, at - BLINK_S / 2, at + BLINK_S / 2) for at in BLINKS_S)
    left, right, _ = openings(model.mean)
    smile = bump(times, *SMILE_S)
    wishes = np.column_stack(
        [lids * left, lids * right, LIPS_APART * _speech(times), SMILE_WIDER * smile, SMILE_HIGHER * smile]
    )
    rows = np.concatenate([opening_rows(model), _corner_rows(model)])  # [5 64]
    return wishes @ np.linalg.pinv(rows).T


def _speech(times: np.ndarray) -> np.ndarray:
    """(T,) in [0, 1]: how far the lips are apart, in the rhythm of syllables."""
    slow, quick = (0.5 - 0.5 * np.cos(2 * np.pi * hz * (times - SPEECH_S[0])) for hz in SYLLABLES_HZ)
    begin, end = SPEECH_S
    edge = np.clip(np.minimum(times - begin, end - times) / 0.25, 0, 1)
    return edge * slow * (0.35 + 0.65 * quick)


def _corner_rows(model: Morphable) -> np.ndarray:
    """(2, 64): how each expression component parts the lip corners, and raises them, in head sizes."""
    left, right = MOUTH_CORNERS
    raised = -(model.expression[:, right, 1] + model.expression[:, left, 1]) / 2
    return np.stack([width_row(model), raised])
