"""Which pixels are the hair of a head: told from the skin by colour, from clothes and walls by place.

Hair is looked for above the nose, round the face, among what the matte calls person; a few tones of what is found there and
is unlike the skin are the hair's, and whatever is nearer to them than to the skin and hangs together with them is hair.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from ..face.matte import refined
from ..face.regions import OVAL
from .fill import drawn

WORK = 256  # pixels: side at which hair is told from skin
SKIN_SPREAD = np.array([11.0, 5.5, 6.5])  # Lab: how far one skin varies under one light
HAIR_SPREAD = np.array([10.0, 5.0, 6.0])
UNLIKE = 2.2  # spreads from the skin at which a pixel is surely something else
ROUNDS = 3  # of telling hair by its tones and its tones by the hair
KNOWN = 1.5  # spreads from the hair's known tones at which a pixel is hair again
BESIDE = -1.2  # head sizes above the face's middle: lower than this, what begins is cloth
SLOWLY = 0.1  # share of a new frame in what is remembered of a head
FEWEST = 60  # pixels of surely hair below which a head counts as bald
FULL = 3.5  # odds that light parts above the face are hair too, on a head covered with it
GLARE = 6.0  # odds against hair as light as the cheeks: anywhere on a dark head, over the forehead of a light one
MUCH_DARKER = 25.0  # L by which hair is dark against the skin
THIN, THICK = 0.12, 0.32  # shares of the place for hair that must be hair for none, and for all of the mask


@dataclass(frozen=True)
class Hair:
    """share (S, S) float32 in [0, 1]: how much of each pixel is hair; tone (3,): Lab of most of what surely is, near the face;
    tones (4, 3): Lab of all of it, from dark to lit; covered: the share of the head's top and sides that it takes."""

    share: np.ndarray
    tone: np.ndarray
    tones: np.ndarray
    covered: float


