"""From a plate and a target mesh to a picture: warp, calibrate, synthesise, add the detail, lay the layers.

The pass of StyleHEAT (Yin et al. 2022, section 3): the flow moves f at 64x64, the calibration heals it, the generator
makes the picture. What the source shows comes through with its full detail, warped by the same flow at the picture's own
resolution; what it does not show (the inside of a mouth that was closed) is the generator's.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from .eyes import show
from .mesh import GRID, backward_map, exact_map
from .plate import Plate

MOVED = 1.2  # pixels at 512 over which a moved pixel fades in: what rests stays the source's, bit for bit
TORN = 12.0  # pixels at 512 between the sources of neighbouring cells beyond which nothing lies between them
STAIRS = 0.7  # pixels of blur that take the stairs from a tear
GIVES = 2.0  # pixels above a frame's bottom that stretch to fill one below it
STRETCHED, STEEPEST = 1.5, 4.0  # times as wide from which an outline that a turn stretches is made sharper again; by how much at most


@dataclass(frozen=True)
class Warped:
    """What the flow made of a plate: image (S, S, 3) uint8, where it differs from the source (S, S) float32 in [0, 1],
    and the flow's map (256, 256, 2) in crop pixels."""

    image: np.ndarray
    changed: np.ndarray
    source_at: np.ndarray


def warped(plate: Plate, target: np.ndarray, faces: np.ndarray) -> Warped:
    """The plate's person moved to the target mesh (N, 3) over their still background, with living eyes."""
    side = plate.side
    source_at, _ = backward_map(plate.vertices, target, faces, side, resting=plate.resting)
    fine, torn = cv2.resize(source_at, (side, side), interpolation=cv2.INTER_LINEAR), _torn(source_at, side)
    pixels = _parted(fine, torn, plate, target, faces) if torn.any() else None
    _kept_above(fine, source_at, plate.inside[1][1])
    fine -= 0.5
    person = cv2.remap(plate.person, fine, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    laid = person if plate.whole else _laid(person, plate, fine, source_at)
    if pixels is not None:
        laid[pixels[0], pixels[1]] = cv2.GaussianBlur(laid, (0, 0), STAIRS)[pixels[0], pixels[1]]
    changed = _changed(source_at, side)
    image = cv2.blendLinear(laid, plate.image, changed, 1 - changed)
    for which, eyeball in enumerate(plate.eyeballs):
        if eyeball is not None:
            show(image, plate.image, eyeball, which, target, plate.vertices, fine, plate.place[0])
    return Warped(image, changed, source_at)


def _laid(person: np.ndarray, plate: Plate, fine: np.ndarray, source_at: np.ndarray) -> np.ndarray:
    """(S, S, 3) uint8: the moved person over their still background."""
    alpha = cv2.remap(plate.alpha, fine, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    steep = np.clip(_stretch(source_at, plate.side) / STRETCHED, 1, STEEPEST)
    if steep.max() > 1:
        alpha = np.clip((alpha - 0.5) * cv2.resize(steep, alpha.shape[::-1], interpolation=cv2.INTER_LINEAR) + 0.5, 0, 1)
    return cv2.blendLinear(person, plate.background, alpha, 1 - alpha)


def _stretch(source_at: np.ndarray, side: int) -> np.ndarray:
    """(256, 256) float32: how many times as wide the flow makes what it moves, in the direction in which it does most; 8 at most."""
    step = np.array([[-0.5, 0, 0.5]], np.float32)
    across, down = (cv2.magnitude(*cv2.split(cv2.filter2D(source_at, -1, each))) for each in (step, step.T))
    least = cv2.blur(cv2.min(across, down)[1:-1, 1:-1], (3, 3)) * (len(source_at) / side)
    return np.pad(1 / np.maximum(least, 0.125), 1, "edge")


def _torn(source_at: np.ndarray, side: int) -> np.ndarray:
    """(256, 256) bool: where the flow's map is torn, at the outline of a turned head: nothing lies between its two sides."""
    near = np.ones((2, 2))
    apart = (cv2.dilate(source_at, near) - cv2.erode(source_at, near)).max(-1)
    return cv2.dilate((apart > TORN * side / 512).astype(np.uint8), np.ones((3, 3))) > 0


def _parted(fine: np.ndarray, torn: np.ndarray, plate: Plate, target: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Gives each pixel of the map (S, S, 2) near a tear its exact source, in place; their rows and columns (2, K)."""
    pixels = np.array(np.nonzero(cv2.resize(torn.astype(np.uint8), fine.shape[1::-1], interpolation=cv2.INTER_NEAREST)))
    exact, there = exact_map(plate.vertices, target, faces, len(fine), pixels, plate.resting)
    fine[pixels[0][there], pixels[1][there]] = exact[there]
    return pixels


def _kept_above(fine: np.ndarray, source_at: np.ndarray, bottom: float) -> None:
    """Keeps the map (S, S, 2), in place, above the frame's bottom: where shoulders rise, what is next to it stretches instead of
    showing what lies below."""
    side = len(fine)
    if bottom >= side:
        return
    last = int(bottom * GRID / side) - 1
    below = np.maximum(source_at[last, :, 1] - (last + 0.5) * side / GRID, 0)
    if below.max() <= 0.01:
        return
    below = cv2.resize(cv2.blur(below[None], (9, 1)), (side, 1), interpolation=cv2.INTER_LINEAR) + 1e-3
    room, first = GIVES * below, 1 + 1 / GIVES
    part = fine[int(max(bottom - (GIVES + 2) * below.max(), 0)) :, :, 1]
    share = np.clip((part - bottom + room) / (room + below), 0, 1)
    np.copyto(part, bottom - room + room * share * (first + (1 - first) * share), where=share > 0)


def _changed(source_at: np.ndarray, side: int) -> np.ndarray:
    """(S, S) float32: 0 where the flow rests, 1 where it moves by a pixel or more, soft between."""
    centres = ((np.arange(GRID) + 0.5) * (side / GRID)).astype(np.float32)
    away = np.maximum(np.abs(source_at[..., 0] - centres), np.abs(source_at[..., 1] - centres[:, None]))
    share = np.clip(away * (512 / side) / MOVED, 0, 1)
    share = cv2.blur(cv2.dilate(share, np.ones((5, 5))), (5, 5))
    return cv2.resize(np.clip(share * 1.02 - 0.01, 0, 1), (side, side), interpolation=cv2.INTER_LINEAR)
