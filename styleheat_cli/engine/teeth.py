"""Teeth: those that a photo shows are kept as they are, moved with the skull and not with the lips, as far as lips show them.

A mouth that is open in the source holds more truth than any generator: its upper teeth. They are laid over what was
synthesised between the target's lips. An upper lip that rises above them takes them along, so that nothing made up shows
above; what lies low in a wide open mouth follows the jaw. Where a photo shows none, likely teeth are drawn, upper ones on the
skull, lower ones on the jaw. Light falls in between the lips: the less they are parted, the darker it is behind them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from ..face.morphable import canonical
from ..face.regions import INNER_LIPS
from .dentition import LOWER, MM, UPPER, Row, crowns
from .heal import parted
from .plate import EYES, Plate, drawn

PARTED = 5.0  # pixels at 512 between the lips from which a source shows its teeth
RIM = 1.5  # pixels at 512 that the lips' own edge takes
WIDE = (0.3, 0.5)  # heights of an opening, in its widths: up to the first it shows upper teeth only, from the second a jaw too
CROWNS = 0.4  # head sizes above the line of closed lips up to which teeth are drawn
IVORY, TINT = np.array([1.09, 1.07, 1.02]), 0.3  # of teeth against the light; share of the skin's colour that they take on
SHADED_WHITE, BRIGHTEST = 1.2, 238  # by how much the white of an eye is shaded by its lids; levels that teeth do not exceed
SOFTNESS = (0.6, 6.0)  # pixels, from a picture that is as sharp as its pixels
COLOURED = 0.12  # saturation from which a skin is in colour
LEAST = 0.08  # head sizes that an opening counts at least
CHEEKS = (50, 280, 101, 330)
DARK = (0.28, 0.6)  # brightness behind the teeth and over the tongue, against the teeth's
RED = np.array([0.75, 1.2, 1.1])  # powers with which red, green and blue fall there
MIDDLE = len(INNER_LIPS) // 2
LOWER_LIP, UPPER_LIP = INNER_LIPS[1:MIDDLE], INNER_LIPS[MIDDLE + 1 :]
LIT = 0.09  # head sizes of an opening's blur that tells how much light reaches a place in it
LITTLE, WELL = 0.1, 0.7  # least light of a source that counts; light of drawn teeth
MOST = 2.5 * MM  # that lower teeth show above the lip
SEAM = 0.55  # brightness of the line along which lips meet, against the lips'
LIP_RIM = 2.2  # times as bright as the middle of a mouth without teeth: what is brighter is a lip
NO_TEETH, REDDER = 0.45, 0.25  # brightness against likely teeth, and excess of red, from which on what is seen is none
BEHIND = 0.92  # brightness of lower teeth, which stand back, against that of upper ones

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
    """What lies between a source's lips: the upper teeth (and all that an open mouth shows) and the lower ones; the plane (2, 3)
    that they are taken to lie in, from canonical x, y to pixels of the crop, and its depth; in that plane the lips' inner rim
    (20, 2) and the height of the line along which they close; how bright they are in levels; the standard deviation of the
    picture's blur in pixels; how much colour it has (0: grey, 1: a face's); how much of the upper layer is jaw, and whether an
    upper lip that rises takes it along."""

    upper: Layer
    lower: Layer
    plane: np.ndarray
    depth: float
    rim: np.ndarray
    line: float
    bright: float
    soft: float
    colour: float
    jaw: float
    lifts: bool


def teeth_of(plate: Plate) -> Teeth:
    """The teeth that a crop shows, or likely ones where its mouth is closed."""
    outline = plate.landmarks[list(INNER_LIPS), :2]
    width = max(float(np.linalg.norm(outline[0] - outline[MIDDLE])), 1e-3)
    height = float(cv2.contourArea(outline.astype(np.float32))) / width
    rim = canonical(plate.landmarks[None, list(INNER_LIPS)], np.array([plate.place[0]]), plate.place[1][None], plate.place[2][None])[0]
    depth = float(rim[:, 2].mean())
    plane = plane_of(plate.place, depth)
    rim = _unmapped(plane, outline)
    ivory, jaw, lifts, there = _ivory(plate), 0.0, False, 1.0
    if height < PARTED * plate.side / 512:
        upper = _likely(plate, plane, rim[[5, 15]].mean(0), UPPER, ivory)
    else:
        upper = _seen(plate, outline)
        there, ivory = _teethlike(_brightest(upper), ivory), _brightest(upper)
        upper = replace(upper, share=(there + (1 - there) * _dark(upper)) * upper.share)
        jaw, lifts = float(np.clip((height / width - WIDE[0]) / (WIDE[1] - WIDE[0]), 0, 1)), True
    line = rim[[5, 15]].mean(0)
    lower = _likely(plate, plane, line, LOWER, BEHIND * ivory)
    lower = replace(lower, share=there * (1 - jaw) * lower.share)
    bright = there * float(np.percentile(upper.patch.mean(-1), 80)) + (1 - there) * _cavity(upper) / DARK[1]
    return Teeth(upper, lower, plane, depth, rim, float(line[1]), bright, softness(plate), colourfulness(plate), jaw, lifts)


def colourfulness(plate: Plate) -> float:
    """0 for a grey picture to 1 for one in colour, by the skin of the cheeks."""
    skin = _skin(plate)
    return float(np.clip((skin.max() - skin.min()) / max(skin.max(), 1) / COLOURED, 0, 1))


def _skin(plate: Plate) -> np.ndarray:
    """(3,) RGB of the cheeks."""
    cheeks = plate.landmarks[list(CHEEKS), :2].clip(0, plate.side - 1).astype(int)
    return plate.image[cheeks[:, 1], cheeks[:, 0]].astype(np.float64).mean(0)


def plane_of(place: Place, depth: float) -> np.ndarray:
    """(2, 3): canonical x, y at a depth -> pixels of the crop."""
    scale, turn, shift = place
    return np.column_stack([scale * turn[:2, :2], scale * depth * turn[:2, 2] + shift[:2]])


def _unmapped(plane: np.ndarray, points: np.ndarray) -> np.ndarray:
    """(..., 2) pixels of the crop -> canonical x, y."""
    return (points - plane[:, 2]) @ np.linalg.inv(plane[:, :2]).T


def _seen(plate: Plate, outline: np.ndarray) -> Layer:
    """The inside of an open mouth, but for the lips' edge."""
    unit = plate.side / 512
    low = np.floor(outline.min(0) - 2).astype(int).clip(0)
    high = np.ceil(outline.max(0) + 3).astype(int).clip(0, plate.side)
    patch = plate.image[low[1] : high[1], low[0] : high[0]]
    size = 2 * round(RIM * unit) + 1
    inside = drawn(outline - low, patch.shape[:2])
    share = cv2.erode(inside, np.ones((size, size)), borderValue=0)
    return Layer(patch.copy(), cv2.GaussianBlur(share, (0, 0), 0.7 * unit), _light(inside, plate.place[0]).clip(LITTLE), low)


