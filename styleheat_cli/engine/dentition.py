"""Teeth for a photo that does not show them: drawn, in the light of its own eyes, where a skull and a jaw have them.

Widths of teeth as seen from the front: Gillen et al. 1994 (maxillary anterior teeth) and Wheeler's Dental Anatomy (mandibular
ones), narrowed to the sides by the arch.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

MM = 1 / 35  # head sizes in a millimetre: a face of 175 mm from hairline to chin is five head sizes
GAP = 0.35 * MM  # half the width of the dark line between two teeth
SOFT = 0.8 * MM  # over which edges fade


@dataclass(frozen=True)
class Row:
    """One row of teeth, lengths in head sizes.

    widths: of each tooth from the middle to one side; edges: by how much each reaches beyond the first; shown: how far the first
    reaches beyond the line of closed lips; height: of a crown; arch: by how much edges rise to the sides, at one head size from
    the middle.
    """

    widths: np.ndarray
    edges: np.ndarray
    shown: float
    height: float
    arch: float


UPPER = Row(  # incisors, canine, premolars, molar
    widths=np.array([8.4, 6.4, 6.2, 4.4, 3.2, 2.2]) * MM, edges=np.array([0.0, -0.7, -0.2, -0.8, -1.2, -1.6]) * MM,
    shown=2.2 * MM, height=9.5 * MM, arch=0.12,
)  # fmt: skip
LOWER = Row(
    widths=np.array([5.2, 5.6, 5.4, 4.2, 3.4, 2.4]) * MM, edges=np.array([0.0, 0.0, 0.4, -0.2, -0.5, -0.8]) * MM,
    shown=1.2 * MM, height=8.0 * MM, arch=-0.04,
)  # fmt: skip


TONGUE = np.array([19.0, 11.0]) * MM  # half its width and height, as seen between the teeth
LIES = -3.0 * MM  # how far down from the line of closed lips its middle is
GROOVE = 2.0 * MM


def tongue(across: np.ndarray, down: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A tongue at rest seen from the front at places (h, w) in head sizes: across from the middle, down from the line of closed lips.

    Returns (h, w) each: brightness 0 to 1; share 0 to 1 that is tongue.
    """
    x, y = across / TONGUE[0], (down - LIES) / TONGUE[1]
    round_ = np.clip(1 - np.abs(x) ** 2.5 - y**2, 0, 1)
    brightness = (0.45 + 0.55 * np.sqrt(round_)) * (1 - 0.12 * np.exp(-((across / GROOVE) ** 2)) * np.sqrt(round_))
    return brightness * (0.8 + 0.2 * np.clip(y, -1, 1)), np.clip(4 * round_, 0, 1)


def crowns(across: np.ndarray, beyond: np.ndarray, row: Row = UPPER) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A row of teeth seen from the front at places (h, w) in head sizes: across from the middle, and beyond the line of closed
    lips to where the row's edges point: down for the upper row, up for the lower.

    Returns:
        (h, w) each: brightness 0 to 1 of the crowns; share 0 to 1 of gum; share 0 to 1 that is teeth or gum at all.
    """
    side = np.abs(across)
    borders = np.cumsum(row.widths)
    number = np.minimum(np.searchsorted(borders, side), len(borders) - 1)
    middle = borders[number] - row.widths[number] / 2
    within = np.clip((side - middle) / (row.widths[number] / 2), -1, 1)  # -1 to 1 over a tooth
    round_off = (0.8 * np.abs(within) ** 4 + 0.25 * within**2) * MM
    edge = row.shown + row.edges[number] - row.arch * across**2 - round_off
    to_gap = np.minimum(np.abs(side[..., None] - borders).min(-1), side)
    lines = 1 - 0.16 * np.exp(-((to_gap / GAP) ** 2))
    brightness = (1 - 0.12 * within**2) * lines * (1 - 0.7 * np.clip(side / borders[-1], 0, 1) ** 2)
    brightness = brightness * (0.9 + 0.1 * np.clip((beyond - edge) / row.height + 1, 0, 1))
    gum = np.clip((edge - row.height + 1.2 * MM * within**2 - beyond) / SOFT, 0, 1)
    there = np.clip((edge - beyond) / SOFT + 0.5, 0, 1) * np.clip((borders[-1] - side) / (2 * MM), 0, 1)
    return brightness, gum, there
