"""A source frame taken apart: person, background, eyeballs, and where its mesh lies. What moves later is cut here once."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from ..face.matte import matte
from ..face.morphable import Fit, Morphable, rotation
from ..face.regions import CHIN
from .completion import completed
from .eyes import EYES, Eyeball, eyeball_of, lid_of, lidded, wider
from .fill import blended, filled, ramp
from .mesh import Borders, source_mesh

SURELY, DOUBTS = 0.85, (0.015, 0.035)  # of a matte; sides of the crop from such a pixel over which the others cease to count
DOUBTFUL = 0.02  # share of a person that may be person, too, from which nobody knows where they end
STANDS = 6.0  # levels that the background may differ from that of the frame before while the camera stands
KNOWN = 0.03  # of the matte, made a little larger, under which a pixel is surely background
OWN, UNMIXED = (0.2, 0.5), (0.45, 0.8)  # shares of a person in a pixel: up to the first it is the background's, from the second the person's
LEAST_OWN = 0.3  # least share that is undone
SURE, EDGE, SOFTLY = 0.97, 0.014, 0.04  # of the matte, from which a pixel is surely the person's, so many sides inside their outline; sides
FACE_SIDE = 256  # pixels: the face's outline is soft
CHEEKS, SKIN = (50, 280, 101, 330), (60.0, 90.0)  # points that tell the colour of skin; levels up to which another is skin, too
SHADED = (20.0, 50.0)  # levels by which what is behind differs from skin in its shade, from which both can be told apart
APART, LIKE, RIM = 30.0, (8.0, 16.0), -0.6  # levels from which colours begin to be told apart; levels beside a mixture of two; share of the brightest rims


@dataclass(frozen=True)
class Plate:
    """A source frame's crop, (S, S, 3) uint8, and its layers, all in crop pixels.

    person: the picture with the person's colours carried on beyond their outline, and lids over the eyes that are seen; background: with the person
    taken out; alpha (S, S) float32: how much of each pixel is person; vertices (N, 3): the mesh;
    place: (scale, R, shift) of the head; eyeballs: where they lie in the crop; inside: where the frame begins and ends, from left to right and from top to bottom;
    whole: whether person and background move in one layer, as a hood or a dark room does not tell where the person ends.
    """

    image: np.ndarray
    person: np.ndarray
    background: np.ndarray
    alpha: np.ndarray
    landmarks: np.ndarray
    vertices: np.ndarray
    place: tuple[float, np.ndarray, np.ndarray]
    eyeballs: tuple[Eyeball | None, Eyeball | None]
    inside: tuple[tuple[float, float], tuple[float, float]] = ((0, np.inf), (0, np.inf))
    whole: bool = False

    @property
    def side(self) -> int:
        return len(self.image)

    @property
    def resting(self) -> Borders:
        """The borders of the crop at which nothing moves: those beyond which the frame goes on."""
        (left, right), (top, bottom) = self.inside
        return top <= 0, bottom >= self.side, left <= 0, right >= self.side


def make_plate(
    model: Morphable, image: np.ndarray, landmarks: np.ndarray, fit: Fit,
    real: np.ndarray | None = None, before: np.ndarray | None = None, doubting: bool = False,
) -> Plate:  # fmt: skip
    """The layers of a crop (S, S, 3) with its landmarks (478, 3) and their fit, both in crop pixels.

    real (S, S) bool: pixels of the picture itself, from which the hidden background is completed in detail.
    before (S, S, 3) uint8: the background of the frame before, here; while the camera stands, what it showed stays.
    Without both, the background is carried on smoothly behind the person.
    doubting: whether a picture that does not tell where the person ends stays in one layer.
    """
    likely, alpha = person_alpha(image, landmarks)
    whole = doubting and _doubt(likely, alpha, landmarks, real) > DOUBTFUL
    wall = None if whole else _wall(image, alpha)
    place = (float(fit.scale[0]), rotation(fit.angles[0]), fit.shift[0])
    eyeballs = tuple(eyeball_of(image, landmarks, which, place[0]) for which in range(len(EYES)))
    return Plate(
        image=image,
        person=lidded(image if whole else _carried_on(image, alpha, wall, landmarks), landmarks, eyeballs),
        background=image if whole else _background(image, wall, real, before),
        alpha=alpha,
        landmarks=landmarks,
        vertices=source_mesh(model, landmarks, fit),
        place=place,
        eyeballs=eyeballs,
        whole=whole,
    )


def repainted(plate: Plate, image: np.ndarray) -> Plate:
    """The plate of the same person at the same place in another crop (S, S, 3) uint8, where their looks alone differ."""
    person = image if plate.whole else _carried_on(image, plate.alpha, _wall(image, plate.alpha), plate.landmarks)
    person = lidded(person, plate.landmarks, plate.eyeballs)
    lids = (lid_of(image, plate.landmarks[list(ring), :2]) for ring, _iris in EYES)
    eyeballs = tuple(ball and replace(ball, lid=lid) for ball, lid in zip(plate.eyeballs, lids, strict=True))
    return replace(plate, image=image, person=person, eyeballs=eyeballs)


def _wall(image: np.ndarray, alpha: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What is behind the person: its colours, (S, S, 3) uint8, carried on smoothly behind them, and the matte made a little larger."""
    grown = _grown(alpha)
    return filled(image, grown < KNOWN), grown


