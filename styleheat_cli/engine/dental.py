"""Which teeth a photo has: those that it shows, or likely ones.

A mouth that is open in the source holds more truth than any generator: the teeth that it shows are kept, upper ones on the skull and
lower ones, where they can be told from them, on the jaw. What lips hide of them, or all where none are seen, is likely: drawn in the
photo's own light and softness.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from ..face.regions import CHIN, INNER_LIPS
from .bite import MIDDLE, Bite, bite_of
from .dentition import LOWER, MM, TONGUE, UPPER, Row, crowns, tongue
from .eyes import softness
from .fill import drawn, ramp
from .plate import Plate, skin_of
from .teeth import BITE, DARK, RED, RIM, SHOWN, Layer, Teeth, canonical_of, light_in, plane_of, unmapped

PARTED = 5.0  # pixels at 512 between the lips from which a source shows its teeth
WIDE = (0.3, 0.5)  # heights of an opening, in its widths: up to the first it shows upper teeth only, from the second a jaw too
CROWNS = 0.4  # head sizes above and below the line of closed lips within which teeth and tongue are drawn
IVORY, TINT = np.array([1.09, 1.07, 1.02]), 0.3  # of teeth against the light; share of the skin's colour that they take on
PINK = np.array([0.74, 0.45, 0.44])  # of gums and tongue, against teeth
SHADED_WHITE, BRIGHTEST = 1.2, 238  # by how much the white of an eye is shaded by its lids; levels that teeth do not exceed
COLOURED = 0.12  # saturation from which a skin is in colour
LITTLE, WELL = 0.1, 0.7  # least light of a source that counts; light of drawn teeth
LIP_RIM = 2.2  # times as bright as the middle of a mouth without teeth: what is brighter is a lip
NO_TEETH, REDDER = 0.45, 0.25  # brightness against likely teeth, and excess of red, from which on what is seen is none
GUM = 1.0 * MM  # that a rising lip bares above crowns
BEHIND = 0.92  # brightness of lower teeth, which stand back, against that of upper ones


@dataclass(frozen=True)
class Look:
    """How teeth look in a picture: their colour (3,) RGB where so much light falls, the picture's blur in pixels, how much colour it has."""

    ivory: np.ndarray
    light: float
    soft: float
    colour: float

    @property
    def pink(self) -> np.ndarray:
        """(3,) RGB of gums and tongue in the same light."""
        return self.ivory * (PINK.mean() + self.colour * (PINK - PINK.mean()))


def teeth_of(plate: Plate) -> Teeth:
    """The teeth that a crop shows, or likely ones where its mouth is closed."""
    outline = plate.landmarks[list(INNER_LIPS), :2]
    width = max(float(np.linalg.norm(outline[0] - outline[MIDDLE])), 1e-3)
    height = float(cv2.contourArea(outline.astype(np.float32))) / width
    depth = float(canonical_of(plate.place, plate.landmarks[list(INNER_LIPS)])[:, 2].mean())
    plane = plane_of(plate.place, depth)
    rim = unmapped(plane, outline)
    line, look = rim[[5, 15]].mean(0), Look(_ivory(plate), WELL, softness(plate.image, plate.landmarks), colourfulness(plate))
    seen = height >= PARTED * plate.side / 512
    if seen:
        found, look, bright = _rows(plate, plane, line, look, float(ramp(height / width, WIDE)))
    else:
        found = Rows(_likely(plate, plane, line, UPPER, look), None, line, SHOWN, np.inf, 0.0, 1.0)
        bright = float(np.percentile(found.upper.patch.mean(-1), 80))
    lower = _likely(plate, plane, found.line, LOWER, replace(look, ivory=BEHIND * look.ivory))
    lower = replace(lower, share=found.there * (1 - found.jaw) * lower.share)
    moist = _tongue(plate, plane, line, look)
    return Teeth(
        upper=found.upper, lower=lower if found.lower is None else _before(found.lower, lower),
        tongue=replace(moist, share=(1 - found.jaw) * moist.share), plane=plane, depth=depth, rim=rim, line=float(found.line[1]),
        shows=found.shows, chin=float(canonical_of(plate.place, plate.landmarks[[CHIN]])[0, 1]), bright=bright, soft=look.soft,
        colour=look.colour, jaw=found.jaw, seen=seen, bares=found.bares,
    )  # fmt: skip


