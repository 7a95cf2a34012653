"""Attributes of the embedded family: a face's crop made older or younger, bearded, with other lips, greyer hair, a smile.

What labelled portraits have in common (`Appearance`, made by `styleheat train attributes`) says where skin folds and darkens,
where beards grow, how lips and hair are coloured, and how the mesh differs; strokes from a seed add what no two faces share.
Lightness is changed by factors, so that light and shadow stay; colours move towards tones of this same face; everything ends
at the head's mask.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, cached_property, partial
from pathlib import Path

import cv2
import numpy as np

from ..errors import InputError
from ..face.matte import head_mask
from ..face.morphable import openings
from ..face.regions import BROWS, INNER_LIP_GAP, INNER_LIPS, LEFT_EYE, NOSTRILS, OUTER_LIPS, OVAL, RIGHT_EYE
from ..shot import POINTS
from .fill import drawn
from .hair import SLOWLY, Hair, find_hair
from .plate import Plate
from .strokes import hairs, wrinkles
from .texture import SIDE, Atlas, spread

TONES = ((85, 130, 12, 9), (171, 130, 12, 9), (128, 120, 5, 12), (128, 190, 9, 6), (60, 140, 9, 14), (196, 140, 9, 14),
         (110, 66, 12, 5), (146, 66, 12, 5), (128, 55, 18, 4))  # fmt: skip
"""Ellipses on the texture where skin is seen: both cheeks, nose, chin, both jaws, forehead; x, y, half width and height."""
SKIN_LIKE = np.array([7.0, 8.0])  # spread of one skin's a and b
MOST_SMILE, LEAST_SMILE = 3.0, 3.0  # classes beyond none to which a face is brought, smiling and the other way
APART = 0.15  # head sizes between lips that show the teeth
GREY_TINT = 0.5  # share of the warmth of grey hair in portraits, much of which is the light's
HAIRY = 1.8  # times the cheeks' roughness from which a place in the beard's is hair
EDGE_ON = 3.0  # over which share of facing the camera skin fades in: 1.3 / this
STUBBLE, BEARD = (26_000, 1.3, 1), (16_000, 9.0, 2)  # hairs, their length in texels, their seed


@dataclass(frozen=True)
class Appearance:
    """What labelled portraits say, as the file holds it. A step of age is ten years, of other labels one class.

    folds, smile_folds (256, 256): log lightness that a step of age or smile adds; shape (478, 3): what a step of age adds to
    the face at rest, canonical; smile (64,): expression of a step; beard (256, 256) in [0, 1]: where it grows;
    lips (3,): Lab that colour adds to lips; grey (3,): grey hair's L as a share of the skin's, its a and b in tens; age_grey: share of hair that
    a step of age turns grey; judge_* (F,), (F,), (5, F + 1): linear readings of the labels from a picture (metrics/attributes.py).
    """

    folds: np.ndarray
    smile_folds: np.ndarray
    shape: np.ndarray
    smile: np.ndarray
    beard: np.ndarray
    lips: np.ndarray
    grey: np.ndarray
    age_grey: np.ndarray
    judge_mean: np.ndarray
    judge_scale: np.ndarray
    judge_weights: np.ndarray


@dataclass(frozen=True)
class Change:
    """What an attribute asks of the mesh: canonical offsets (478, 3) and expression (64,), and how much of that expression a
    face has at most in the end: who smiles already smiles little more."""

    shape: np.ndarray | float = 0.0
    expression: np.ndarray | float = 0.0
    most: float = np.inf

    def __add__(self, other: Change) -> Change:
        return Change(self.shape + other.shape, self.expression + other.expression, min(self.most, other.most))

    def added_to(self, expression: np.ndarray) -> np.ndarray:
        """(64,): an expression with this change, as far as there is room for it."""
        size = float(np.linalg.norm(self.expression))
        if size == 0:
            return expression
        room = max(self.most - float(expression @ self.expression) / size, 0.0)
        return expression + self.expression * min(1.0, room / size)


NO_CHANGE = Change()


@dataclass
class Memory:
    """What the frames of a shot so far have shown: tones of the skin (9, 3), one a spot of TONES, and the hair."""

    spots: np.ndarray | None = None
    hair: Hair | None = None

    def evened(self, spots: np.ndarray) -> np.ndarray:
        """(9, 3): the spots' tones now, evened out over time; what is hidden now is remembered."""
        if self.spots is not None:
            now = np.where(np.isnan(spots), self.spots, spots)
            spots = np.where(np.isnan(self.spots), now, SLOWLY * now + (1 - SLOWLY) * self.spots)
        self.spots = spots
        return spots


