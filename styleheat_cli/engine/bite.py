"""Where the two rows of teeth lie that an open mouth shows: upper ones from the upper lip to where it gets dark, and below that,
where it gets bright and pale once more, lower ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..face.regions import INNER_LIPS

MIDDLE = len(INNER_LIPS) // 2
FRONT, STEPS = slice(3, 6), 24  # of a lip's nine points those before the front teeth; looks from lip to lip
UPPER = 2 * STEPS // 3  # looks among which the brightest is an upper tooth
ENDS, BEGINS = 0.7, 0.75  # shares of the brightest of a row at which upper teeth end and lower ones begin
LIP = 2  # looks next to the lower lip that are its own
PALE = 0.2  # excess of red against upper teeth, of their brightness, from which on what is bright is none


@dataclass(frozen=True)
class Bite:
    """Pixels of a crop: ends (2,): where the upper front teeth end; parts (11, 2): the line between the two rows, from the left corner of
    the mouth to the right one, none where lower teeth are not seen; begins (2,): where these begin."""

    ends: np.ndarray
    parts: np.ndarray | None
    begins: np.ndarray | None


def bite_of(image: np.ndarray, outline: np.ndarray) -> Bite:
    """The bite of an open mouth in a crop (S, S, 3), by the inner rim of its lips (20, 2)."""
    upper, lower = outline[:MIDDLE:-1], outline[1:MIDDLE]
    down = np.linspace(0, 1, STEPS)[:, None, None]
    way = (1 - down) * upper[FRONT] + down * lower[FRONT]  # [STEPS 3 2]
    at = way.clip(0, len(image) - 1).astype(int)
    tone = image[at[..., 1], at[..., 0]].astype(np.float64).mean(1)  # [STEPS 3]
    bright = tone.mean(-1)
    first = int(bright[:UPPER].argmax())
    dark = np.flatnonzero(bright[first:] < ENDS * bright[first])
    if not len(dark):
        return Bite(way[-1].mean(0), None, None)
    ends = first + int(dark[0])
    darkest = ends + int(bright[ends:].argmin())
    again = bright[darkest:-LIP]
    second = darkest + int(again.argmax()) if len(again) else darkest
    redder = (tone[second, 0] - bright[second]) / max(bright[second], 1) - (tone[first, 0] - bright[first]) / max(bright[first], 1)
    if bright[second] < ENDS * bright[first] or redder > PALE:
        return Bite(way[ends].mean(0), None, None)
    begins = darkest + int(np.flatnonzero(bright[darkest:] >= BEGINS * bright[second])[0])
    share = darkest / (STEPS - 1)
    parts = np.vstack([outline[0], (1 - share) * upper + share * lower, outline[MIDDLE]])
    return Bite(way[ends].mean(0), parts, way[begins].mean(0))