@dataclass(frozen=True)
class Rows:
    """What is known of a mouth's teeth: the upper row, the lower one where it is seen, the line of closed lips (2,) by the lower row, how
    much of that shows above the lip, at most and at least, how much more of the upper one a rising lip bares, how much of that goes with
    the jaw, and whether there are teeth."""

    upper: Layer
    lower: Layer | None
    line: np.ndarray
    shows: tuple[float, float]
    bares: float
    jaw: float
    there: float


def _rows(plate: Plate, plane: np.ndarray, line: np.ndarray, look: Look, jaw: float) -> tuple[Rows, Look, float]:
    """The rows of an open mouth, how its teeth look, and how bright they are in levels."""
    outline = plate.landmarks[list(INNER_LIPS), :2]
    upper, bite, lower, shows = _seen(plate, outline), bite_of(plate.image, outline), None, SHOWN
    there = _teethlike(_brightest(upper), look.ivory)
    look = replace(look, ivory=_brightest(upper), light=_lit(upper))
    bright = there * float(np.percentile(upper.patch.mean(-1), 80)) + (1 - there) * _cavity(upper) / DARK[1]
    upper = replace(upper, share=(there + (1 - there) * _dark(upper, plate.side / 512)) * upper.share)
    above = np.array([line[0], unmapped(plane, bite.ends)[1] - UPPER.shown])
    top, crown = float(unmapped(plane, outline[MIDDLE + MIDDLE // 2])[1]), above[1] + UPPER.shown - UPPER.height
    bares = there * (max(top - crown, 0.0) + GUM)
    if there > 0 and bite.parts is not None and jaw == 0:
        upper, lower = _parted(upper, bite, outline)
        lower = replace(lower, corner=lower.corner - np.round(BITE * plane[:, 1]).astype(int))
        begin, lip = (float(unmapped(plane, point)[1]) for point in (bite.begins, outline[MIDDLE // 2]))
        line = np.array([line[0], begin + LOWER.shown - BITE])
        shows = max(SHOWN[0], lip - begin), min(SHOWN[1], lip - begin)
    hidden = _likely(plate, plane, above, UPPER, look)
    upper = _before(upper, replace(hidden, share=there * hidden.share))
    return Rows(upper, lower, line, shows, bares, jaw, there), look, bright


def _parted(layer: Layer, bite: Bite, outline: np.ndarray) -> tuple[Layer, Layer]:
    """The rows of a layer, upper and lower, by the line between them."""
    upper = drawn(np.vstack([bite.parts, outline[MIDDLE + 1 :]]) - layer.corner, layer.share.shape)
    return tuple(replace(layer, share=layer.share * share) for share in (upper, 1 - upper))


def colourfulness(plate: Plate) -> float:
    """0 for a grey picture to 1 for one in colour, by the skin of the cheeks."""
    skin = skin_of(plate.image, plate.landmarks)
    return float(np.clip((skin.max() - skin.min()) / max(skin.max(), 1) / COLOURED, 0, 1))


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


def _before(layer: Layer, behind: Layer) -> Layer:
    """A layer with another one behind it, in one."""
    low = np.minimum(layer.corner, behind.corner)
    width, height = (np.maximum(*(each.corner + each.share.shape[::-1] for each in (layer, behind))) - low).tolist()
    patch, share, light = np.zeros((height, width, 3), np.float32), np.zeros((height, width), np.float32), np.full((height, width), WELL, np.float32)
    for each in (behind, layer):
        x, y = (each.corner - low).tolist()
        here = np.s_[y : y + each.share.shape[0], x : x + each.share.shape[1]]
        seen = each.share / np.maximum(each.share + share[here] * (1 - each.share), 1e-6)
        patch[here] += seen[..., None] * (each.patch - patch[here])
        light[here] += seen * (each.light - light[here])
        share[here] += each.share * (1 - share[here])
    return Layer(np.round(patch).astype(np.uint8), share, light, low)


def _brightest(layer: Layer) -> np.ndarray:
    """(3,) RGB of what is brightest in a layer."""
    pixels = layer.patch[layer.share > 0.5].astype(np.float64)
    return np.percentile(pixels if len(pixels) else layer.patch.reshape(-1, 3), 85, axis=0)


def _lit(layer: Layer) -> float:
    """The light in which the brightest of an open mouth is seen."""
    inside = layer.share > 0.5
    if not inside.any():
        return WELL
    grey = layer.patch.mean(-1)
    return float(layer.light[inside & (grey >= np.percentile(grey[inside], 75))].mean())


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


def _likely(plate: Plate, plane: np.ndarray, line: np.ndarray, row: Row, look: Look) -> Layer:
    """A drawn row of teeth; line (2,): the middle of closed lips, in the plane, as this row has it."""
    way = 1 if row is UPPER else -1
    low, across, down = _places(plate, plane, line, row.widths.sum() + 2 * MM)
    brightness, gum, there = crowns(across, way * down, row)
    shaded = brightness[..., None] ** RED**look.colour * look.ivory
    return _drawn(low, (1 - gum[..., None]) * shaded + gum[..., None] * look.pink, there, look)


def _tongue(plate: Plate, plane: np.ndarray, line: np.ndarray, look: Look) -> Layer:
    """A drawn tongue."""
    low, across, down = _places(plate, plane, line, TONGUE[0])
    brightness, there = tongue(across, down)
    return _drawn(low, brightness[..., None] ** RED**look.colour * look.pink, there, look)


def _places(plate: Plate, plane: np.ndarray, line: np.ndarray, half: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The corner of a patch round the middle of closed lips (2,), half as wide as so many head sizes, and how far across and down
    from there (h, w) its pixels lie in the plane."""
    middle = plane[:, :2] @ line + plane[:, 2]
    reach = plate.place[0] * np.array([half, CROWNS])
    low, high = np.floor(middle - reach).astype(int), np.ceil(middle + reach).astype(int)
    places = np.stack(np.meshgrid(np.arange(low[0], high[0]) + 0.5, np.arange(low[1], high[1]) + 0.5), -1)
    return low, *np.moveaxis(unmapped(plane, places) - line, -1, 0)


def _drawn(low: np.ndarray, colours: np.ndarray, share: np.ndarray, look: Look) -> Layer:
    """A layer (h, w, 3) as soft as the picture."""
    patch = np.clip(cv2.GaussianBlur(colours, (0, 0), look.soft) + 0.5, 0, 255).astype(np.uint8)
    share = cv2.GaussianBlur(share.astype(np.float32), (0, 0), look.soft)
    return Layer(patch, share, np.full(share.shape, look.light, np.float32), low)


def _ivory(plate: Plate) -> np.ndarray:
    """(3,) RGB of teeth in this light: as bright as the white of the eyes, which lids shade, or as the skin of the cheeks
    where that is brighter, and a little of its colour."""
    skin = skin_of(plate.image, plate.landmarks)
    whites = [np.percentile(eyeball.patch.mean(-1), 92) for eyeball in plate.eyeballs if eyeball is not None and eyeball.seen]
    light = max(skin.mean(), SHADED_WHITE * float(np.mean(whites or [0])))
    return min(light, BRIGHTEST) * IVORY ** colourfulness(plate) * (skin / skin.mean()) ** TINT
