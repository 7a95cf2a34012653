"""Edits of how a face looks, against what they promise: the same person, nothing else changed, more where more is asked.

Every portrait is edited along every direction at rising strengths. Identity is judged by ArcFace where it is installed, and
by the tracker's own look of a face (`face/appearance.py`: colours and edges, hair's outline included), each against the
portraits of other people; the strength is read by the linear readings of `attributes.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ..engine.appearance_edit import Appearance
from ..engine.performance import into_crop
from ..errors import FaceError, StyleheatError
from ..face.align import crop_image, crops
from ..face.appearance import describe
from ..face.landmarks import Landmarker
from ..face.matte import head_mask, matte
from ..face.morphable import Morphable
from ..progress import Event, Progress, silent
from .attributes import SIDE, Reader
from .identity import cosine
from .judges import Judges
from .metric import Reading
from .report import average, content_of

RIM = 1 / 32  # of that side: what moves with the skin may uncover so much beside it
Look = Mapping[str, float]
Perform = Callable[[Path, Sequence[Look]], Iterable[np.ndarray]]
"""A portrait and looks (strengths by direction) -> a picture of each, all framed alike."""


@dataclass
class Seen:
    """Edits of one portrait along one direction: strengths, what was read at each, likeness to the portrait by judge at those
    that are not 0, and the largest change outside the head in levels."""

    strengths: Sequence[float]
    read: dict[float, float] = field(default_factory=dict)
    likeness: dict[str, list[float]] = field(default_factory=dict)
    outside: int = 0


@dataclass(frozen=True)
class Eyes:
    """What looks at pictures: the readings, a landmarker, and the judges of identity by name."""

    reader: Reader
    landmarker: Landmarker
    judges: Mapping[str, Callable[[np.ndarray, np.ndarray], np.ndarray]]


def editing(
    portraits: Iterable[Path], strengths: Mapping[str, Sequence[float]], perform: Perform, model: Morphable, look: Appearance,
    ours: str, progress: Progress = silent,
) -> dict[str, Any]:  # fmt: skip
    """Every portrait edited along every direction and judged: JSON data as of other tasks.

    Args:
        strengths: by direction, rising, 0 among them.
    """
    portraits, seen, faces, failed = list(portraits), {}, {}, {}
    judges, absent = _judges()
    with Landmarker() as landmarker:
        eyes = Eyes(Reader(model, look), landmarker, judges)
        for count, path in enumerate(portraits, start=1):
            progress(Event("edit", count, len(portraits), "portraits"))
            try:
                faces[path.name], seen[path.name] = _looked_at(eyes, path, strengths, perform)
            except StyleheatError as error:
                failed[path.name] = str(error)
    if not seen:
        return {"cases": len(portraits), "region": "head", "methods": {}, "failed": failed}
    strange = {judge: _strangers([face[judge] for face in faces.values()]) for judge in judges}
    each = {name: _readings(found, strange) for name, found in seen.items()}
    names = list(dict.fromkeys(reading for found in each.values() for reading in found))
    means = [average([found[name] for found in each.values() if name in found]) for name in names]
    means += [Reading(f"strangers[{judge}]", float(np.mean(values)), "cosine", "lower", len(values), "pairs") for judge, values in strange.items()]
    means += [Reading("csim[arcface]", None, "cosine", "higher", why=absent)] if absent else []
    method = {
        "pairs": {name: {r.name: content_of(r) for r in found.values()} for name, found in each.items()},
        "notes": {}, "metrics": {r.name: content_of(r) for r in means},
    }  # fmt: skip
    return {"cases": len(portraits), "region": "head", "methods": {ours: method}, "failed": failed}


def _judges() -> tuple[dict[str, Callable], str]:
    """The judges of identity by name, and why ArcFace is not among them."""
    judges, all_judges = {"looks": describe}, Judges()
    absent = all_judges.why_absent("identity")
    if not absent:
        judges["arcface"] = all_judges.get("identity")
    return judges, absent


def _looked_at(eyes: Eyes, path: Path, strengths, perform: Perform) -> tuple[dict[str, np.ndarray], dict[str, Seen]]:
    """The portrait's own embeddings by judge, and what was seen of its edits by direction."""
    looks = [(direction, value) for direction, values in strengths.items() for value in values if value]
    pictures = iter(perform(path, [{}, *({direction: value} for direction, value in looks)]))
    before = next(pictures)
    landmarks = _landmarks(eyes, before, path)
    embeddings = {name: judge(before, landmarks) for name, judge in eyes.judges.items()}
    outside, found = _outside(before, landmarks), {direction: Seen(values) for direction, values in strengths.items()}
    for direction, value in looks:
        picture, seen = next(pictures), found[direction]
        points = _landmarks(eyes, picture, path)
        seen.read[value] = eyes.reader(picture, points, direction)
        seen.outside = max(seen.outside, int(np.abs(picture.astype(int) - before)[outside].max(initial=0)))
        for name, judge in eyes.judges.items():
            seen.likeness.setdefault(name, []).append(cosine(judge(picture, points), embeddings[name]))
    for direction, seen in found.items():
        seen.read[0.0] = eyes.reader(before, landmarks, direction)
    return embeddings, found