@dataclass
class Canvas:
    """A head's crop while it is edited: its colours (S, S, 3) float32 Lab, which the edits replace, and what they ask of it,
    found once for any number of edits."""

    look: Appearance | None
    atlas: Atlas
    plate: Plate
    memory: Memory = field(default_factory=Memory)
    lab: np.ndarray = field(init=False, default=None)

    @cached_property
    def original(self) -> np.ndarray:
        return cv2.cvtColor(self.plate.image.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)

    @cached_property
    def head_px(self) -> float:
        """Pixels of a head size."""
        return self.plate.place[0]

    @cached_property
    def located(self) -> tuple[np.ndarray, np.ndarray]:
        return self.atlas.located(self.plate.vertices, self.plate.side)

    def on_face(self, texture: np.ndarray) -> np.ndarray:
        """(S, S): a texture seen in this crop; what is seen edge-on fades out."""
        places, facing = self.located
        return spread(np.asarray(texture, np.float32), places, self.head_px) * np.clip(EDGE_ON * facing - 0.3, 0, 1)

    def blurred(self, values: np.ndarray, head_sizes: float) -> np.ndarray:
        return cv2.GaussianBlur(values, (0, 0), max(head_sizes * self.head_px, 0.4))

    def polygon(self, points: tuple[int, ...]) -> np.ndarray:
        """(S, S): a ring of landmarks, filled."""
        return drawn(self.plate.landmarks[list(points), :2], self.plate.image.shape[:2])

    @cached_property
    def lip_mask(self) -> np.ndarray:
        return self.blurred(self.polygon(OUTER_LIPS) * (1 - self.polygon(INNER_LIPS)), 0.035)

    @cached_property
    def head(self) -> np.ndarray:
        return head_mask(self.plate.landmarks, self.plate.alpha)

    @cached_property
    def tones(self) -> list[np.ndarray]:
        """Lab tones (3,) of this face's skin, the cheeks' first; places that are not like them (a fringe) are left out."""
        found: list[np.ndarray] = []
        for tone in self.memory.evened(np.array([self._tone_at(*spot) for spot in TONES])):
            alike = [np.hypot(*((tone - other)[1:] / [5.5, 6.5])) for other in found]
            if np.isfinite(tone).all() and (not found or (min(alike) < 1.6 and tone[0] > found[0][0] - 22)):
                found.append(tone)
        return found or [np.median(self.original[self.polygon(OVAL) > 0.5], axis=0)]

    def _tone_at(self, x: int, y: int, half_width: int, half_height: int) -> np.ndarray:
        """(3,) Lab of the skin in an ellipse of the texture; NaN where too little of it is seen."""
        spot = np.zeros((SIDE, SIDE), np.float32)
        cv2.ellipse(spot, (x, y), (half_width, half_height), 0, 0, 360, 1, -1)
        seen = self.original[self.on_face(spot) > 0.6]
        return np.median(seen, axis=0) if len(seen) >= 12 else np.full(3, np.nan)

    @cached_property
    def skin_tone(self) -> np.ndarray:
        return np.mean(self.tones[:2], axis=0)

    @cached_property
    def bare(self) -> np.ndarray:
        """(S, S): where the mesh has skin: no eyes, brows, lips, nostrils."""
        return self.on_face(_bare(self.atlas))

    @cached_property
    def like_skin(self) -> np.ndarray:
        """(S, S): how much a pixel's colour is this skin's; hair, glasses and hands before the face are not."""
        away = self.original - self.skin_tone
        chroma = np.hypot(away[..., 1] / SKIN_LIKE[0], away[..., 2] / SKIN_LIKE[1])
        dark = np.clip(-away[..., 0] / 30 - 0.35, 0, None) / 0.6
        return self.blurred(np.exp(-0.5 * np.clip(chroma - 1, 0, None) ** 2 - 0.5 * dark**2), 0.02)

    @cached_property
    def skin(self) -> np.ndarray:
        return self.bare * self.like_skin

    @cached_property
    def hair(self) -> Hair | None:
        plate = self.plate
        found = find_hair(plate.image, self.original, plate.alpha, plate.landmarks, self.tones, self.memory.hair)
        if found is None:
            return None
        self.memory.hair = found
        brows = np.clip(self.on_face(_brows(self.atlas)), 0, 1)
        return replace(found, share=found.share * (1 - brows))

    def finished(self) -> tuple[np.ndarray, np.ndarray]:
        """(S, S, 3) uint8 and (S, S) float32: the crop edited within the head's mask, and 1 where it differs."""
        moved = _rgb(self.lab) - _rgb(self.original)
        moved = moved * (255 * self.head)[..., None]
        image = np.clip(np.round(self.plate.image + moved), 0, 255).astype(np.uint8)
        return image, (image != self.plate.image).any(-1).astype(np.float32)


