"""What lashes of shut eyes look like, measured on pairs of frames: where engine/lashes.py has its numbers from."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..engine.eyes import LEFT_EYE, openness
from ..engine.lashes import LINE, brightness_over, line_of
from .openings import Openings

OPEN, SHUT = 0.2, 0.07  # eye widths between lids from which an eye counts as open, and up to which as shut
SKIN = np.r_[np.linspace(-0.4, -0.3, 6), np.linspace(0.3, 0.4, 6)]  # eye widths over the line at which the skin is seen
DARK = (-0.15, 0.05)  # eye widths over the line between which it is darkest
FEWEST = 20  # shut eyes that tell something
ROUND = len(LEFT_EYE)


def lashes(openings: Openings) -> dict[str, Any]:
    """Of eyes that are open in the source and shut in the target: how many; how dark they are against the skin, at LINE's places and in
    shares of the darkest; and how bright the darkest is: of black lashes, and by how much it follows the line of the open eye."""
    pairs = [_pair(openings, row) for row in np.flatnonzero(openings.source_iris[:, 2] > 0)]
    found = [pair for pair in pairs if pair is not None]
    if len(found) < FEWEST:
        return {"lashes_eyes": len(found)}
    profiles, before = np.array([pair[0] for pair in found]), np.array([pair[1] for pair in found])
    inside = (LINE[0] >= DARK[0]) & (LINE[0] <= DARK[1])
    slope, offset = np.polyfit(before, profiles[:, inside].min(1), 1)
    dark = 1 - profiles.mean(0)
    dark -= np.interp(LINE[0], LINE[0, [0, -1]], dark[[0, -1]])  # what is darker all round is no lash
    return {
        "lashes_eyes": len(found),
        "lashes_line": np.round(np.clip(dark / dark.max(), 0, 1), 2).tolist(),
        "lashes_darkest": round(float(offset), 2),
        "lashes_follow": round(float(slope), 2),
    }


def _pair(openings: Openings, row: int) -> tuple[np.ndarray, float] | None:
    """Brightness against the skin of a shut eye at LINE's places, and of the line of the same eye when open; none of other pairs."""
    here, there = openings.source_outline[row, :ROUND], openings.target_outline[row, :ROUND]
    if openness(here) < OPEN or openness(there) > SHUT:
        return None
    shut = brightness_over(np.asarray(openings.target[row]), there, np.r_[LINE[0], SKIN])
    return shut[: LINE.shape[1]] / max(float(np.median(shut[LINE.shape[1] :])), 1.0), line_of(np.asarray(openings.source[row]), here)