def find_hair(
    image: np.ndarray, lab: np.ndarray, alpha: np.ndarray, landmarks: np.ndarray, skin: list[np.ndarray],
    before: Hair | None = None,
) -> Hair | None:  # fmt: skip
    """The hair in a head's crop, or nothing where the head is bald.

    image (S, S, 3) uint8, lab (S, S, 3) float32 of it, alpha (S, S) the person's matte, landmarks (478, 3) px,
    skin: Lab tones (3,) of this face's skin, the cheeks' first; before: the hair of the frame before, whose tones change slowly.
    """
    head = _Head.of(lab, alpha, landmarks, skin)
    seed = head.surely_hair(before)
    covered = _slowly(seed.sum() / max(head.place.sum(), 1), before and before.covered)
    amount = np.clip((covered - THIN) / (THICK - THIN), 0, 1)
    if seed.sum() < FEWEST or amount == 0:
        return None
    tone = _slowly(np.median(head.lab[seed], axis=0), before and before.tone)
    odds, sure = head.odds(covered, tone, skin[0]), seed
    for _ in range(ROUNDS):
        tones = _slowly(_tones(head.lab[sure]), before and before.tones)
        share = _likely(head.lab, tones, head.from_skin, odds) * np.clip(1.3 * head.person - 0.15, 0, 1) * _fading(head.up)
        sure = seed | ((share > 0.6) & (head.from_skin > UNLIKE))
    share = cv2.resize(share * _hanging_together(share, seed, head.up) * amount, image.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    share = np.clip((refined(image, share, max(len(image) // 100, 4)) - 0.12) / 0.7, 0, 1)
    return Hair(share.astype(np.float32) * np.clip(1.1 * alpha, 0, 1), tone, tones, covered)


@dataclass(frozen=True)
class _Head:
    """A head at 256 pixels, (256, 256) each: its colours (Lab), how much is person, how unlike the skin it is in spreads, where it
    is across and up from the face's middle in head sizes, how much is face."""

    lab: np.ndarray
    person: np.ndarray
    from_skin: np.ndarray
    across: np.ndarray
    up: np.ndarray
    face: np.ndarray

    @classmethod
    def of(cls, lab: np.ndarray, alpha: np.ndarray, landmarks: np.ndarray, skin: list[np.ndarray]) -> _Head:
        points = landmarks[:, :2] * (WORK / len(lab))
        small, person = (cv2.resize(each, (WORK, WORK), interpolation=cv2.INTER_AREA) for each in (lab, alpha))
        from_skin = np.min([_skin_distance(small, tone) for tone in skin], axis=0)
        return cls(small, person, from_skin, *_head_axes(points), drawn(points[list(OVAL)], (WORK, WORK)))

    @property
    def near(self) -> np.ndarray:
        """1 at the edge of where a head's hair may be."""
        return np.hypot(self.across / 3.1, (self.up - 0.4) / 3.8)

    @property
    def place(self) -> np.ndarray:
        """Bool: the top and the sides of the head, where hair is if there is any."""
        beside = cv2.dilate(self.face, np.ones((5, 5))) < 0.05
        return (self.person > 0.8) & beside & (self.up > 0.3) & (self.near < 1)

    def surely_hair(self, before: Hair | None) -> np.ndarray:
        """Bool: what is in that place and unlike the skin, or like the hair that is known."""
        unlike = self.from_skin > UNLIKE
        if before is not None:
            unlike |= (_hair_distance(self.lab, before.tones) < KNOWN) & (self.from_skin > UNLIKE / 2)
        return self.place & unlike

    def odds(self, covered: float, tone: np.ndarray, cheek: np.ndarray) -> np.ndarray:
        """What the place says for and against hair, and light on it: on a head that is covered, of this tone."""
        rich = np.clip((covered - 0.4) / 0.2, 0, 1)
        softly = cv2.GaussianBlur(self.face, (0, 0), 2.0)
        odds = _place_odds(self.across, self.up, self.near, self.face) + rich * (FULL * _crown(self.up, self.face) + 1 - softly)
        against = 1.0 if tone[0] < cheek[0] - MUCH_DARKER else softly
        return odds - GLARE * (self.lab[..., 0] > cheek[0] - 5) * against


def _slowly(now: Any, before: Any) -> Any:
    """What is seen now, evened out with what was seen before, if anything."""
    return now if before is None else SLOWLY * now + (1 - SLOWLY) * before


def _likely(lab: np.ndarray, tones: np.ndarray, from_skin: np.ndarray, odds: np.ndarray) -> np.ndarray:
    """(256, 256) float32: how likely each pixel is hair by its colour, the hair's tones (4, 3) and the odds of its place."""
    odds = odds + 1.1 * (np.minimum(from_skin, 4.5) - np.minimum(_hair_distance(lab, tones), 4.5))
    return cv2.GaussianBlur((1 / (1 + np.exp(-1.6 * odds))).astype(np.float32), (0, 0), 1.0)


def _hair_distance(lab: np.ndarray, tones: np.ndarray) -> np.ndarray:
    """(H, W) spreads from the nearest tone of the hair."""
    return np.min([np.sqrt((((lab - tone) / HAIR_SPREAD) ** 2).sum(-1)) for tone in tones], axis=0)


def _fading(up: np.ndarray) -> np.ndarray:
    """(256, 256): 1 on the head, falling to 0 over the shoulders, where long hair ends and cloth begins."""
    return np.clip((up + 3.8) / 1.4, 0, 1)


def _head_axes(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(256, 256) each: how far across the head, and how far up from the face's middle, in head sizes."""
    axis = points[10] - points[152]
    size = float(np.linalg.norm(axis))
    up = axis / max(size, 1e-6)
    middle, head = (points[10] + points[152]) / 2, size / 4.84
    x = (np.arange(WORK) + 0.5 - middle[0])[None]
    y = (np.arange(WORK) + 0.5 - middle[1])[:, None]
    return (-up[1] * x + up[0] * y) / head, (up[0] * x + up[1] * y) / head


def _skin_distance(lab: np.ndarray, tone: np.ndarray) -> np.ndarray:
    """(H, W) spreads from a skin tone; a highlight is nearer than it looks."""
    away = (lab - tone) / SKIN_SPREAD
    away[..., 0] *= np.where(away[..., 0] > 0, 0.6, 0.9)
    return np.sqrt((away**2).sum(-1))


def _tones(colours: np.ndarray) -> np.ndarray:
    """(4, 3): tones of the hair, from dark to lit."""
    order = np.argsort(colours[:, 0], kind="stable")
    return np.array([np.median(colours[part], axis=0) for part in np.array_split(order, 4)])


def _place_odds(across: np.ndarray, up: np.ndarray, near: np.ndarray, face: np.ndarray) -> np.ndarray:
    """(256, 256): what the place alone says for and against hair."""
    inside = cv2.GaussianBlur(face, (0, 0), 1.5) > 0.5
    odds = 0.8 * np.clip(up - 0.2, -0.3, 1) - 6 * np.clip(near - 1, 0, 1) * (up > 0)
    odds = odds - np.where(inside, 1.5 + 9 * (up < 1.15), 0)  # in the face only a fringe over the forehead
    odds = odds - 5 * ((up < -1.9) & (np.abs(across) < 1.25))  # the neck
    return odds


def _crown(up: np.ndarray, face: np.ndarray) -> np.ndarray:
    """(256, 256): 1 above the face, where a head with hair shows nothing else, though light on it may look like skin."""
    return np.clip((up - 2.4) / 0.6, 0, 1) * (1 - cv2.GaussianBlur(cv2.dilate(face, np.ones((7, 7))), (0, 0), 2.0))


def _hanging_together(share: np.ndarray, seed: np.ndarray, up: np.ndarray) -> np.ndarray:
    """(256, 256) float32: 1 where likely hair hangs together with what surely is, or begins beside the face as clothes do not."""
    count, parts = cv2.connectedComponents((share > 0.45).astype(np.uint8))
    sure, top = np.bincount(parts[seed], minlength=count), np.full(count, -np.inf)
    np.maximum.at(top, parts.ravel(), up.ravel())
    kept = (sure > FEWEST * 2 // 3) | ((np.bincount(parts.ravel(), minlength=count) > 2 * FEWEST) & (top > BESIDE))
    kept[0] = False
    return cv2.GaussianBlur(cv2.dilate(kept[parts].astype(np.float32), np.ones((5, 5))), (0, 0), 1.0)