def _landmarks(eyes: Eyes, picture: np.ndarray, path: Path) -> np.ndarray:
    faces = eyes.landmarker.find(picture)
    if not faces:
        raise FaceError(f"no face in what was made of {path.name}", file=path)
    return max(faces, key=lambda face: np.ptp(face[:, 0]) * np.ptp(face[:, 1]))


def _outside(picture: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """(H, W) bool: pixels of a picture that are not the head, nor within a rim round it."""
    square = crops(landmarks[None], np.zeros(1))[0].astype(np.float64)
    inside = crop_image(picture, square, SIDE)
    head = head_mask(into_crop(landmarks.astype(np.float64), square, SIDE), matte(inside), border=0) > 0
    rim = round(RIM * SIDE)
    head = cv2.dilate(head.astype(np.uint8), cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * rim + 1,) * 2))
    back = np.column_stack([SIDE * square[:, :2], SIDE * square[:, 2]])
    laid = cv2.warpAffine(head, back, picture.shape[1::-1], flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    return laid == 0


def _strangers(embeddings: Sequence[np.ndarray]) -> list[float]:
    """Likeness of every two portraits; a few of them show one person twice."""
    return [cosine(a, b) for a, b in combinations(embeddings, 2)]


def _readings(found: Mapping[str, Seen], strange: Mapping[str, Sequence[float]]) -> dict[str, Reading]:
    """What one portrait's edits say, by direction."""
    made = []
    for direction, seen in found.items():
        read = np.array([seen.read[strength] for strength in seen.strengths])
        steps, span = np.diff(read), seen.strengths[-1] - seen.strengths[0]
        made += [
            Reading(f"{direction}-rises[reading]", 100 * float((steps > 0).mean()), "%", "higher", len(steps), "steps"),
            Reading(f"{direction}-slope[reading]", float(read[-1] - read[0]) / span, "steps", "higher", 1, "portraits"),
            Reading(f"{direction}-outside[head]", float(seen.outside), "levels", "lower", len(seen.strengths), "pictures"),
        ]
        for judge, likeness in seen.likeness.items():
            nearer = 100 * float(np.mean(np.array(likeness) > np.percentile(strange[judge], 99))) if strange[judge] else None
            made += [
                Reading(f"{direction}-likeness[{judge}]", float(np.mean(likeness)), "cosine", "higher", len(likeness), "pictures"),
                Reading(f"{direction}-nearer[{judge}]", nearer, "%", "higher", len(likeness), "pictures"),
            ]
    return {reading.name: reading for reading in made}