def _light(inside: np.ndarray, head: float) -> np.ndarray:
    """(h, w) float32 in [0, 1]: the light that falls in through an opening (h, w), nothing beside it, of a head of so many pixels."""
    return cv2.GaussianBlur(inside, (0, 0), LIT * head, borderType=cv2.BORDER_CONSTANT)


def _brightest(layer: Layer) -> np.ndarray:
    """(3,) RGB of what is brightest in a layer."""
    pixels = layer.patch[layer.share > 0.5].astype(np.float64)
    return np.percentile(pixels if len(pixels) else layer.patch.reshape(-1, 3), 85, axis=0)


def _teethlike(colour: np.ndarray, ivory: np.ndarray) -> float:
    """0 where the brightest (3,) in an open mouth is but a lip or a tongue, 1 where it is as bright and as pale as teeth (3,)."""
    bright = 2 * (colour.mean() / ivory.mean() - NO_TEETH) / (1 - NO_TEETH)
    redder = colour[0] / max(colour.mean(), 1) - ivory[0] / ivory.mean()
    return float(np.clip(min(bright, 2 * (REDDER - redder) / REDDER), 0, 1))


def _dark(layer: Layer) -> np.ndarray:
    """(h, w) in [0, 1]: what is the inside of an open mouth without teeth, and no rim of a lip."""
    share = np.clip(LIP_RIM - layer.patch.mean(-1) / max(_cavity(layer), 1), 0, 1).astype(np.float32)
    return cv2.blur(cv2.erode(share, np.ones((5, 5))), (3, 3))


