"""Upper teeth for a photo whose mouth is closed: drawn, in the light of its own eyes, where a skull has them.

Widths of teeth as seen from the front: Gillen et al. 1994 (maxillary anterior teeth), narrowed to the sides by the arch.
"""

from __future__ import annotations

import numpy as np

MM = 1 / 35  # head sizes in a millimetre: a face of 175 mm from hairline to chin is five head sizes
WIDTHS = np.array([8.4, 6.4, 6.2, 4.4, 3.2, 2.2]) * MM  # from the middle: incisors, canine, premolars, molar
EDGES = np.array([0.0, -0.7, -0.2, -0.8, -1.2, -1.6]) * MM  # of a tooth below that of the first, negative: it ends higher
SHOWN = 2.2 * MM  # that the first teeth reach below the line of closed lips
HEIGHT = 9.5 * MM  # of a crown
ARCH = 0.12  # by how much edges rise to the sides: head sizes at one head size from the middle
GAP = 0.35 * MM  # half the width of the dark line between two teeth
SOFT = 0.8 * MM  # over which edges fade


def crowns(across: np.ndarray, down: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Upper teeth seen from the front at places (h, w) in head sizes: across from the middle, down from the line of closed lips.

    Returns:
        (h, w) each: brightness 0 to 1 of the crowns; share 0 to 1 of gum; share 0 to 1 that is teeth or gum at all.
    """
    side = np.abs(across)
    borders = np.cumsum(WIDTHS)
    number = np.minimum(np.searchsorted(borders, side), len(WIDTHS) - 1)
    middle = borders[number] - WIDTHS[number] / 2
    within = np.clip((side - middle) / (WIDTHS[number] / 2), -1, 1)  # -1 to 1 over a tooth
    round_off = (0.8 * np.abs(within) ** 4 + 0.25 * within**2) * MM
    edge = SHOWN + EDGES[number] - ARCH * across**2 - round_off
    to_gap = np.minimum(np.abs(side[..., None] - borders).min(-1), side)
    lines = 1 - 0.22 * np.exp(-((to_gap / GAP) ** 2))
    brightness = (1 - 0.12 * within**2) * lines * (1 - 0.45 * np.clip(side / borders[-1], 0, 1) ** 1.5)
    brightness = brightness * (0.9 + 0.1 * np.clip((down - edge) / HEIGHT + 1, 0, 1))
    gum = np.clip((edge - HEIGHT + 1.2 * MM * within**2 - down) / SOFT, 0, 1)
    there = np.clip((edge - down) / SOFT + 0.5, 0, 1) * np.clip((borders[-1] - side) / (2 * MM), 0, 1)
    return brightness, gum, there
