"""The teeth that a photo shows: kept as they are, moved with the skull and not with the lips, as far as the lips show them.

A mouth that is open in the source holds more truth than any generator: its upper teeth. They are laid over what was
synthesised between the target's lips. An upper lip that rises above them takes them along, so that nothing made up shows
above; what lies low in a wide open mouth follows the jaw.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ..face.morphable import canonical
from ..face.regions import INNER_LIPS
from .plate import drawn

PARTED = 5.0  # pixels at 512 between the lips from which a source shows its teeth
RIM = 1.5  # pixels at 512 that the lips' own edge takes
WIDE = (0.3, 0.5)  # heights of an opening, in its widths: up to the first it shows upper teeth only, from the second a jaw too
DARK = (0.2, 0.55)  # brightness behind the teeth and over the tongue, against the teeth's
RED = np.array([0.75, 1.2, 1.1])  # powers with which red, green and blue fall there
MIDDLE = len(INNER_LIPS) // 2
LOWER, UPPER = INNER_LIPS[1:MIDDLE], INNER_LIPS[MIDDLE + 1 :]

Place = tuple[float, np.ndarray, np.ndarray]  # scale, R, shift of a head in pixels of the crop


@dataclass(frozen=True)
class Teeth:
    """What lies between a source's lips: patch (h, w, 3) uint8 at `corner` (x, y) of the crop, share (h, w) float32 how much
    of each pixel is inside, the lips' inner rim canonical (20, 3) and in pixels (20, 2), and how much of it is jaw."""

    patch: np.ndarray
    share: np.ndarray
    corner: np.ndarray
    rim: np.ndarray
    at: np.ndarray
    jaw: float


def seen_teeth(image: np.ndarray, landmarks: np.ndarray, place: Place) -> Teeth | None:
    """The inside of the mouth in a crop (S, S, 3) uint8 with its landmarks (478, 3), or nothing where it is closed."""
    unit = len(image) / 512
    outline = landmarks[list(INNER_LIPS), :2]
    width = max(float(np.linalg.norm(outline[0] - outline[MIDDLE])), 1e-3)
    height = float(cv2.contourArea(outline.astype(np.float32))) / width
    low = np.floor(outline.min(0) - 2).astype(int).clip(0)
    high = np.ceil(outline.max(0) + 3).astype(int).clip(0, len(image))
    if height < PARTED * unit or (high - low).min() < 4:
        return None
    patch = image[low[1] : high[1], low[0] : high[0]]
    size = 2 * round(RIM * unit) + 1
    share = cv2.erode(drawn(outline - low, patch.shape[:2]), np.ones((size, size)), borderValue=0)
    rim = canonical(landmarks[None, list(INNER_LIPS)], np.array([place[0]]), place[1][None], place[2][None])[0]
    jaw = float(np.clip((height / width - WIDE[0]) / (WIDE[1] - WIDE[0]), 0, 1))
    return Teeth(patch.copy(), cv2.GaussianBlur(share, (0, 0), 0.7 * unit), low, rim, outline, jaw)


def show(teeth: Teeth, image: np.ndarray, target: np.ndarray, place: Place) -> None:
    """Lays the teeth between the lips of a picture (S, S, 3) uint8, in place, for its mesh (N, 3) and the place of its head."""
    outline = target[list(INNER_LIPS), :2]
    low = np.floor(outline.min(0) - 2).astype(int).clip(0)
    high = np.ceil(outline.max(0) + 3).astype(int).clip(0, len(image))
    if (high <= low).any():
        return
    part = image[low[1] : high[1], low[0] : high[0]]
    at, way = _source_of(teeth, target, place, low, part.shape[:2])
    at = at - teeth.corner.astype(np.float32) - 0.5
    seen = cv2.remap(teeth.patch, at, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    share = cv2.remap(teeth.share, at, None, cv2.INTER_LINEAR, borderValue=0)
    size = 2 * round(RIM * len(image) / 1024) + 1
    inside = cv2.blur(drawn(outline - low, part.shape[:2]), (size, size))
    depth = np.clip((way - 1) / max(float(way[inside > 0.5].max(initial=1)) - 1, 0.5), 0, 1)
    above = cv2.blur(cv2.dilate(share, np.ones((2 * size + 1,) * 2)), (size, size))
    beside = share + np.clip(1 - 2 * way, 0, 1) * (above - share)
    behind = _shaded(part, inside * (1 - beside), depth, float(np.percentile(teeth.patch.mean(-1), 80)))
    share = np.minimum(share, inside)
    part[:] = cv2.blendLinear(seen, behind, share, 1 - share)


def _shaded(image: np.ndarray, share: np.ndarray, depth: np.ndarray, bright: float) -> np.ndarray:
    """(h, w, 3) uint8: the picture no brighter than the inside of a mouth with such bright teeth, where `share` says so.

    depth (h, w): 0 behind the teeth, where it is darkest, to 1 at the lower lip, where the tongue is.
    """
    dark, tongue = DARK
    most = bright * (dark + (tongue - dark) * depth**2) / np.maximum(cv2.GaussianBlur(image, (0, 0), 2).mean(-1), 1)
    factor = 1 - share * (1 - np.minimum(most, 1))
    return np.clip(image * factor[..., None] ** RED + 0.5, 0, 255).astype(np.uint8)


def _source_of(
    teeth: Teeth, target: np.ndarray, place: Place, low: np.ndarray, shape: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """(h, w, 2) float32: where in the source crop each pixel of the target's mouth lies; (h, w): how far down its opening."""
    scale, turn, shift = place
    skull = (scale * teeth.rim @ turn.T + shift)[:, :2]
    ones = np.ones((len(skull), 1))
    back = np.linalg.lstsq(np.hstack([skull, ones]), teeth.at, rcond=None)[0]  # target px -> source px
    x, y = np.meshgrid(np.arange(shape[1]) + low[0] + 0.5, np.arange(shape[0]) + low[1] + 0.5)
    top, bottom = skull[MIDDLE + 1 :].mean(0), skull[1:MIDDLE].mean(0)
    down = bottom - top
    lifted = min(0.0, float((target[list(UPPER), :2].mean(0) - top) @ down) / max(float(down @ down), 1e-6)) * down
    x, y = x - lifted[0], y - lifted[1]
    dropped = teeth.jaw * (target[list(LOWER), :2].mean(0) - bottom - lifted)
    way = ((x - top[0]) * down[0] + (y - top[1]) * down[1]) / max(float(down @ down), 1e-6)
    fall = 1 + float(dropped @ down) / max(float(down @ down), 1e-6)
    share = np.clip((way / max(fall, 0.2) - 0.45) / 0.55, 0, 1)
    x, y = x - share * dropped[0], y - share * dropped[1]
    return (np.stack([x, y, np.ones_like(x)], -1) @ back).astype(np.float32), way / max(fall, 0.2)
