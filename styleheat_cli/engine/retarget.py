"""Retargeting: what the source head shall do, from what it does itself and what the driver does.

Relative motion adds the driver's change since its anchor to the source's own; absolute motion takes the driver's values.
Whatever the mode, eyes and lips follow by how far they are open against the person's own calm face, so that a closed
eye is closed on every face. The absolute neutral of the morphable model makes the driver's first frame irrelevant.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ..face.morphable import Morphable, expression_on, openings
from ..face.regions import (
    INNER_LIPS,
    LEFT_EYE,
    LEFT_IRIS,
    MOUTH_CORNERS,
    OUTER_LIPS,
    RIGHT_EYE,
    RIGHT_IRIS,
)  # fmt: skip
from ..face.smooth import smooth
from ..shot import ANGLES, CROP, EXPRESSION, TRANSLATION, MotionTrack
from .lids import blinked, together
from .response import mouth

log = logging.getLogger(__name__)

Region = Literal["all", "pose", "expression", "lips", "eyes"]
CALM_SHARE = 0.15  # share of a driver's frames, the least expressive, whose mean is its rest
AJAR = 0.1  # head sizes between the lips that weigh as much against calm as one standard deviation of everything
PLAUSIBLE = 3.5  # standard deviations, besides its own, beyond which an expression component is eased
NEARLY_CLOSED, HALF_OPEN = 0.25, 0.6  # shares of an open eye at which it counts as closed, and from which it is followed as it is
WIDEST = 1.6  # share of the calm opening that an eye opens at most
TREMBLE = 0.06  # share of the calm opening up to which a lid's quick movement is the tracker's
OPEN_EYES = 80  # percentile of a driver's openings at which its eyes count as open
AWAKE, AWOKEN = 0.4, 0.7  # shares of the opening at ease that a driver's, and a source's, open eye is at least
MEETING, LEAST = 5, 0.05  # percentile of a driver's gaps at which its lips count as met, up to so many head sizes
PART = 0.3  # share of a driver's gap by which a photo's own open mouth is parted beyond it: where a driver's lips meet, so do its
LIVELY, LIVELY_S = 0.12, 4.0  # head sizes that a driver's mouth moves where half of a photo's own smile is left, and seconds of smoothing
WIDE, NARROWS, MOSTLY = 2.0, 0.15, 95  # head sizes of the widest mouths; by how much they narrow per head size between the lips; percentile of moments that keep to it
USUAL = 0.05  # head sizes by which mouths at ease differ from person to person
LEASH = 1.5  # head sizes by which shoulders go another way than the head
LARGEST = 0.25  # natural logarithm of the head's growth beyond which it is eased


@dataclass(frozen=True)
class Controls:
    """How a driver is followed: the options of `reenact`, see there.

    anchor: the driver's moment that corresponds to the source as it is: `rest` or seconds; `source` where the source itself
    is such a moment, of the same person in the same framing. travel_limit: in head sizes.
    """

    relative: bool = True
    region: Region = "all"
    pose_gain: float = 1.0
    expression_gain: float = 1.0
    mouth_gain: float = 1.0
    eyes_gain: float = 1.0
    pose_limit_deg: float = 25.0
    travel_limit: float = 1.5
    anchor: float | Literal["rest", "source"] = "rest"


def retarget(
    model: Morphable, own: MotionTrack, driving: MotionTrack, times: np.ndarray, controls: Controls = Controls()
) -> MotionTrack:
    """The motion that the source performs at `times` (N,) seconds; rows are in the source's frame and crop.

    A still source (one row) keeps its place; a clip's own motion is sampled at the same times.
    """
    mine, theirs = own.at(times), driving.at(times)
    anchor = _anchor(model, own, driving, controls)
    out = mine.copy()
    if controls.region in ("all", "pose"):
        out[:, ANGLES] = _angles(mine, theirs, anchor, controls)
        out[:, TRANSLATION] = _place(mine, driving.with_(coeffs=theirs), driving.with_(coeffs=anchor[None]), controls)
    if controls.region != "pose":
        out[:, EXPRESSION] = _expression(model, own, mine, driving, theirs, anchor, controls, times)
    shoulders = own.shoulders_at(times)
    if controls.region in ("all", "pose"):
        shoulders = _shoulders(own, mine, out, driving, times, anchor, controls)
    return own.with_(coeffs=out.astype(np.float32), times=np.asarray(times, np.float64), shoulders=shoulders, seen=None)


def _anchor(model: Morphable, own: MotionTrack, driving: MotionTrack, controls: Controls) -> np.ndarray:
    """(73,) the driver's row against which its motion counts."""
    if controls.anchor == "source":
        row = _in_pixels_of(driving, own)
        row[EXPRESSION] = _as_on(model, driving, own)
        return row
    if controls.anchor != "rest":
        return driving.at(np.array([float(controls.anchor)]))[0]
    rows = _seen(driving)
    anchor = np.median(rows, axis=0)
    anchor[EXPRESSION] = calm_of(model, rows[:, EXPRESSION])
    return anchor