def _rgb(lab: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(lab.astype(np.float32), cv2.COLOR_LAB2RGB)


def _bare(atlas: Atlas) -> np.ndarray:
    """(256, 256): the skin of the texture."""
    face = cv2.GaussianBlur(atlas.polygon(OVAL), (0, 0), 4)
    covered = [atlas.polygon(LEFT_EYE, 3), atlas.polygon(RIGHT_EYE, 3), atlas.polygon(OUTER_LIPS, 2)]
    covered += [atlas.polygon(brow, 2, hull=True) for brow in BROWS] + [0.8 * atlas.polygon(NOSTRILS, 3, hull=True)]
    return face * (1 - np.max(covered, axis=0).clip(0, 1))


def _brows(atlas: Atlas) -> np.ndarray:
    return np.max([atlas.polygon(brow, 4, hull=True) for brow in BROWS], axis=0)


def age(canvas: Canvas, strength: float) -> Change:
    """Older by decades, or younger: folds, the skin's own detail, wrinkles, greying hair, and the shape."""
    log_light = np.log(canvas.lab[..., 0].clip(2) / 100)
    fine = canvas.blurred(log_light, 0.02)
    detail = fine - canvas.blurred(log_light, 0.16)
    gentle = detail * canvas.skin * np.exp(-((detail / 0.22) ** 2))  # glasses and shadows are no wrinkles
    pores = (log_light - fine) * canvas.skin
    folds = canvas.on_face(canvas.look.folds) * np.maximum(canvas.skin, 0.5 * canvas.bare)
    if strength > 0:
        change = 0.35 * strength * gentle + 0.12 * strength * pores + 1.6 * strength * folds
        change += 0.065 * strength**1.2 * canvas.on_face(wrinkles()) * canvas.skin
        grey(canvas, strength * 3 * float(canvas.look.age_grey[0]))
    else:
        change = -min(0.8, -0.28 * strength) * gentle + 0.05 * strength * pores + 1.3 * strength * folds
    canvas.lab = _lighter(canvas.lab, change)
    return Change(shape=strength * canvas.look.shape)


def _lighter(lab: np.ndarray, log_change: np.ndarray) -> np.ndarray:
    light = lab[..., :1] * np.exp(log_change)[..., None]
    return np.concatenate([light.clip(0, 100), lab[..., 1:]], axis=-1)


def beard(canvas: Canvas, strength: float) -> Change:
    """Stubble at 1, a short beard at 2, a full one at 3; below 0 a beard that is there grows thin."""
    cover = np.clip(canvas.look.beard, 0, 1)
    if strength < 0:
        return _shaved(canvas, -strength, cover)
    short, long = min(strength, 1.0), np.clip(strength - 1, 0, 2) / 2
    seen = canvas.on_face(cover) * np.maximum(canvas.like_skin, 0.35) * canvas.plate.alpha
    shadow = 0.26 * short * seen + 0.42 * long * seen
    dots = 0.55 * short * (1 - 0.5 * long) * canvas.on_face(_hairs(canvas.look, STUBBLE))
    strands = canvas.on_face(_hairs(canvas.look, BEARD))
    covered = np.clip(dots + shadow, 0, 1) * np.clip(1.4 * seen, 0, 1)
    covered = 1 - (1 - covered) * (1 - np.clip(1.36 * long * strands, 0, 0.85) * np.clip(1.6 * seen, 0, 1))
    light = np.clip(canvas.blurred(canvas.lab[..., 0], 0.35) / max(canvas.skin_tone[0], 8), 0.25, 1.25)
    relief = canvas.blurred(strands, 0.015) - canvas.blurred(strands, 0.08)
    tone = _beard_tone(canvas) * np.ones_like(canvas.lab)
    tone[..., 0] = np.clip(tone[..., 0] * light + 9 * long * relief, 2, 100)
    canvas.lab = canvas.lab + covered[..., None] * (tone - canvas.lab)
    return NO_CHANGE


_drawn_hairs: dict[tuple, np.ndarray] = {}


def _hairs(look: Appearance, kind: tuple[int, float, int]) -> np.ndarray:
    """The hairs of a beard; drawn once, as they never change."""
    if kind not in _drawn_hairs:
        _drawn_hairs[kind] = hairs(np.clip(look.beard, 0, 1), *kind)
    return _drawn_hairs[kind]


def _beard_tone(canvas: Canvas) -> np.ndarray:
    """(3,) Lab: this person's brows and hair, a little less coloured, darker than the skin."""
    brows = canvas.original[np.maximum(*(canvas.polygon(brow) for brow in BROWS)) > 0.5]
    if not len(brows):
        brows = canvas.skin_tone[None] * [0.4, 0.6, 0.6]
    dark = np.median(brows[brows[:, 0] <= np.percentile(brows[:, 0], 20)], axis=0)
    if canvas.hair is not None:
        dark = np.minimum((dark + canvas.hair.tone) / 2, canvas.hair.tone + 8)
    return np.array([min(dark[0], 0.5 * canvas.skin_tone[0]), 0.75 * dark[1], 0.75 * dark[2]])


def _shaved(canvas: Canvas, strength: float, cover: np.ndarray) -> Change:
    """Hair in the beard's place is lightened towards the skin around; smooth skin, though it be in the shade, stays."""
    light = canvas.lab[..., 0]
    low = np.stack([canvas.blurred(canvas.lab[..., i], 0.12) for i in range(3)], -1)
    rough = canvas.blurred(np.abs(light - canvas.blurred(light, 0.05)) / light.clip(8), 0.12)
    smooth = np.median(rough[canvas.like_skin * canvas.bare > 0.7]) if (canvas.like_skin * canvas.bare > 0.7).any() else 0.01
    hairy = np.clip(rough / (HAIRY * max(smooth, 0.004)) - 1, 0, 1) * np.clip(1.5 * canvas.on_face(cover), 0, 1)
    share = np.clip(strength / 2, 0, 1) * canvas.blurred(hairy, 0.08)
    shade = np.clip(canvas.blurred(light, 0.9) / max(canvas.skin_tone[0], 8), 0.7, 1.0)
    wanted = canvas.skin_tone * np.stack([shade, np.ones_like(shade), np.ones_like(shade)], -1)
    lift = (wanted - low) * np.clip((wanted[..., :1] - low[..., :1]) / 8, 0, 1)  # what is no darker than skin stays
    detail = canvas.lab - low
    canvas.lab = canvas.lab + share[..., None] * (0.9 * lift - 0.75 * detail * np.clip(np.abs(lift[..., :1]) / 10, 0, 1))
    return NO_CHANGE


def lips(canvas: Canvas, strength: float) -> Change:
    """Lips as if coloured, below 0 as pale as the skin around; their gloss stays."""
    mask, light = canvas.lip_mask, canvas.lab[..., 0]
    detail = light - canvas.blurred(light, 0.1)
    lab = canvas.lab.copy()
    if strength > 0:
        matt = mask * (1 - 0.6 * np.clip(detail / 12, 0, 1))
        lab += matt[..., None] * (strength * canvas.look.lips)
        lab[..., 0] += 0.12 * strength * mask * detail
    else:
        pale = canvas.skin_tone * [0.96, 1, 1]
        lab += (mask * np.clip(-0.24 * strength, 0, 0.8))[..., None] * (pale - lab) * [0.6, 1, 1]
    canvas.lab = lab
    return NO_CHANGE


def smile(canvas: Canvas, strength: float) -> Change:
    """A smile, by classes: none, slight, open; below 0 the corners sink."""
    folds = canvas.on_face(canvas.look.smile_folds) * canvas.skin
    canvas.lab = _lighter(canvas.lab, 0.6 * np.clip(strength, -1, 2) * folds)
    step = _without_parting(canvas, canvas.look.smile) if strength > 0 else canvas.look.smile
    most = (MOST_SMILE if strength > 0 else LEAST_SMILE) * float(np.linalg.norm(step))
    return Change(expression=strength * step, most=most)


def _without_parting(canvas: Canvas, expression: np.ndarray) -> np.ndarray:
    """(64,): an expression that parts lips the less, the farther these are apart already."""
    upper, lower = (canvas.plate.landmarks[point] for point in INNER_LIP_GAP)
    apart = float(np.linalg.norm(lower - upper)) / canvas.head_px
    parting = openings(canvas.atlas.model.expression)[:, 2]
    return expression - min(apart / APART, 1.0) * (expression @ parting) / (parting @ parting) * parting


def grey(canvas: Canvas, strength: float) -> Change:
    """Hair greyer strand by strand, wholly at 3; below 0 darker."""
    hair = canvas.hair
    if hair is None or strength == 0:
        return NO_CHANGE
    lab, light = canvas.lab.copy(), canvas.lab[..., 0]
    if strength < 0:
        darker = np.clip(-strength / 3, 0, 1) * hair.share
        canvas.lab = lab * np.stack([1 - 0.45 * darker, np.ones_like(light), np.ones_like(light)], -1)
        return NO_CHANGE
    share = np.clip(strength / 3, 0, 1)
    low = canvas.blurred(light, 0.25)
    detail = light - low
    strand = np.clip(detail / (2.5 * np.abs(detail[hair.share > 0.5]).mean() + 1), -1, 1) if (hair.share > 0.5).any() else 0
    turned = np.clip(share * (1 + 0.55 * strand), 0, 1) * hair.share
    target = np.clip(canvas.look.grey[0] * canvas.skin_tone[0] + 10, 40, 75)
    lab[..., 0] = np.clip(light + turned * (0.85 * np.maximum(target - (light + low) / 2, 0) + 0.5 * detail), 0, 100)
    tint = 10 * GREY_TINT * canvas.look.grey[1:]
    lab[..., 1:] += (0.9 * share**0.7 * hair.share)[..., None] * (tint - lab[..., 1:])
    canvas.lab = lab
    return NO_CHANGE


EDITS: Mapping[str, Callable[[Canvas, float], Change]] = {
    "age": age, "beard": beard, "lips": lips, "smile": smile, "grey": grey,
}  # fmt: skip
"""What each direction does to a crop, at a strength in its steps."""


FORMS = {"lightness": (SIDE, SIDE), "colour": (SIDE, SIDE, 3), "shape": (POINTS, 3), "expression": (64,)}
"""What a direction of one's own may hold, each for a step: log lightness and Lab on the texture, canonical offsets of the
points, expression."""
OWN = "a direction holds any of " + ", ".join(f"{name} {shape}" for name, shape in FORMS.items())


def edited(canvas: Canvas, strengths: Mapping[str | Path, float]) -> tuple[np.ndarray, np.ndarray, Change]:
    """A crop with these directions (names of EDITS, or files) at these strengths: (S, S, 3) uint8, (S, S) 1 where it differs,
    and the mesh's part."""
    canvas.lab, change = canvas.original, NO_CHANGE
    for direction, strength in strengths.items():
        edit = EDITS.get(direction) or partial(own, read_direction(direction))
        change = change + edit(canvas, strength)
    return *canvas.finished(), change


@cache
def read_direction(path: Path) -> Mapping[str, np.ndarray]:
    """A direction of one's own: the arrays of a file, any of FORMS. Raises InputError for anything else."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        arrays = load_file(path)
    except (OSError, SafetensorError) as error:
        raise InputError(f"{path.name} cannot be read as a direction: {error}", file=path, hint=OWN) from None
    wrong = [name for name, array in arrays.items() if array.shape != FORMS.get(name)]
    if wrong or not arrays:
        raise InputError(f"{path.name} is no direction of these weights: {', '.join(wrong) or 'it is empty'}", file=path, hint=OWN)
    return arrays


def own(arrays: Mapping[str, np.ndarray], canvas: Canvas, strength: float) -> Change:
    """A direction of one's own: so many times what its file holds."""
    if "lightness" in arrays:
        canvas.lab = _lighter(canvas.lab, strength * canvas.on_face(arrays["lightness"]) * canvas.skin)
    if "colour" in arrays:
        tint = np.stack([canvas.on_face(arrays["colour"][..., i].copy()) for i in range(3)], -1)
        canvas.lab = canvas.lab + strength * tint
    return Change(*(strength * arrays[name].astype(np.float64) if name in arrays else 0.0 for name in ("shape", "expression")))