def skin_of(image: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """(3,) RGB of the cheeks."""
    cheeks = landmarks[list(CHEEKS), :2].clip(0, len(image) - 1).astype(int)
    return image[cheeks[:, 1], cheeks[:, 0]].astype(np.float64).mean(0)


def _carried_on(image: np.ndarray, alpha: np.ndarray, wall: tuple[np.ndarray, np.ndarray], landmarks: np.ndarray) -> np.ndarray:
    """The person's own colours, and beyond their outline those next to it: where the matte or, beside the head, a pixel's colour says
    that it mixes the person with what is behind them, what was mixed in is taken out again; what is like that is none of theirs."""
    if not (wall[1] < KNOWN).any():
        return image
    beside = np.clip((landmarks[CHIN, 1] - np.arange(len(alpha))) / (SOFTLY * len(alpha)), 0, 1)[:, None]
    mixed = 1 - beside * (1 - _share_of(image, alpha, wall[0], skin_of(image, landmarks), _face(landmarks, len(image))))
    beyond = np.maximum(1 - ramp(alpha, OWN), 1 - ramp(mixed, UNMIXED))
    share, own = np.minimum(alpha, mixed), image.copy()
    some = (share < 1) & (beyond < 1)
    behind = wall[0][some].astype(np.float32)
    own[some] = np.clip(behind + (image[some] - behind) / np.maximum(share[some], LEAST_OWN)[:, None] + 0.5, 0, 255)
    return blended(own, filled(own, beyond == 0), beyond)


def _share_of(image: np.ndarray, alpha: np.ndarray, behind: np.ndarray, skin: np.ndarray, face: np.ndarray) -> np.ndarray:
    """(S, S): where a pixel near the outline mixes skin, like (3,) or of the face (S, S), with the colour of what is behind the person,
    how much of it is skin: below 0 on the far side, as in the light rim of a sharpened picture; not where what is behind looks like that
    skin in its shade. 0 where it is no skin and like what is behind them, 1 elsewhere."""
    wide, shares = 2 * round(EDGE * len(alpha)) + 1, np.ones_like(alpha)
    inside = cv2.erode((alpha > SURE).astype(np.uint8), np.ones((wide, wide))) > 0
    near = (alpha > KNOWN) & (alpha < SURE)
    shares[near] = ramp(np.abs(image[near].astype(np.float32) - behind[near]).max(-1), LIKE)
    near = (alpha > KNOWN) & ~inside
    if not inside.any() or not near.any():
        return shares
    own, behind = filled(image, inside)[near].astype(np.float32), behind[near].astype(np.float32)
    apart, differs = own - behind, image[near] - behind
    size = np.maximum(np.square(apart).sum(-1), 1)
    share = (differs * apart).sum(-1) / size
    beside = np.abs(differs - share[:, None] * apart).max(-1)
    shaded = np.clip((behind * own).sum(-1) / np.maximum(np.square(own).sum(-1), 1), 0, 1)[:, None] * own
    other = np.clip(np.sqrt(size) / APART - 1, 0, 1) * ramp(np.abs(behind - shaded).max(-1), SHADED)
    mixes = other * (1 - ramp(beside, LIKE)) * (share > RIM)
    bare = np.maximum(1 - ramp(np.abs(own - skin).max(-1), SKIN), face[near])
    shares[near] = bare * (1 - mixes * (1 - share)) + (1 - bare) * shares[near]
    return shares


def _background(
    image: np.ndarray, wall: tuple[np.ndarray, np.ndarray], real: np.ndarray | None, before: np.ndarray | None
) -> np.ndarray:
    """(S, S, 3) uint8: the picture without the person."""
    hidden, grown = wall
    known = grown < KNOWN
    if before is not None and known.any() and cv2.absdiff(image, before)[known].mean() < STANDS:
        hidden = before
    elif real is not None:
        hidden = completed(image, known, real, hidden)
    return blended(image, hidden, np.clip(30 * grown, 0, 1))


def with_open_eyes(plate: Plate, before: Plate) -> Plate:
    """The plate with the eyeballs of an earlier one of the same shot where its own are half hidden by a blink."""
    return replace(plate, eyeballs=tuple(map(wider, plate.eyeballs, before.eyeballs)))


def person_alpha(image: np.ndarray, landmarks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(S, S) float32 in [0, 1]: how much of each pixel may be person, and how much is, as we take it; the face itself always is."""
    alpha = matte(image)
    return alpha, np.maximum(_near_surely(alpha), _face(landmarks, len(image)))


def _face(landmarks: np.ndarray, side: int) -> np.ndarray:
    """(S, S) float32 in [0, 1]: the face, with a soft edge."""
    face = np.zeros((FACE_SIDE, FACE_SIDE), np.float32)
    hull = cv2.convexHull((landmarks[:468, :2] * (FACE_SIDE / side)).astype(np.float32))
    cv2.fillConvexPoly(face, np.round((hull - 0.5) * 16).astype(np.int32), 1.0, cv2.LINE_AA, 4)
    return cv2.resize(cv2.GaussianBlur(face, (0, 0), FACE_SIDE / 256), (side, side), interpolation=cv2.INTER_LINEAR)


def _doubt(likely: np.ndarray, alpha: np.ndarray, landmarks: np.ndarray, real: np.ndarray | None) -> float:
    """How much larger than it was taken for the person may be, of their size above the chin."""
    above = np.arange(len(alpha))[:, None] < landmarks[CHIN, 1]
    counted = above if real is None else above & real
    return float((np.maximum(likely - alpha, 0) * counted).sum() / max(float(((alpha > SURELY) & counted).sum()), 1.0))


def _near_surely(alpha: np.ndarray) -> np.ndarray:
    """A matte (S, S) whose doubts count near what is surely person: hair ends softly, a hood that may be one is none."""
    away = cv2.distanceTransform((alpha < SURELY).astype(np.uint8), cv2.DIST_L2, 3) / len(alpha)
    return alpha * np.clip((DOUBTS[1] - away) / (DOUBTS[1] - DOUBTS[0]), 0, 1).astype(np.float32)


def _grown(alpha: np.ndarray) -> np.ndarray:
    """The matte made a little larger: the background must not carry the person's rim."""
    radius = max(3, len(alpha) // 64) | 1
    return cv2.GaussianBlur(cv2.dilate(alpha, np.ones((radius, radius))), (0, 0), radius / 4)
