"""Which teeth a photo has: those that it shows, or likely ones.

A mouth that is open in the source holds more truth than any generator: its upper teeth are kept as they are. Where it shows
none, likely ones are drawn in the photo's own light and softness: the upper row, and the lower one, which hardly a photo shows.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from ..face.morphable import canonical
from ..face.regions import INNER_LIPS
from .dentition import LOWER, MM, TONGUE, UPPER, Row, crowns, tongue
from .plate import EYES, Plate, drawn
from .teeth import DARK, MIDDLE, RED, RIM, Layer, Teeth, light_in, plane_of, unmapped

PARTED = 5.0  # pixels at 512 between the lips from which a source shows its teeth
WIDE = (0.3, 0.5)  # heights of an opening, in its widths: up to the first it shows upper teeth only, from the second a jaw too
CROWNS = 0.4  # head sizes above the line of closed lips up to which teeth are drawn
IVORY, TINT = np.array([1.09, 1.07, 1.02]), 0.3  # of teeth against the light; share of the skin's colour that they take on
PINK = np.array([0.74, 0.45, 0.44])  # of gums and tongue, against teeth
SHADED_WHITE, BRIGHTEST = 1.2, 238  # by how much the white of an eye is shaded by its lids; levels that teeth do not exceed
SOFTNESS = (0.6, 6.0)  # pixels, from a picture that is as sharp as its pixels
COLOURED = 0.12  # saturation from which a skin is in colour
CHEEKS = (50, 280, 101, 330)
LITTLE, WELL = 0.1, 0.7  # least light of a source that counts; light of drawn teeth
LIP_RIM = 2.2  # times as bright as the middle of a mouth without teeth: what is brighter is a lip
NO_TEETH, REDDER = 0.45, 0.25  # brightness against likely teeth, and excess of red, from which on what is seen is none
BEHIND = 0.92  # brightness of lower teeth, which stand back, against that of upper ones


def teeth_of(plate: Plate) -> Teeth:
    """The teeth that a crop shows, or likely ones where its mouth is closed."""
    outline = plate.landmarks[list(INNER_LIPS), :2]
    width = max(float(np.linalg.norm(outline[0] - outline[MIDDLE])), 1e-3)
    height = float(cv2.contourArea(outline.astype(np.float32))) / width
    rim = canonical(plate.landmarks[None, list(INNER_LIPS)], np.array([plate.place[0]]), plate.place[1][None], plate.place[2][None])[0]
    depth = float(rim[:, 2].mean())
    plane = plane_of(plate.place, depth)
    rim = unmapped(plane, outline)
    line, ivory, jaw, there = rim[[5, 15]].mean(0), _ivory(plate), 0.0, 1.0
    lifts = height >= PARTED * plate.side / 512
    if lifts:
        upper = _seen(plate, outline)
        there, ivory = _teethlike(_brightest(upper), ivory), _brightest(upper)
        upper = replace(upper, share=(there + (1 - there) * _dark(upper, plate.side / 512)) * upper.share)
        jaw = float(np.clip((height / width - WIDE[0]) / (WIDE[1] - WIDE[0]), 0, 1))
    else:
        upper = _likely(plate, plane, line, UPPER, ivory)
    lower = _likely(plate, plane, line, LOWER, BEHIND * ivory)
    lower = replace(lower, share=there * (1 - jaw) * lower.share)
    moist = _tongue(plate, plane, line, ivory)
    moist = replace(moist, share=(1 - jaw) * moist.share)
    bright = there * float(np.percentile(upper.patch.mean(-1), 80)) + (1 - there) * _cavity(upper) / DARK[1]
    return Teeth(upper, lower, moist, plane, depth, rim, float(line[1]), bright, softness(plate), colourfulness(plate), jaw, lifts)


def colourfulness(plate: Plate) -> float:
    """0 for a grey picture to 1 for one in colour, by the skin of the cheeks."""
    skin = _skin(plate)
    return float(np.clip((skin.max() - skin.min()) / max(skin.max(), 1) / COLOURED, 0, 1))


def _skin(plate: Plate) -> np.ndarray:
    """(3,) RGB of the cheeks."""
    cheeks = plate.landmarks[list(CHEEKS), :2].clip(0, plate.side - 1).astype(int)
    return plate.image[cheeks[:, 1], cheeks[:, 0]].astype(np.float64).mean(0)


def _seen(plate: Plate, outline: np.ndarray) -> Layer:
    """The inside of an open mouth, but for the lips' edge."""
    unit = plate.side / 512
    low = np.floor(outline.min(0) - 2).astype(int).clip(0)
    high = np.ceil(outline.max(0) + 3).astype(int).clip(0, plate.side)
    patch = plate.image[low[1] : high[1], low[0] : high[0]]
    size = 2 * round(RIM * unit) + 1
    inside = drawn(outline - low, patch.shape[:2])
    share = cv2.erode(inside, np.ones((size, size)), borderValue=0)
    return Layer(patch.copy(), cv2.GaussianBlur(share, (0, 0), 0.7 * unit), light_in(inside, plate.place[0]).clip(LITTLE), low)


