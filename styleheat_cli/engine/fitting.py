"""The embedded family's inversion: f and w by its encoder, or fitted until the generator gives the picture back."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from ..media.pixels import to_tensor
from ..networks.codec import STRIDE
from .heal import CELLS, Feature, Healing, Opening, at_512, invert
from .inversion import Inversion, Losses, Step

RATE = 0.01
NEAR = 0.02  # weight of the mean square by which f leaves the encoder's: what f warps to later is not seen here


@torch.inference_mode()
def encoded(healing: Healing, image: np.ndarray) -> Inversion:
    """A crop (S, S, 3) uint8 -> codes w (1, D), f (1, C, 64, 64) and the picture (1, 3, 512, 512) that they give."""
    f, w = invert(healing, image)
    return Inversion(healing.generator(f, w), w, f)


def fitted(healing: Healing, image: np.ndarray, steps: int, on_step: Callable[[Step], bool | None]) -> Inversion:
    """The same with f and w fitted to the picture, from the encoder's on; a true answer of `on_step` ends it."""
    wanted, start = to_tensor(at_512(image)[None]).to(healing.like), encoded(healing, image)
    f, w = (part.clone().requires_grad_() for part in (start.f, start.codes))
    optimiser = torch.optim.Adam([f, w], lr=RATE)
    for number in range(1, steps + 1):
        made = healing.generator(f, w)
        terms = _losses(made, wanted, f - start.f)
        optimiser.zero_grad(set_to_none=True)
        terms.total.backward()
        optimiser.step()
        if on_step(Step(number, terms.numbers(), made.detach(), w.detach(), f.detach())):
            break
    f, w = f.detach(), w.detach()
    with torch.inference_mode():
        return Inversion(healing.generator(f, w), w, f)


def _losses(made: Tensor, wanted: Tensor, drift: Tensor) -> Losses:
    none = made.new_zeros(())
    return Losses((made - wanted).abs().mean(), none, none, NEAR * drift.square().mean())


def window_of(inversion: Inversion, opening: Opening, healing: Healing) -> Feature:
    """The window round what opens out of an inversion of the whole square."""
    columns, rows = (slice(c // STRIDE, c // STRIDE + CELLS) for c in opening.corner)
    f, w = inversion.f[:, :, rows, columns].to(healing.like), inversion.codes.to(healing.like)
    return Feature(f, w, opening.corner, opening.cells(opening.corner, healing.like))
