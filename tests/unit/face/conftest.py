"""Clips in memory: a face that comes, goes, crosses another, turns up in another picture."""

from collections.abc import Iterator
from fractions import Fraction

import cv2
import numpy as np
import pytest

from styleheat_cli.face.landmarks import Landmarker
from styleheat_cli.shot import Frame
from tests.synthetic import face

HEIGHT, WIDTH = 240, 426
FPS = 25


@pytest.fixture(scope="session")
def landmarker() -> Iterator[Landmarker]:
    with Landmarker() as made:
        yield made


def scene(seed: int = 0, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """A blurred background without any face; each seed has its own colour."""
    rng = np.random.default_rng(seed)
    noise = rng.integers(0, 255, (height, width, 3)).astype(np.float32) + rng.integers(-60, 60, 3)
    return cv2.GaussianBlur(noise, (0, 0), 12).clip(0, 255).astype(np.uint8)


def head(height: int, stranger: bool = False) -> np.ndarray:
    """The astronaut's head, her face about `height` px; the stranger is her mirrored, tinted and narrowed."""
    side = round(height * 190 / 112)
    cut = face(512)[25:215, 130:320]
    if stranger:
        cut = cut[:, ::-1].astype(np.float32) * [0.55, 0.8, 1.0] + [0, 10, 25]
    size = (round(side * 0.85), side) if stranger else (side, side)
    return cv2.resize(cut.clip(0, 255).astype(np.uint8), size, interpolation=cv2.INTER_AREA)


def put(picture: np.ndarray, piece: np.ndarray, x: float, y: float) -> np.ndarray:
    """The picture with the piece's centre at x, y px; what falls outside is lost."""
    height, width = picture.shape[:2]
    shift = np.array([[1, 0, x - piece.shape[1] / 2], [0, 1, y - piece.shape[0] / 2]], np.float32)
    there = cv2.warpAffine(np.full(piece.shape[:2], 255, np.uint8), shift, (width, height)) > 127
    moved = cv2.warpAffine(piece, shift, (width, height), borderMode=cv2.BORDER_REPLICATE)
    return np.where(there[..., None], moved, picture)


def clip(pictures: list[np.ndarray], fps: int = FPS) -> list[Frame]:
    """Frames at a steady rate."""
    return [Frame(i, i, Fraction(i, fps), picture) for i, picture in enumerate(pictures)]


def centres(boxes: np.ndarray) -> np.ndarray:
    """(T, 2): middles of boxes."""
    return (boxes[:, :2] + boxes[:, 2:]) / 2