def _brightest(layer: Layer) -> np.ndarray:
    """(3,) RGB of what is brightest in a layer."""
    pixels = layer.patch[layer.share > 0.5].astype(np.float64)
    return np.percentile(pixels if len(pixels) else layer.patch.reshape(-1, 3), 85, axis=0)


def _teethlike(colour: np.ndarray, ivory: np.ndarray) -> float:
    """0 where the brightest (3,) in an open mouth is but a lip or a tongue, 1 where it is as bright and as pale as teeth (3,)."""
    bright = 2 * (colour.mean() / ivory.mean() - NO_TEETH) / (1 - NO_TEETH)
    redder = colour[0] / max(colour.mean(), 1) - ivory[0] / ivory.mean()
    return float(np.clip(min(bright, 2 * (REDDER - redder) / REDDER), 0, 1))


def _dark(layer: Layer, unit: float) -> np.ndarray:
    """(h, w) in [0, 1]: what is the inside of an open mouth without teeth, and no rim of a lip; unit: pixels of one at 512."""
    share = np.clip(LIP_RIM - layer.patch.mean(-1) / max(_cavity(layer), 1), 0, 1).astype(np.float32)
    wide, soft = 2 * round(2 * unit) + 1, 2 * round(unit) + 1
    return cv2.blur(cv2.erode(share, np.ones((wide, wide))), (soft, soft))


def _cavity(layer: Layer) -> float:
    """Levels of the inside of an open mouth."""
    inside = layer.patch.mean(-1)[layer.share > 0.9]
    return float(np.median(inside)) if len(inside) else 0.0


def _likely(plate: Plate, plane: np.ndarray, line: np.ndarray, row: Row, ivory: np.ndarray) -> Layer:
    """A drawn row of teeth of such a colour (3,); line (2,): the middle of closed lips, in the plane."""
    way = 1 if row is UPPER else -1
    low, across, down = _places(plate, plane, line, row.widths.sum() + 2 * MM)
    brightness, gum, there = crowns(across, way * down, row)
    shaded = brightness[..., None] ** RED ** colourfulness(plate) * ivory
    return _drawn(plate, low, (1 - gum[..., None]) * shaded + gum[..., None] * _pink(plate, ivory), there)


def _tongue(plate: Plate, plane: np.ndarray, line: np.ndarray, ivory: np.ndarray) -> Layer:
    """A drawn tongue, in the light in which teeth are of such a colour (3,)."""
    low, across, down = _places(plate, plane, line, TONGUE[0])
    brightness, there = tongue(across, down)
    return _drawn(plate, low, brightness[..., None] ** RED ** colourfulness(plate) * _pink(plate, ivory), there)


def _places(plate: Plate, plane: np.ndarray, line: np.ndarray, half: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The corner of a patch round the middle of closed lips (2,), half as wide as so many head sizes, and how far across and down
    from there (h, w) its pixels lie in the plane."""
    middle = plane[:, :2] @ line + plane[:, 2]
    reach = plate.place[0] * np.array([half, CROWNS])
    low, high = np.floor(middle - reach).astype(int), np.ceil(middle + reach).astype(int)
    places = np.stack(np.meshgrid(np.arange(low[0], high[0]) + 0.5, np.arange(low[1], high[1]) + 0.5), -1)
    return low, *np.moveaxis(unmapped(plane, places) - line, -1, 0)


def _drawn(plate: Plate, low: np.ndarray, colours: np.ndarray, share: np.ndarray) -> Layer:
    """A layer (h, w, 3) as soft as the picture."""
    soft = softness(plate)
    patch = np.clip(cv2.GaussianBlur(colours, (0, 0), soft) + 0.5, 0, 255).astype(np.uint8)
    return Layer(patch, cv2.GaussianBlur(share.astype(np.float32), (0, 0), soft), np.full(share.shape, WELL, np.float32), low)


def _pink(plate: Plate, ivory: np.ndarray) -> np.ndarray:
    """(3,) RGB of gums and tongue in the light in which teeth are of such a colour (3,)."""
    return ivory * (PINK.mean() + colourfulness(plate) * (PINK - PINK.mean()))


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
