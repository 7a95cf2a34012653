"""A shot made longer or shorter: cut, played again, to and fro, or its last picture held."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..shot import Shot
from .stream import source_rows

ROUNDING_S = 1e-6


def fitted(shot: Shot, length_s: float, way: str) -> Shot:
    """The shot for so many seconds. What lacks is made of its own rows: `loop`, `pingpong`, else the last one is held."""
    times = shot.motion.times
    step = 1 / float((shot.timeline or shot.clip).fps)
    rows, at = played(times - times[0], step, length_s, way)
    if len(rows) == len(times):
        return shot
    motion = shot.motion.of_rows(rows, times[0] + at)
    timeline = replace(shot.timeline or shot.clip, frames=len(rows))
    shows = None if shot.clip.still else shot.face.times[source_rows(shot)[rows]]
    return shot.with_(motion=motion, timeline=timeline, shows=shows)


def played(times: np.ndarray, step: float, length_s: float, way: str) -> tuple[np.ndarray, np.ndarray]:
    """(N,) rows and (N,) seconds: pictures at `times` (T,) from 0, the last one shown for `step`, played for `length_s`.

    To and fro shows neither end twice.
    """
    forth = np.arange(len(times))
    lasts = np.append(np.diff(times), step)
    cycle = np.concatenate([forth, forth[-2:0:-1]]) if way == "pingpong" else forth if way == "loop" else forth[-1:]
    lacks = max(0.0, length_s - float(lasts.sum()))
    more = np.resize(np.roll(cycle, -len(forth)) if way == "pingpong" else cycle, _enough(lasts[cycle], lacks))
    rows = np.concatenate([forth, more])
    at = np.concatenate([[0.0], np.cumsum(lasts[rows])])[:-1]
    keep = at < length_s - ROUNDING_S
    return rows[keep], at[keep]


def _enough(lasts: np.ndarray, length_s: float) -> int:
    """How many rows, played in turn, last at least so long."""
    return int(np.ceil(length_s / lasts.sum())) * len(lasts)


__all__ = ["fitted", "played"]
