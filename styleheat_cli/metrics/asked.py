"""What was asked of a face by numbers, against what is seen in the pictures: degrees, and what each named axis moves.

Pictures are judged by landmarks found anew (MediaPipe, mean over five framings, so that its own tremble counts less), pose by
the rigid fit of the mean head, which knows nothing of the family. An axis is read with the measures it was fitted by, taken on
the upright landmarks, and each measure counts in shares of the range that all axes together ask of it; turns count in shares
of what is asked of the head here. Depth, the distance of the brows and how the irises stand to each other are not
judged: one picture hardly tells. A change is the mean over portraits, so that what is left is the axis and not the tracker.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import FaceError, StyleheatError
from ..face.axes import AXES, NAMES, measures, moves
from ..face.landmarks import Landmarker, Region, region_of
from ..face.morphable import openings
from ..face.regions import LEFT_IRIS, RIGHT_IRIS
from ..progress import Event, Progress, silent
from .face_geometry import FACE_HEIGHT, rigid_pose, upright
from .metric import Reading
from .report import content_of

TURNS: Mapping[str, tuple[float, ...]] = {
    "yaw": (-20, -10, 10, 20),
    "pitch": (-15, -7.5, 7.5, 15),
    "roll": (-20, -10, 10, 20),
}
"""Degrees that are asked."""
JUDGED = ("lip_corners", "mouth_width", "lips_apart", "left_brow", "right_brow", "left_eye", "right_eye", "gaze_x", "gaze_y")
GAZES = 0.4
"""Share of its opening at rest from which an eye shows where it looks."""
HEAD_SIZE = FACE_HEIGHT / 4.84
"""px of one head size at the 256 scale: the morphable model's mean face is 4.84 head sizes from hairline to chin."""
FRAMINGS = ((0, 0, 1.0), (0.03, 0, 1.04), (-0.03, 0, 0.97), (0, 0.03, 0.97), (0, -0.03, 1.04))
"""Where the landmark network looks: shifts in sides of its square, and its size."""

Look = Mapping[str, float]
Perform = Callable[[Path, Sequence[Look]], Iterable[np.ndarray]]
"""A portrait and looks -> a picture of each, all framed alike."""


def asked(
    portraits: Iterable[Path], ends: Mapping[str, tuple[float, float]], perform: Perform, ours: str, progress: Progress = silent
) -> dict[str, Any]:
    """Turns and axes asked of every portrait, measured on what came of it: JSON data as of other tasks.

    Args:
        ends: each axis's lowest and highest value.
    """
    portraits, looks = list(portraits), asks(ends)
    seen, failed = {}, {}
    for count, path in enumerate(portraits, start=1):
        progress(Event("ask", count, len(portraits), "portraits"))
        try:
            seen[path.name] = read(perform(path, looks), looks)
        except StyleheatError as error:
            failed[path.name] = str(error)
    if not seen:
        return {"cases": len(portraits), "region": "head", "methods": {}, "failed": failed}
    readings = [*slopes(looks, np.stack(list(seen.values()))), *selectivities(looks, np.stack(list(seen.values())), ends)]
    each = {name: slopes(looks, rows[None]) for name, rows in seen.items()}
    method = {
        "pairs": {name: {r.name: content_of(r) for r in found} for name, found in each.items()},
        "notes": {},
        "metrics": {r.name: content_of(r) for r in readings},
    }
    return {"cases": len(portraits), "region": "head", "methods": {ours: method}, "failed": failed}


def asks(ends: Mapping[str, tuple[float, float]]) -> list[dict[str, float]]:
    """Nothing, then every turn, then both ends of every axis."""
    turns = [{name: degrees} for name, values in TURNS.items() for degrees in values]
    return [{}, *turns, *({axis: end} for axis, both in ends.items() for end in both if end)]


def read(pictures: Iterable[np.ndarray], looks: Sequence[Look]) -> np.ndarray:
    """(N, M + 3) measures in head sizes and pitch, yaw, roll in degrees of each picture; the first is the face at rest.

    Where the head does not turn, the network looks at the same place in every picture.
    """
    rows, rest, first = [], None, None
    with Landmarker() as landmarker:
        for picture, look in zip(pictures, looks, strict=True):
            turns = rest is None or bool(set(look) & set(TURNS))
            region = _region(landmarker, picture) if turns else rest
            rest = rest or region
            face = _face(landmarker, picture, region)
            pose = rigid_pose(face)
            shape = upright(face, pose) / HEAD_SIZE
            first = shape if first is None else first
            rows.append([*measures(with_gaze_seen(shape, first)), pose.pitch, pose.yaw, pose.roll])
    return np.array(rows)