def _cavity(layer: Layer) -> float:
    """Levels of the inside of an open mouth."""
    inside = layer.patch.mean(-1)[layer.share > 0.9]
    return float(np.median(inside)) if len(inside) else 0.0


def _likely(plate: Plate, plane: np.ndarray, line: np.ndarray, row: Row, ivory: np.ndarray) -> Layer:
    """A drawn row of teeth of such a colour (3,); line (2,): the middle of closed lips, in the plane."""
    size, way = plate.place[0], 1 if row is UPPER else -1
    middle = plane[:, :2] @ line + plane[:, 2]
    reach = size * np.array([row.widths.sum() + 2 * MM, CROWNS])
    low, high = np.floor(middle - reach).astype(int), np.ceil(middle + reach).astype(int)
    places = np.stack(np.meshgrid(np.arange(low[0], high[0]) + 0.5, np.arange(low[1], high[1]) + 0.5), -1)
    across, down = np.moveaxis(_unmapped(plane, places) - line, -1, 0)
    brightness, gum, there = crowns(across, way * down, row)
    below = np.clip(plate.landmarks[list(INNER_LIPS), :2] + [0, 5 * plate.side / 512], 0, plate.side - 1).astype(int)
    pink = 0.8 * plate.image[below[:, 1], below[:, 0]].mean(0)
    shaded = brightness[..., None] ** RED ** colourfulness(plate) * ivory
    colours = (1 - gum[..., None]) * shaded + gum[..., None] * pink
    soft = softness(plate)
    patch = np.clip(cv2.GaussianBlur(colours, (0, 0), soft) + 0.5, 0, 255).astype(np.uint8)
    return Layer(patch, cv2.GaussianBlur(there.astype(np.float32), (0, 0), soft), np.full(there.shape, WELL, np.float32), low)


def softness(plate: Plate) -> float:
    """Standard deviation in pixels of the blur of a picture: of a step as high as the contrast of an eye, and as steep as the
    steepest edge in it."""
    found = [SOFTNESS[0]]
    for ring, _iris in EYES:
        points = plate.landmarks[list(ring), :2].clip(0, plate.side - 1)
        low, high = np.floor(points.min(0)).astype(int), np.ceil(points.max(0)).astype(int) + 1
        eye = plate.image[low[1] : high[1], low[0] : high[0]].mean(-1)
        if min(eye.shape) >= 3:
            steepest = np.percentile(np.hypot(*np.gradient(eye)), 98)
            found.append(np.ptp(np.percentile(eye, [2, 98])) / (np.sqrt(2 * np.pi) * max(steepest, 1e-3)))
    return float(np.clip(max(found), *SOFTNESS))


def _ivory(plate: Plate) -> np.ndarray:
    """(3,) RGB of teeth in this light: as bright as the white of the eyes, which lids shade, or as the skin of the cheeks
    where that is brighter, and a little of its colour."""
    skin = _skin(plate)
    whites = [np.percentile(eyeball.patch.mean(-1), 92) for eyeball in plate.eyeballs if eyeball is not None]
    light = max(skin.mean(), SHADED_WHITE * float(np.mean(whites or [0])))
    return min(light, BRIGHTEST) * IVORY ** colourfulness(plate) * (skin / skin.mean()) ** TINT