def _in_pixels_of(driving: MotionTrack, own: MotionTrack) -> np.ndarray:
    """(73,) the source's first row as the driver's frame, which shows the same view, has it."""
    row = own.coeffs[0].copy()
    widths = [track.clip.width if track.clip else 0 for track in (driving, own)]
    row[CROP] *= widths[0] / widths[1] if all(widths) else 1
    return row


def _as_on(model: Morphable, driving: MotionTrack, own: MotionTrack) -> np.ndarray:
    """(64,) the source's expression as it reads on the driver's face: who is who and what is expression differ with what was seen."""
    expression = own.expression[0].astype(np.float64)
    if own.ease is None or driving.ease is None:
        return expression
    shape = own.ease + np.tensordot(expression, model.expression, axes=1)
    return expression_on(model, shape, driving.ease)


def calm_of(model: Morphable, expression: np.ndarray) -> np.ndarray:
    """(64,) mean of the least expressive frames."""
    return expression[calm_rows(model, expression)].mean(0)


def calm_rows(model: Morphable, expression: np.ndarray) -> np.ndarray:
    """Indices of the least expressive frames of (T, 64): those nearest to the model's neutral, lips closed before all."""
    parted = expression @ opening_rows(model)[2] / AJAR
    size = np.square(expression).mean(1) + np.square(parted)
    count = max(1, round(CALM_SHARE * len(size)))
    return np.argsort(size, kind="stable")[:count]


def _angles(mine, theirs, anchor, controls):
    """(N, 3) radians; turns beyond the limit from the source's own pose are eased."""
    if controls.relative:
        turn = controls.pose_gain * (theirs[:, ANGLES] - anchor[ANGLES])
    else:
        turn = controls.pose_gain * theirs[:, ANGLES] - mine[:, ANGLES]
    limit = np.radians(controls.pose_limit_deg)
    most = float(np.abs(turn).max(initial=0))
    if most > limit:
        log.warning("the head would turn %.0f degrees: eased to stay near %.0f (--pose-limit)",
                    np.degrees(most), controls.pose_limit_deg)  # fmt: skip
    return mine[:, ANGLES] + eased(turn, limit)


def eased(value: np.ndarray, limit: float) -> np.ndarray:
    """The same value up to 80 % of the limit, beyond which it approaches 120 % of it smoothly."""
    knee, room = 0.8 * limit, 0.4 * limit
    size = np.abs(value)
    over = np.maximum(size - knee, 0)
    return np.sign(value) * (np.minimum(size, knee) + room * np.tanh(over / room))


def _place(mine, theirs: MotionTrack, anchor: MotionTrack, controls: Controls) -> np.ndarray:
    """(N, 3) x, y and size in crop sides: the driver's way in its own head sizes, walked in the source's."""
    move = (theirs.head_at - anchor.head_at) / anchor.head_size[:, None]
    growth = np.log(np.maximum(theirs.head_size / anchor.head_size, 1e-3))
    size = mine[:, 69]
    return np.column_stack([
        mine[:, 67:69] + eased(controls.pose_gain * move, controls.travel_limit) * size[:, None],
        size * np.exp(eased(controls.pose_gain * growth, LARGEST)),
    ])  # fmt: skip


def _shoulders(own: MotionTrack, mine, out, driving: MotionTrack, times, anchor, controls: Controls) -> np.ndarray | None:
    """(N, 4) in the source's frame: the shoulders as they were, and the driver's way in its own head sizes, walked in the
    source's, never far from the head's; none where nobody followed them."""
    before, theirs = own.shoulders_at(times), driving.shoulders_at(times)
    if theirs is None:
        return before
    moment = driving.with_(coeffs=anchor[None])
    way = controls.pose_gain * (theirs - _shoulders_then(driving, controls))
    head = own.with_(coeffs=out)
    here = head.head_size[:, None]
    with_head = (head.head_at - own.with_(coeffs=mine).head_at) / here
    way = np.column_stack([
        (with_head + eased(way[:, :2] / moment.head_size - with_head, LEASH)) * here,
        eased(way[:, 2:3], np.radians(controls.pose_limit_deg)),
        eased(way[:, 3:], LARGEST),
    ])  # fmt: skip
    return (way if before is None else before + way).astype(np.float32)