def with_gaze_seen(shape: np.ndarray, first: np.ndarray) -> np.ndarray:
    """A shape (478, 3) whose eyes look where they did in the first where they are so far shut that no gaze is seen."""
    shape = shape.copy()
    for iris, own, before in zip((LEFT_IRIS, RIGHT_IRIS), openings(shape)[:2], openings(first)[:2], strict=True):
        if own < GAZES * before:
            shape[list(iris)] = first[list(iris)]
    return shape


def _region(landmarker: Landmarker, picture: np.ndarray) -> Region:
    found = landmarker.find(picture)
    if not found:
        raise FaceError("no face in a result")
    points = landmarker.at(picture, region_of(found[0]))
    return region_of(found[0] if points is None else points)


def _face(landmarker: Landmarker, picture: np.ndarray, region: Region) -> np.ndarray:
    """(478, 3) the mean of what the network sees in several framings."""
    framed = [Region(region.x + x * region.side, region.y + y * region.side, region.side * size, region.angle) for x, y, size in FRAMINGS]
    found = [points for each in framed if (points := landmarker.at(picture, each)) is not None]
    if not found:
        raise FaceError("no face in a result")
    return np.mean(found, axis=0, dtype=np.float64)


def slopes(looks: Sequence[Look], seen: np.ndarray) -> list[Reading]:
    """Seen degrees over asked degrees, by least squares through the face at rest, of portraits (P, N, M + 3) together."""
    change = seen - seen[:, :1]
    readings = []
    for name in TURNS:
        rows = [row for row, look in enumerate(looks) if name in look]
        wanted = np.array([looks[row][name] for row in rows])
        got = change[:, rows, len(NAMES) + ("pitch", "yaw", "roll").index(name)]
        slope = got @ wanted / (wanted @ wanted)  # [P]
        spread = float(slope.std()) if len(slope) > 1 else None
        readings.append(
            Reading(f"{name}-slope[rigid mesh fit]", float(slope.mean()), "", "near 1", got.size, of="pictures", pairs=len(seen), spread=spread)
        )
    return readings


def selectivities(looks: Sequence[Look], seen: np.ndarray, ends: Mapping[str, tuple[float, float]]) -> list[Reading]:
    """For each axis, at its farther end, how many times more it moves what it names than anything else."""
    share = (seen - seen[:, :1]).mean(0) / ranges(ends, seen[:, 0].mean(0))  # [N M+3]
    readings = []
    for axis, both in ends.items():
        row = looks.index({axis: max(both, key=lambda end: (abs(end), end))})
        named = [NAMES.index(name) for name in AXES[axis]]
        others = [place for place, name in enumerate([*NAMES, *TURNS]) if (name in JUDGED or name in TURNS) and place not in named]
        moved = max(abs(share[row, place]) for place in named if NAMES[place] in JUDGED)
        most = max(others, key=lambda place: abs(share[row, place]))
        against = [*NAMES, "pitch", "yaw", "roll"][most]
        ratio = float(moved / max(abs(share[row, most]), 1e-6))
        readings.append(Reading(f"{axis}-over-others[against {against}]", ratio, "times", "higher", len(seen), of="portraits", pairs=len(seen)))
    return readings


def ranges(ends: Mapping[str, tuple[float, float]], rest: np.ndarray) -> np.ndarray:
    """(M + 3,) the span that all axes ask of each measure, of a face that reads `rest` (M + 3,), and of each angle."""
    openings = np.array([[max(rest[NAMES.index(name)], 0.05) for name in ("left_eye", "right_eye", "lips_apart")]])
    asked = [moves({axis: np.array([end])}, openings)[0] for axis, both in ends.items() for end in both]
    span = np.ptp([*asked, np.zeros(len(NAMES))], axis=0)
    return np.concatenate([np.maximum(span, 1e-3), [np.ptp(TURNS[name]) for name in ("pitch", "yaw", "roll")]])
