"""Teeth between the lips of a picture: moved with the skull and not with the lips, as far as lips show them.

They are laid over what was synthesised there. An upper lip that rises bares more of them, and from some height on takes them along; what
lies low in a wide open mouth follows the jaw, as lower teeth do. Light falls in between the lips: the less they are parted, the darker
it is behind them.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ..face.morphable import canonical
from ..face.regions import CHIN, INNER_LIPS
from .bite import MIDDLE
from .dentition import LOWER, MM
from .fill import drawn
from .heal import parted

RIM = 1.5  # pixels at 512 that the lips' own edge takes
LEAST = 0.08  # head sizes that an opening counts at least
DARK = (0.18, 0.4)  # brightness behind the teeth and over the tongue, against the teeth's
RED = np.array([0.75, 1.2, 1.1])  # powers with which red, green and blue fall there
LOWER_LIP, UPPER_LIP = INNER_LIPS[1:MIDDLE], INNER_LIPS[MIDDLE + 1 :]
LIT = 0.09  # head sizes of an opening's blur that tells how much light reaches a place in it
FALLS = 0.6, 0.2  # of that, and of the opening's height, by which light comes from above at most
SHOWN = 5.0 * MM, 2.5 * MM  # that lower teeth show above the lip, at most and at least
DROP, BITE = 1.6, 1.5 * MM  # by how much lower teeth go down with the chin, of which landmarks tell but a part; and from the start
SEAM, SEAL = 0.6, 0.8  # brightness of the line along which lips meet, against the lips'; pixels at 512 of its blur

Place = tuple[float, np.ndarray, np.ndarray]  # scale, R, shift of a head in pixels of the crop


@dataclass(frozen=True)
class Layer:
    """Teeth: patch (h, w, 3) uint8 at `corner` (x, y) of the source's crop, share (h, w) float32 how much of each pixel is teeth,
    light (h, w) float32 in (0, 1] by which they are seen."""

    patch: np.ndarray
    share: np.ndarray
    light: np.ndarray
    corner: np.ndarray


@dataclass(frozen=True)
class Teeth:
    """What lies between a source's lips: the upper teeth (and all that an open mouth shows, but for lower teeth
    that can be told from them), the lower ones, the tongue; the plane (2, 3)
    that they are taken to lie in, from canonical x, y to pixels of the crop, and its depth; in that plane the lips' inner rim
    (20, 2), the height of the line along which they close by the lower teeth, and how much of these shows above the lower lip at most
    and at least, in head sizes; the canonical height of the chin; how bright they are in levels; the standard deviation of the
    picture's blur in pixels; how much colour it has (0: grey, 1: a face's); how much of the upper layer is jaw; whether it is
    seen in the source, and by how many head sizes an upper lip bares more of it as it rises, from where on it takes it along."""

    upper: Layer
    lower: Layer
    tongue: Layer
    plane: np.ndarray
    depth: float
    rim: np.ndarray
    line: float
    shows: tuple[float, float]
    chin: float
    bright: float
    soft: float
    colour: float
    jaw: float
    seen: bool
    bares: float


def plane_of(place: Place, depth: float) -> np.ndarray:
    """(2, 3): canonical x, y at a depth -> pixels of the crop."""
    scale, turn, shift = place
    return np.column_stack([scale * turn[:2, :2], scale * depth * turn[:2, 2] + shift[:2]])


def canonical_of(place: Place, points: np.ndarray) -> np.ndarray:
    """(N, 3) pixels of the crop -> canonical space of a head at this place."""
    scale, turn, shift = place
    return canonical(points[None], np.array([scale]), turn[None], shift[None])[0]


def unmapped(plane: np.ndarray, points: np.ndarray) -> np.ndarray:
    """(..., 2) pixels of the crop -> canonical x, y."""
    return (points - plane[:, 2]) @ np.linalg.inv(plane[:, :2]).T


def light_in(inside: np.ndarray, head: float) -> np.ndarray:
    """(h, w) float32 in [0, 1]: the light that falls in through an opening (h, w), nothing beside it, of a head of so many pixels: from
    above, so that it is an upper lip that shades."""
    light = cv2.GaussianBlur(inside, (0, 0), LIT * head, borderType=cv2.BORDER_CONSTANT)
    height = float(inside.sum()) / max(int((inside.max(0) > 0).sum()), 1)
    fall = min(FALLS[0] * LIT * head, FALLS[1] * height)
    return cv2.warpAffine(light, np.float32([[1, 0, 0], [0, 1, fall]]), light.shape[::-1], borderMode=cv2.BORDER_REPLICATE)


def show(teeth: Teeth, image: np.ndarray, target: np.ndarray, place: Place, own: np.ndarray) -> None:
    """Lays the teeth between the lips of a picture (S, S, 3) uint8, in place, for its mesh (N, 3) and the place of its head.

    own (478, 3): the landmarks of the source's frame: where its mouth was open, what is left of that between lips that meet is
    covered.
    """
    outline = target[list(INNER_LIPS), :2]
    low = np.floor(outline.min(0) - 2).astype(int).clip(0)
    high = np.ceil(outline.max(0) + 3).astype(int).clip(0, len(image))
    if (high <= low).any():
        return
    part = image[low[1] : high[1], low[0] : high[0]]
    unit, red, opening = len(image) / 512, RED**teeth.colour, drawn(outline - low, part.shape[:2])
    apart = parted(outline / unit)
    if apart < 1:
        _seal(part, opening, (1 - apart) * parted(own[list(INNER_LIPS), :2] / unit), unit, red)
    if apart <= 0:
        return
    at, way, fallen = _source_of(teeth, target, place, low, part.shape[:2])
    light = light_in(opening, place[0])
    size = 2 * round(RIM * len(image) / 1024) + 1
    inside = apart * cv2.blur(opening, (size, size))
    if not teeth.seen:
        inside = cv2.GaussianBlur(inside, (0, 0), teeth.soft, borderType=cv2.BORDER_CONSTANT)
    seen, share = _under(teeth.upper, at, light, red)
    depth = np.clip((way - 1) / max(float(way[inside > 0.5].max(initial=1)) - 1, 0.5), 0, 1)
    above = cv2.blur(cv2.dilate(share, np.ones((2 * size + 1,) * 2)), (size, size))
    beside = share + np.clip(1 - 2 * way, 0, 1) * (above - share)
    plain = _toned(part, inside, teeth.colour)
    behind = _shaded(plain, inside * (1 - beside), depth, teeth.bright, red)
    for layer in (teeth.tongue, teeth.lower):
        behind = _before(behind, *_under(layer, fallen, light, red), inside)
    part[:] = _before(behind, seen, share, inside)


def _before(behind: np.ndarray, layer: np.ndarray, share: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """(h, w, 3) uint8: a layer laid over a picture, no farther than between the lips."""
    share = np.minimum(share, inside)
    return cv2.blendLinear(layer, behind, share, 1 - share)


def _seal(image: np.ndarray, opening: np.ndarray, share: float, unit: float, red: np.ndarray) -> None:
    """Draws the line along which lips meet over what a source's open mouth left there, in place; share: how nearly they do,
    unit: pixels of one at 512."""
    inner = round(unit)
    near, far = (cv2.dilate(opening, np.ones((2 * size + 1,) * 2)) for size in (inner, max(round(4 * unit), inner + 1)))
    round_it = far - near
    if share <= 0 or round_it.sum() < 1:
        return
    colour = (image * round_it[..., None]).sum((0, 1)) / round_it.sum() * SEAM**red
    weight = share * np.clip(cv2.GaussianBlur(opening, (0, 0), SEAL * unit) * 2, 0, 1)[..., None]
    image[:] = np.round(image * (1 - weight) + weight * colour).astype(np.uint8)


def _under(layer: Layer, at: np.ndarray, light: np.ndarray, red: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(h, w, 3) uint8 and (h, w) share: a layer at places (h, w, 2) of the source's crop, under another light."""
    at = at - layer.corner.astype(np.float32) - 0.5
    seen = cv2.remap(layer.patch, at, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    before = cv2.remap(layer.light, at, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    dimmed = seen * np.minimum(light / before, 1)[..., None] ** red
    return np.round(dimmed).astype(np.uint8), cv2.remap(layer.share, at, None, cv2.INTER_LINEAR, borderValue=0)


def _toned(image: np.ndarray, share: np.ndarray, colour: float) -> np.ndarray:
    """(h, w, 3) uint8: the picture with so much of its colour left where `share` says so: what was made up knows colours only."""
    grey = image.mean(-1, keepdims=True)
    return np.round(image + (1 - colour) * share[..., None] * (grey - image)).astype(np.uint8)


def _shaded(image: np.ndarray, share: np.ndarray, depth: np.ndarray, bright: float, red: np.ndarray) -> np.ndarray:
    """(h, w, 3) uint8: the picture no brighter than the inside of a mouth with such bright teeth, where `share` says so.

    depth (h, w): 0 behind the teeth, where it is darkest, to 1 at the lower lip, where the tongue is.
    """
    dark, tongue = DARK
    most = bright * (dark + (tongue - dark) * depth**2) / np.maximum(cv2.GaussianBlur(image, (0, 0), 2).mean(-1), 1)
    factor = 1 - share * (1 - np.minimum(most, 1))
    return np.clip(image * factor[..., None] ** red + 0.5, 0, 255).astype(np.uint8)


def _source_of(
    teeth: Teeth, target: np.ndarray, place: Place, low: np.ndarray, shape: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(h, w, 2) float32: where in the source crop each pixel of the target's mouth lies; (h, w): how far down its opening;
    (h, w, 2): where if it were on the jaw, which goes down with the chin and shows some of its teeth above the lower lip."""
    plane = plane_of(place, teeth.depth)
    skull = teeth.rim @ plane[:, :2].T + plane[:, 2]
    upper, lower = (target[list(lip), :2].mean(0) for lip in (UPPER_LIP, LOWER_LIP))
    top, bottom = skull[MIDDLE + 1 :].mean(0), skull[1:MIDDLE].mean(0)
    down = plane[:, 1] * max(float((bottom - top) @ plane[:, 1]) / float(plane[:, 1] @ plane[:, 1]), LEAST)
    x, y = np.meshgrid(np.arange(shape[1]) + low[0] + 0.5, np.arange(shape[0]) + low[1] + 0.5)
    lip = float(unmapped(plane, target[INNER_LIPS[MIDDLE // 2], :2])[1])
    drop = DROP * float(canonical_of(place, target[[CHIN]])[0, 1] - teeth.chin) + BITE
    jaw = np.clip(drop, *np.maximum(lip - teeth.line + LOWER.shown - np.array(teeth.shows), 0))
    on_jaw = unmapped(plane, np.stack([x, y], -1)) - [0, jaw]
    rise = -float((upper - top) @ plane[:, 1]) / float(plane[:, 1] @ plane[:, 1])
    lifted = -max(rise - teeth.bares, 0.0) * plane[:, 1]
    x, y = x - lifted[0], y - lifted[1]
    dropped = teeth.jaw * (lower - bottom - lifted)
    fall = max(1 + float(dropped @ down) / float(down @ down), 0.2)
    way = ((x - top[0]) * down[0] + (y - top[1]) * down[1]) / float(down @ down) / fall
    share = np.clip((way - 0.45) / 0.55, 0, 1)
    pixels = np.stack([x - share * dropped[0], y - share * dropped[1]], -1)
    at, fallen = ((each @ teeth.plane[:, :2].T + teeth.plane[:, 2]).astype(np.float32) for each in (unmapped(plane, pixels), on_jaw))
    return at, way, fallen
