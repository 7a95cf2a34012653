"""From a plate and a target mesh to a picture: warp, calibrate, synthesise, add the detail, lay the layers.

The pass of StyleHEAT (Yin et al. 2022, section 3): the flow moves f at 64x64, the calibration heals it, the generator
makes the picture. What the source shows comes through with its full detail, warped by the same flow at the picture's own
resolution; what it does not show (the inside of a mouth that was closed) is the generator's.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from .mesh import GRID, backward_map, exact_map
from .plate import EYES, Eyeball, Plate, drawn, opening

MOVED = 1.2  # pixels at 512 over which a moved pixel fades in: what rests stays the source's, bit for bit
TORN = 12.0  # pixels at 512 between the sources of neighbouring cells beyond which nothing lies between them
STAIRS = 0.7  # pixels of blur that take the stairs from a tear
RESTS = 0.35  # pixels at 512 up to which an eye counts as the source's own and is not drawn anew
SHUT = (1.0, 3.0)  # pixels at 512 between lids up to which no eyeball is seen, and from which no line is left where they meet
LASHES = 0.5  # by how much that line darkens
GIVES = 2.0  # pixels above a frame's bottom that stretch to fill one below it
LID_EDGE = 0.8  # pixels at 512 of blur at the rim of an eye opening


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
    laid = person if plate.whole else _laid(person, plate, fine)
    if pixels is not None:
        laid[pixels[0], pixels[1]] = cv2.GaussianBlur(laid, (0, 0), STAIRS)[pixels[0], pixels[1]]
    changed = _changed(source_at, side)
    image = cv2.blendLinear(laid, plate.image, changed, 1 - changed)
    for eyeball, (ring, iris) in zip(plate.eyeballs, EYES, strict=True):
        if eyeball is None:
            continue
        outline = target[list(ring), :2]
        moved = np.abs(target[[*ring, *iris], :2] - plate.vertices[[*ring, *iris], :2]).max()
        if moved > RESTS * side / 512:
            _look(image, eyeball, outline, target[iris[0], :2], side)
        else:
            _keep(image, plate.image, outline)
    return Warped(image, changed, source_at)


def _laid(person: np.ndarray, plate: Plate, fine: np.ndarray) -> np.ndarray:
    """(S, S, 3) uint8: the moved person over their still background."""
    alpha = cv2.remap(plate.alpha, fine, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return cv2.blendLinear(person, plate.background, alpha, 1 - alpha)


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


def _draw_lashes(image: np.ndarray, outline: np.ndarray, share: float) -> None:
    """Draws the line along which lids meet; changes `image`. share: up to 1 for how near they are."""
    half = len(outline) // 2
    lower, upper = outline[: half + 1], np.vstack([outline[:1], outline[:half - 1:-1]])
    low, high = np.clip([outline.min(0) - 6, outline.max(0) + 7], 0, len(image)).astype(int)
    if (high - low).min() < 2:
        return
    line, width = np.zeros((high - low)[::-1], np.uint8), len(image) / 512
    points = np.round(((lower + upper)[1:-1] / 2 - low - 0.5) * 16).astype(np.int32)
    cv2.polylines(line, [points], False, 255, max(round(1.5 * width), 1), cv2.LINE_AA, 4)
    dark = 1 - LASHES * min(share, 1.0) * cv2.GaussianBlur(line.astype(np.float32) / 255, (0, 0), max(0.7 * width, 0.5))[..., None]
    part = image[low[1] : high[1], low[0] : high[0]]
    part[:] = np.round(part * dark).astype(np.uint8)


def _keep(image: np.ndarray, source: np.ndarray, outline: np.ndarray) -> None:
    """Puts the source's own eye into the picture; changes `image`."""
    low, high = np.clip([outline.min(0) - 3, outline.max(0) + 4], 0, len(image)).astype(int)
    eye = cv2.GaussianBlur(cv2.dilate(drawn(outline - low, (high - low)[::-1]), np.ones((3, 3))), (0, 0), 1)
    part, own = (np.ascontiguousarray(each[low[1] : high[1], low[0] : high[0]]) for each in (image, source))
    image[low[1] : high[1], low[0] : high[0]] = cv2.blendLinear(own, part, eye, 1 - eye)


def _look(image: np.ndarray, eyeball: Eyeball, outline: np.ndarray, iris: np.ndarray, side: int) -> None:
    """Draws the eyeball, turned to where the iris shall be, inside the target's lids; changes `image`."""
    apart = opening(outline) * 512 / side
    if apart < SHUT[1]:
        _draw_lashes(image, outline, (SHUT[1] - apart) / (SHUT[1] - SHUT[0]))
    if apart < SHUT[0]:
        return
    low = np.clip(np.floor(outline.min(0)).astype(int) - 2, 0, side)
    high = np.clip(np.ceil(outline.max(0)).astype(int) + 3, 0, side)
    if (high <= low).any():
        return
    turn, shift = _similarity(outline[[0, len(outline) // 2]], eyeball.ends)
    shift = shift + eyeball.iris - (turn @ iris + shift)
    x, y = np.meshgrid(np.arange(low[0], high[0]) + 0.5, np.arange(low[1], high[1]) + 0.5)
    at = np.stack([x, y], -1) @ turn.T + shift - eyeball.corner - 0.5
    seen = cv2.remap(eyeball.patch, at.astype(np.float32), None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    share = cv2.GaussianBlur(drawn(outline - low, seen.shape[:2]), (0, 0), LID_EDGE * side / 512)
    part = image[low[1] : high[1], low[0] : high[0]]
    part[:] = cv2.blendLinear(seen, np.ascontiguousarray(part), share, 1 - share)


def _similarity(at: np.ndarray, to: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(2, 2) and (2,): rotation with scale, and shift, that carry two points to two others."""
    a, b = at[1] - at[0], to[1] - to[0]
    size = max(float(a @ a), 1e-6)
    cos, sin = float(a @ b) / size, float(a[0] * b[1] - a[1] * b[0]) / size
    turn = np.array([[cos, -sin], [sin, cos]])
    return turn, to[0] - turn @ at[0]
