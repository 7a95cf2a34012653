"""Attributes: codes moved along a direction, so that the face looks older, younger, bearded, …

Sources: InterFaceGAN (Shen et al. 2020) for age and pose, GANSpace (Härkönen et al. 2020) for beard and lip; the
strengths are those of the official script.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from ..networks.directions import Directions, PrincipalComponents


@dataclass(frozen=True)
class Attribute:
    """How an attribute is edited: along a named direction, or a principal component on some rows of the code."""

    strength: float
    """What the official script recommends."""
    direction: str = ""
    component: int = -1
    rows: tuple[int, int] = (0, 0)
    """First row, and the one after the last."""


ATTRIBUTES = {
    "age": Attribute(5.0, direction="age"),
    "young": Attribute(-5.0, direction="age"),
    "old": Attribute(5.0, direction="age"),
    "pose": Attribute(2.0, direction="pose"),
    "beard": Attribute(-20.0, component=58, rows=(7, 9)),
    "lip": Attribute(20.0, component=34, rows=(10, 11)),
}


def edit(
    codes: Tensor,
    name: str,
    directions: Directions,
    components: PrincipalComponents | None,
    strength: float | None = None,
) -> Tensor:
    """(N, 18, 512) codes with an attribute of `ATTRIBUTES` at a strength, the recommended one by default."""
    attribute = ATTRIBUTES[name]
    strength = attribute.strength if strength is None else strength
    if attribute.direction:
        return directions(codes, attribute.direction, strength)
    return components(codes, attribute.component, slice(*attribute.rows), strength)
