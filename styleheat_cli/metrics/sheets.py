"""Contact sheets of an evaluation: what drove, and what came of it, at the same moments."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

MOMENTS = 6
HEIGHT, SMALL = 192, 112


def write_sheet(path: Path, shown: Iterable[tuple[Path, Mapping[str, Path]]]) -> None:
    """A PNG with a line a clip: the source, then six moments, the same in all clips of a case.

    Args:
        shown: the source of each case, and its clips (what drove, what others and we made) by the label of their line.
    """
    rows, labels = [], []
    for source, clips in shown:
        before, shortest = moments_of(source, 1), min(map(length_of, clips.values()))
        rows += [[*before, *moments_of(clip, MOMENTS, shortest)] for clip in clips.values()]
        labels += clips
    _save(path, rows, labels, HEIGHT)


def write_rows(path: Path, rows: Mapping[str, list[np.ndarray]]) -> None:
    """A PNG with a line of pictures for each name."""
    if rows:
        _save(path, list(rows.values()), list(rows), SMALL)


def _save(path: Path, rows: list[list[np.ndarray]], labels: list[str], height: int) -> None:
    from PIL import Image

    from ..media.sheet import contact_sheet

    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    Image.fromarray(contact_sheet(rows, labels, height=height)).save(part, "PNG")
    os.replace(part, path)


def length_of(path: Path) -> float:
    """Seconds that a clip lasts; a photo lasts for ever."""
    from ..media.reader import probe

    clip = probe(path)
    return float("inf") if clip.still else float(clip.duration_s)


def moments_of(path: Path, count: int, length_s: float = float("inf")) -> list[np.ndarray]:
    """`count` pictures of a clip, evenly spread over its first seconds; a photo as many times."""
    from ..media.reader import frames, probe

    clip = probe(path)
    if clip.still:
        return [next(iter(frames(clip))).image] * count
    length = min(float(clip.duration_s), length_s)
    wanted = [length * (k + 0.5) / count for k in range(count)]
    found: list[np.ndarray] = []
    for frame in frames(clip):
        while len(found) < count and float(frame.time) + 1 / float(clip.fps) > wanted[len(found)]:
            found.append(frame.image)
        if len(found) == count:
            break
    return found + found[-1:] * (count - len(found))
