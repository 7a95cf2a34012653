"""The bridge from the landmark model to the 73 numbers that the published networks are driven by.

All edits are made in the landmark model's space. What the published motion generator gets is the estimated linear map of
the result; where Deep3D is installed, its own reading takes the map's place, and only what an edit changed goes through
the map. Where the head is always comes from the landmarks.

The map is part of the morphable model (`styleheat train morphable`, quality on its card). How Deep3D's unit and origin lie
in a head is what that job prints as placement, of 47 clips: they give its scale to 1.6 %, its place to 1.9 pixels of 256.
Convention: Deep3D's crop numbers are (s, tx, ty) in a picture of 256 pixels, y upwards; s = 102 / (pixels of its unit).
"""

from __future__ import annotations

import numpy as np

from ..face.align_published import FACE_SCALE
from ..face.morphable import Morphable, rotation
from ..shot import ANGLES, COEFFICIENTS, CROP, EXPRESSION, TRANSLATION, WINDOW_RADIUS, MotionTrack, Reading, Shot
from .retarget import Controls, calm_rows, eased

SIDE = 256
UNIT = 3.005  # head sizes that Deep3D's unit is
ORIGIN = np.array([0.0, 0.182, 0.996])  # of Deep3D's face in canonical space, head sizes
ROLL = 66
RATE = 25  # frames a second of the clips that the networks were trained on


def coefficients(model: Morphable, shot: Shot, crops: np.ndarray) -> np.ndarray:
    """(T, 73) float32: what the published networks are told to do, for crops (T, 2, 3) of the output's rows."""
    motion = shot.motion
    rows = numbers(model, motion, motion.times)
    rows[:, ROLL] += np.arctan2(crops[:, 0, 1], crops[:, 0, 0])  # the square leans, Deep3D's roll runs the other way
    rows[:, CROP] = crop_numbers(motion, crops)
    return rows.astype(np.float32)


def numbers(model: Morphable, motion: MotionTrack, times: np.ndarray) -> np.ndarray:
    """(T, 73) at these seconds: expression, angles and translation in an upright picture; crop numbers 0."""
    rows, reading = mapped(model, motion.at(times)), motion.reading
    if reading is not None:
        rows += reading.bfm.at(times) - mapped(model, reading.landmark.at(times))
    return rows


def mapped(model: Morphable, coeffs: np.ndarray) -> np.ndarray:
    """(T, 73) of the landmark model -> (T, 73): expression and angles of Deep3D, the rest 0."""
    rows = np.zeros((len(coeffs), COEFFICIENTS))
    known = np.concatenate([coeffs[:, EXPRESSION], coeffs[:, ANGLES], np.ones((len(coeffs), 1))], 1)
    rows[:, : ANGLES.stop] = known @ model.deep3d
    return rows


def crop_numbers(motion: MotionTrack, crops: np.ndarray) -> np.ndarray:
    """(T, 3) s, tx, ty of heads in their crops."""
    size = np.sqrt(np.linalg.det(crops[:, :, :2].astype(np.float64))) * SIDE  # crop pixels in one of the frame
    at = motion.head_at + motion.head_size[:, None] * (rotation(motion.angles) @ ORIGIN)[:, :2]
    x, y = SIDE * (np.einsum("tij,tj->ti", crops[:, :, :2], at) + crops[:, :, 2]).T
    return np.stack([FACE_SCALE / (UNIT * motion.head_size * size), x - 0.5, SIDE - 0.5 - y], 1)


def followed(
    model: Morphable, own: MotionTrack, driving: MotionTrack, made: MotionTrack, controls: Controls
) -> Reading | None:
    """What Deep3D's readings say of the motion `made` of two clips; nothing where one has none, or where an option
    speaks of lips or eyes, which its numbers do not tell apart."""
    parted = controls.region in ("lips", "eyes") or (controls.mouth_gain, controls.eyes_gain) != (1, 1)
    if own.reading is None or driving.reading is None or parted:
        return None
    times = made.times
    mine, theirs = numbers(model, own, times), driving.reading.bfm.at(times)
    start = _anchor(model, own, driving, controls) if controls.relative else np.zeros(COEFFICIENTS)
    change = theirs - start
    if controls.region in ("all", "pose"):
        pose = slice(ANGLES.start, TRANSLATION.stop)
        turn = controls.pose_gain * change[:, pose] - (0 if controls.relative else mine[:, pose])
        turn[:, :3] = eased(turn[:, :3], np.radians(controls.pose_limit_deg))
        mine[:, pose] += turn
    if controls.region in ("all", "expression"):
        kept = mine[:, EXPRESSION] if controls.relative else 0
        mine[:, EXPRESSION] = kept + controls.expression_gain * change[:, EXPRESSION]
    return Reading(made.with_(reading=None), MotionTrack(mine, times, space="bfm"))


def _anchor(model: Morphable, own: MotionTrack, driving: MotionTrack, controls: Controls) -> np.ndarray:
    """(73,) Deep3D's reading of the moment against which motion counts."""
    if controls.anchor == "source":
        return numbers(model, own, own.times[:1])[0]
    if controls.anchor != "rest":
        return driving.reading.bfm.at(np.array([float(controls.anchor)]))[0]
    rows = driving.reading.bfm.at(driving.times[driving.known])
    anchor = np.median(rows, axis=0)
    anchor[EXPRESSION] = rows[calm_rows(model, driving.expression[driving.known]), EXPRESSION].mean(0)
    return anchor


def windows(rows: np.ndarray, times: np.ndarray, chosen: range) -> np.ndarray:
    """(T, 73) at their seconds -> (N, 73, 27): around each chosen row 13 before and 13 after it, held at both ends.

    The steps are 1/25 s: at 25 frames a second these are the neighbouring frames; at other rates the window still is the
    second of motion that the networks were trained on.
    """
    steps = np.arange(-WINDOW_RADIUS, WINDOW_RADIUS + 1) / RATE
    wanted = (times[chosen.start : chosen.stop, None] + steps).clip(times[0], times[-1])
    found = MotionTrack(rows, times).at(wanted.ravel())
    return found.reshape(len(chosen), len(steps), -1).transpose(0, 2, 1)