def show(teeth: Teeth, image: np.ndarray, target: np.ndarray, place: Place) -> None:
    """Lays the teeth between the lips of a picture (S, S, 3) uint8, in place, for its mesh (N, 3) and the place of its head."""
    outline = target[list(INNER_LIPS), :2]
    low = np.floor(outline.min(0) - 2).astype(int).clip(0)
    high = np.ceil(outline.max(0) + 3).astype(int).clip(0, len(image))
    if (high <= low).any():
        return
    part = image[low[1] : high[1], low[0] : high[0]]
    apart = parted(outline * (512 / len(image)))
    if teeth.lifts and apart < 1:
        _seal(part, drawn(outline - low, part.shape[:2]), 1 - apart)
    if apart <= 0:
        return
    at, way, fallen = _source_of(teeth, target, place, low, part.shape[:2])
    opening = drawn(outline - low, part.shape[:2])
    light = _light(opening, place[0])
    size = 2 * round(RIM * len(image) / 1024) + 1
    inside = apart * cv2.blur(opening, (size, size))
    if not teeth.lifts:
        inside = cv2.GaussianBlur(inside, (0, 0), teeth.soft, borderType=cv2.BORDER_CONSTANT)
    red = RED**teeth.colour
    seen, share = _under(teeth.upper, at, light, red)
    depth = np.clip((way - 1) / max(float(way[inside > 0.5].max(initial=1)) - 1, 0.5), 0, 1)
    above = cv2.blur(cv2.dilate(share, np.ones((2 * size + 1,) * 2)), (size, size))
    beside = share + np.clip(1 - 2 * way, 0, 1) * (above - share)
    plain = _toned(part, inside, teeth.colour)
    behind = _shaded(plain, inside * (1 - beside), depth, teeth.bright, red)
    behind = _before(behind, *_under(teeth.lower, fallen, light, red), inside)
    part[:] = _before(behind, seen, share, inside)


def _before(behind: np.ndarray, layer: np.ndarray, share: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """(h, w, 3) uint8: a layer laid over a picture, no farther than between the lips."""
    share = np.minimum(share, inside)
    return cv2.blendLinear(layer, behind, share, 1 - share)


def _seal(image: np.ndarray, opening: np.ndarray, share: float) -> None:
    """Draws the line along which lips meet over what a source's open mouth left there, in place; share: how nearly they do."""
    near, far = (cv2.dilate(opening, np.ones((size, size))) for size in (3, 9))
    round_it = far - near
    colour = SEAM * (image * round_it[..., None]).sum((0, 1)) / max(float(round_it.sum()), 1e-3)
    weight = share * cv2.GaussianBlur(near, (0, 0), 0.8)[..., None]
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
    (h, w, 2): where if it were on the jaw, which follows the lower lip."""
    plane = plane_of(place, teeth.depth)
    skull = teeth.rim @ plane[:, :2].T + plane[:, 2]
    upper, lower = (target[list(lip), :2].mean(0) for lip in (UPPER_LIP, LOWER_LIP))
    top, bottom = skull[MIDDLE + 1 :].mean(0), skull[1:MIDDLE].mean(0)
    down = plane[:, 1] * max(float((bottom - top) @ plane[:, 1]) / float(plane[:, 1] @ plane[:, 1]), LEAST)
    x, y = np.meshgrid(np.arange(shape[1]) + low[0] + 0.5, np.arange(shape[0]) + low[1] + 0.5)
    lip = float(_unmapped(plane, target[INNER_LIPS[MIDDLE // 2], :2])[1])
    jaw = max(lip - teeth.line + LOWER.shown - MOST, 0)
    on_jaw = _unmapped(plane, np.stack([x, y], -1)) - [0, jaw]
    lifted = teeth.lifts * min(0.0, float((upper - top) @ down) / float(down @ down)) * down
    x, y = x - lifted[0], y - lifted[1]
    dropped = teeth.jaw * (lower - bottom - lifted)
    fall = max(1 + float(dropped @ down) / float(down @ down), 0.2)
    way = ((x - top[0]) * down[0] + (y - top[1]) * down[1]) / float(down @ down) / fall
    share = np.clip((way - 0.45) / 0.55, 0, 1)
    pixels = np.stack([x - share * dropped[0], y - share * dropped[1]], -1)
    at, fallen = ((each @ teeth.plane[:, :2].T + teeth.plane[:, 2]).astype(np.float32) for each in (_unmapped(plane, pixels), on_jaw))
    return at, way, fallen
