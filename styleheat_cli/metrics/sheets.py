"""Contact sheets of an evaluation: what drove, and what came of it, at the same moments."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

MOMENTS = 6
HEIGHT, SMALL = 192, 112


def write_sheet(path: Path, shown: Iterable[tuple[str, Path, Path, Path]]) -> None:
    """A PNG with two lines a case: the source and the driver at six moments, then the result at the same moments.

    Args:
        shown: name, source, driving clip and result of each case.
    """
    rows, labels = [], []
    for name, source, driving, result in shown:
        before = moments_of(source, 1)
        shortest = min(length_of(driving), length_of(result))
        driver, made = moments_of(driving, MOMENTS, shortest), moments_of(result, MOMENTS, shortest)
        rows += [[*before, *driver], [*before, *made]]
        labels += [name, ""]
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