def _shoulders_then(driving: MotionTrack, controls: Controls) -> np.ndarray:
    """(4,) where the driver's shoulders were at the anchor's moment."""
    if controls.anchor == "source":
        return np.zeros(4)  # they count from its picture
    if controls.anchor != "rest":
        return driving.shoulders_at(np.array([float(controls.anchor)]))[0]
    return np.median(driving.shoulders[driving.known], axis=0)


def _expression(model, own, mine, driving, theirs, anchor, controls, times):
    """(N, 64): the source's calm face plus the driver's change, region by region, lids and lips matched."""
    rest, start = np.zeros(64), np.zeros(64)
    if controls.relative:
        rest = calm_of(model, own.expression) if len(own.coeffs) > 1 else own.expression[0]
        start = anchor[EXPRESSION]
    parts = region_projections(model)
    change = theirs[:, EXPRESSION] - start
    gains = {"lips": controls.mouth_gain, "eyes": controls.eyes_gain, "other": 1.0}
    gained = controls.expression_gain * sum(gain * change @ parts[name].T for name, gain in gains.items())
    wanted = rest + gained
    lively = _liveliness(model, gained, times)
    if controls.relative and controls.anchor == "rest":
        wanted = wanted - lively[:, None] * (parts["lips"] @ _smile(model, rest - start))
    if controls.anchor != "source":  # what somebody did is plausible on their own face
        wanted = eased(wanted, PLAUSIBLE + np.abs(rest))
    goal = np.column_stack([
        _lids(model, own, rest, driving, start, theirs, times, controls),
        _lips(model, own, rest, driving, start, start + gained, wanted, controls),
    ])  # fmt: skip
    wanted = _matched(model, own, wanted, goal, _wider(model, own, rest, wanted, goal[:, 2], lively, controls))
    if controls.region in ("lips", "eyes"):
        return mine[:, EXPRESSION] + (wanted - mine[:, EXPRESSION]) @ parts[controls.region].T
    return wanted


def _liveliness(model: Morphable, change: np.ndarray, times: np.ndarray) -> np.ndarray:
    """(N,) in [0, 1): the share of a photo's own smile that gives way to a driver whose mouth moves."""
    moved = np.maximum(smooth(_moved(model, change), times, LIVELY_S), 0)  # lines that are fitted go below it
    return moved**2 / (moved**2 + LIVELY**2)


def _smile(model: Morphable, excess: np.ndarray) -> np.ndarray:
    """(64,) of what a photo's mouth does beyond the driver's at ease, the part that is no mere difference between people."""
    return excess * max(1 - USUAL / max(float(_moved(model, excess)), 1e-9), 0)


def _moved(model: Morphable, change: np.ndarray) -> np.ndarray:
    """(...) head sizes by which an expression (..., 64) parts and widens a mouth."""
    return np.hypot(change @ opening_rows(model)[2], change @ width_row(model))


def _lids(model, own, rest, driving, start, theirs, times, controls):
    """(N, 2) head sizes: how far the eyes shall be open: by the driver's share of an open eye; where no moment is said to be the source's,
    eyes that it has shut or screwed up count as open by a share of what they are at ease."""
    measure, calm, ease = opening_rows(model)[:2], _calm_openings(model, driving)[:2], _calm_openings(model, own)[:2]
    open_eyes, mine = calm + measure @ start, ease + measure @ rest
    if controls.relative and controls.anchor == "rest":
        open_eyes = np.percentile(calm + _seen(driving)[:, EXPRESSION] @ measure.T, OPEN_EYES, axis=0)
        open_eyes, mine = np.maximum(open_eyes, AWAKE * calm), np.maximum(mine, AWOKEN * ease)
    ratio = (calm + theirs[:, EXPRESSION] @ measure.T) / np.maximum(open_eyes, 1e-3)
    ratio = together(1 + controls.expression_gain * controls.eyes_gain * (blinked(ratio, times) - 1))
    ratio = np.interp(ratio, [NEARLY_CLOSED, HALF_OPEN, WIDEST], [0, HALF_OPEN, WIDEST])
    return ratio * mine


def _lips(model, own, rest, driving, start, theirs, wanted, controls):
    """(N,) head sizes: how far the lips shall be parted: where the driver's meet, these do.

    A photo's own open mouth is parted farther than the driver's by no more than a share of the driver's gap.
    """
    row, calm, least = opening_rows(model)[2], _calm_openings(model, own)[2], _calm_openings(model, driving)[2]
    now = calm + wanted @ row
    now = np.maximum(now, min(calm + rest @ row, 0))
    gain = controls.expression_gain * controls.mouth_gain
    often, first = np.percentile(_seen(driving)[:, EXPRESSION] @ row, MEETING), start @ row
    met = np.clip(least + first + gain * (often - first), 0, LEAST)
    gap = np.maximum(least + theirs @ row - met, 0)
    follows = min(gain, 1)
    return now - follows * np.maximum(now - (1 + PART) * gap, 0)


