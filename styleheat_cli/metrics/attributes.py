"""How old, bearded, smiling, grey and painted a face reads: linear readings fitted to labelled portraits.

The features are the picture's own: relief of the skin in three bands on the texture, shape of the mesh, place of the lips, the
colours of lips and hair against the skin. `styleheat train attributes` fits the readings; nothing held out takes part.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np

from ..engine.appearance_edit import EDITS, Appearance, Canvas
from ..engine.mesh import source_mesh
from ..engine.performance import into_crop
from ..engine.plate import make_plate
from ..engine.texture import Atlas
from ..face.align import crop_image, crops
from ..face.morphable import Morphable, canonical, fit, rotation
from ..face.regions import INNER_LIPS, NOSE_BASE, OUTER_LIPS

CELLS = 32  # of the skin's relief, along a side
BANDS = ((2, 4), (4, 8), (8, 16))  # texels: between these blurs lies a band
SIDE = 512  # px of the head's square in which a face is read
BLOCKS = {"age": ("relief", "shape"), "beard": ("relief",), "lips": ("lips",), "smile": ("mouth",), "grey": ("hair",)}
"""What each reading may look at."""


SIZES = {"relief": len(BANDS) * CELLS * CELLS, "shape": 50, "mouth": 80, "lips": 3, "hair": 3}


@dataclass(frozen=True)
class Reader:
    """Reads how much of a direction a picture shows, in its steps."""

    model: Morphable
    look: Appearance

    @classmethod
    def embedded(cls) -> Reader:
        """With the readings of the family `default`.

        Raises:
            CheckpointError: their file is absent or damaged.
        """
        from ..engine.engine import Engine

        engine = Engine("default")
        return cls(engine.morphable, engine.appearance)

    def __call__(self, picture: np.ndarray, landmarks: np.ndarray, direction: str) -> float:
        """The reading of a picture (H, W, 3) uint8 in which the face is at landmarks (478, 3)."""
        square = crops(landmarks[None], np.zeros(1))[0].astype(np.float64)
        points = into_crop(landmarks.astype(np.float64), square, SIDE)
        found = features(self.model, crop_image(picture, square, SIDE), points, BLOCKS[direction])
        return readings(self.look, found)[direction]


def features(
    model: Morphable, image: np.ndarray, landmarks: np.ndarray, blocks: Iterable[str] = tuple(SIZES)
) -> dict[str, np.ndarray]:
    """The features of a head's crop (S, S, 3) uint8 with its landmarks (478, 3), by block; 0 in blocks that are not asked for,
    and in colours where there are none."""
    found = fit(model, landmarks[None])
    atlas = Atlas(model)

    @cache
    def canvas() -> Canvas:
        return Canvas(None, atlas, make_plate(model, image, landmarks, found))

    makers = {
        "relief": lambda: relief(*atlas.unwrapped(image, source_mesh(model, landmarks, found))),
        "shape": lambda: found.identity,
        "mouth": lambda: mouth(canonical(landmarks[None], found.scale, rotation(found.angles), found.shift)[0]),
        "lips": lambda: _lips(canvas()),
        "hair": lambda: _hair(canvas()),
    }
    return {name: makers[name]() if name in blocks else np.zeros(size) for name, size in SIZES.items()}


def mouth(shape: np.ndarray) -> np.ndarray:
    """(80,): where the lips of an upright face (478, 3) are below its nose, across and down, in head sizes."""
    return (shape[[*OUTER_LIPS, *INNER_LIPS], :2] - shape[NOSE_BASE, :2]).ravel()


def _lips(canvas: Canvas) -> np.ndarray:
    """(3,) Lab of the lips against the skin."""
    lips = canvas.original[canvas.lip_mask > 0.5]
    return np.median(lips, axis=0) - canvas.skin_tone if len(lips) else np.zeros(3)


def _hair(canvas: Canvas) -> np.ndarray:
    """(3,) of the hair against the skin; 0 on a bald head."""
    return np.zeros(3) if canvas.hair is None else against_skin(canvas.hair.tone, canvas.skin_tone)


def against_skin(tone: np.ndarray, skin: np.ndarray) -> np.ndarray:
    """(3,): lightness as share of the skin's, a and b in tens."""
    return np.array([tone[0] / max(skin[0], 8), tone[1] / 10, tone[2] / 10])


def relief(texture: np.ndarray, facing: np.ndarray) -> np.ndarray:
    """(3 * 32 * 32,): the bands of a texture's log lightness, averaged, 0 where the skin was not seen."""
    light = log_light(texture)
    seen = cv2.resize(facing, (CELLS, CELLS), interpolation=cv2.INTER_AREA)
    bands = [np.abs(_between(light, *band)) if band[0] < 4 else _between(light, *band) for band in BANDS]
    return np.stack([cv2.resize(band, (CELLS, CELLS), interpolation=cv2.INTER_AREA) * (seen > 0.3) for band in bands]).ravel()


def log_light(texture: np.ndarray) -> np.ndarray:
    """(H, W) float32 of a texture (H, W, 3) uint8."""
    grey = cv2.cvtColor(texture, cv2.COLOR_RGB2GRAY).astype(np.float32)
    return np.log((grey + 6) / 128)


def _between(light: np.ndarray, fine: float, coarse: float) -> np.ndarray:
    return cv2.GaussianBlur(light, (0, 0), fine) - cv2.GaussianBlur(light, (0, 0), coarse)


def flattened(found: dict[str, np.ndarray]) -> np.ndarray:
    """(F,) all blocks in their order."""
    return np.concatenate([np.asarray(block, np.float64).ravel() for block in found.values()])


def columns(found: dict[str, np.ndarray], blocks: tuple[str, ...]) -> np.ndarray:
    """(F,) bool: which of the flattened features belong to these blocks."""
    return np.concatenate([np.full(np.size(block), name in blocks) for name, block in found.items()])


def readings(look: Appearance, found: dict[str, np.ndarray]) -> dict[str, float]:
    """What the features read, by direction, in its steps."""
    seen = np.append((flattened(found) - look.judge_mean) / look.judge_scale, 1.0)
    return {name: float(value) for name, value in zip(EDITS, look.judge_weights @ seen, strict=True)}