def _wider(model, own, rest, wanted, gap, lively, controls):
    """(N,) head sizes by which the mouth shall be wider than wanted: narrower all along, as far as the driver's mouth moves,
    where it would else get wider than mouths are that are so far open."""
    if own.ease is None or controls.anchor == "source":
        return np.zeros(len(wanted))
    row, ease = width_row(model), float(mouth(own.ease)[1])
    most = max(WIDE, ease + float(rest @ row)) - NARROWS * np.maximum(gap, 0)
    return -lively * max(float(np.percentile(ease + wanted @ row - most, MOSTLY)), 0)


def _matched(model, own, wanted, goal, wider):
    """Moves the expression the least that gives lids and lips the openings `goal` (N, 3), and the mouth so much more width (N,)."""
    rows = np.vstack([opening_rows(model), width_row(model)])
    missing = goal - _calm_openings(model, own) - wanted @ rows[:3].T
    return wanted + np.column_stack([missing, wider]) @ np.linalg.pinv(rows).T


def _seen(motion: MotionTrack) -> np.ndarray:
    """(K, 73) the rows in which the face was seen; all where it never was or nobody said."""
    return motion.coeffs[motion.known]


def with_quick_lids(model: Morphable, raw: MotionTrack, smooth: MotionTrack) -> MotionTrack:
    """The smoothed motion with the lids of the raw one where they move too quickly for smoothing: a blink takes a frame or two."""
    measure = opening_rows(model)
    lost = (raw.expression - smooth.expression) @ measure.T
    lost[:, 2] = 0
    share = np.abs(lost) / np.maximum(_calm_openings(model, raw), 1e-3)
    lost *= np.clip((share - TREMBLE) / TREMBLE, 0, 1)
    coeffs = smooth.coeffs.copy()
    coeffs[:, EXPRESSION] += lost @ np.linalg.pinv(measure).T
    return smooth.with_(coeffs=coeffs)


def _calm_openings(model: Morphable, motion: MotionTrack) -> np.ndarray:
    """(3,) openings in head sizes of the face that moved, at ease; the mean face's where nobody said."""
    return openings(model.mean) if motion.calm is None else motion.calm.astype(np.float64)


def opening_rows(model: Morphable) -> np.ndarray:
    """(3, 64): how each expression component opens the left eye, the right eye and the lips, in head sizes."""
    return openings(model.expression).T


def width_row(model: Morphable) -> np.ndarray:
    """(64,): how each expression component widens the mouth, in head sizes."""
    left, right = MOUTH_CORNERS
    return model.expression[:, right, 0] - model.expression[:, left, 0]


def region_projections(model: Morphable) -> dict[str, np.ndarray]:
    """(64, 64) for lips, eyes and other: they keep what an expression moves there, and sum to the identity."""
    weights = region_weights(model)
    flat = model.expression.reshape(len(model.expression), -1)
    gram = flat @ flat.T + 1e-6 * np.trace(flat @ flat.T) / len(flat) * np.eye(len(flat))
    parts = {}
    for name in ("lips", "eyes"):
        masked = (model.expression * weights[name][:, None]).reshape(len(flat), -1)
        parts[name] = np.linalg.solve(gram, flat @ masked.T)
    parts["other"] = np.eye(len(flat)) - parts["lips"] - parts["eyes"]
    return parts


def region_weights(model: Morphable) -> dict[str, np.ndarray]:
    """(478,) soft masks: 1 on lips, or on eyes and brows, falling smoothly to 0 away from them."""
    lips = _nearness(model.mean, [*INNER_LIPS, *OUTER_LIPS], 0.15, 0.75)
    eyes = _nearness(model.mean, [*LEFT_EYE, *RIGHT_EYE, *LEFT_IRIS, *RIGHT_IRIS], 0.2, 0.6)
    return {"lips": lips * (1 - eyes), "eyes": eyes}


def _nearness(shape: np.ndarray, points: list[int], near: float, far: float) -> np.ndarray:
    distance = np.linalg.norm(shape[:, None, :2] - shape[None, points, :2], axis=-1).min(1)
    t = np.clip((far - distance) / (far - near), 0, 1)
    return t * t * (3 - 2 * t)
