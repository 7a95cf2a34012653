"""How what is below a head moves: points on clothes, followed from one picture to the others of a shot.

Shoulders are moved, tilted and made larger, as one: four numbers since the first picture with the face, x and y in pixels of
the frame of a point between them (`DOWN` below the head), roll in radians, clockwise, and the natural logarithm of their growth.
Where too few points are seen they go some of the head's way, as people's do, and at a cut all of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from .align import RIGID
from .landmarks import face_height
from .matte import matte
from .regions import CHIN

FACE = 96  # pixels of a face's height in the pictures that are compared
BELOW, DEEP, WIDE = 0.12, 1.2, 1.3  # face heights: from how far under the chin, how deep, how far to the sides
LEAST = 4  # rows of pixels that are to be seen of them
PERSON = 0.7  # of the matte, from which a pixel is clothes and no wall
MOST, APART, CORNER = 80, 3, 0.02  # points at most, pixels between them, share of the best one's contrast
ENOUGH, SHARE = 6, 0.35  # points at least that agree, and of all
PAUSE = 4  # pictures for which nobody looks for more where too few were found
AGREE = 1.5  # pixels by which points that agree may differ
DOWN = 1.0  # face heights from the middle of a head's firm points to the one that is told
WITH_HEAD = np.array([0.2, 0.3])
"""Shares of a head's way, across and down, that shoulders go (least squares over 46 clips)."""
FIRM = 0.8  # face heights between points from which they tell half of a turn
STILL = np.eye(2, 3)
LOOK = {"winSize": (15, 15), "maxLevel": 2, "criteria": (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 20, 0.01)}


@dataclass(frozen=True)
class _Reference:
    """The picture that later ones are compared with: its points (N, 2), window, scale and face's height in pixels of the frame, and
    how (2, 3) its shoulders have moved."""

    picture: np.ndarray
    points: np.ndarray
    window: tuple[int, int, int, int]
    scale: float
    size: float
    moved: np.ndarray


class Shoulders:
    """Follows the shoulders through the frames of a clip."""

    def __init__(self) -> None:
        self.moved = STILL  # [2 3]: from the first picture with the face to the last one
        self._middle: np.ndarray | None = None  # [2] the point that is told, in the first picture with the face
        self._before: tuple[np.ndarray, np.ndarray] | None = None  # the last picture with the face, and its points
        self._reference: _Reference | None = None
        self._pause = 0  # pictures until a reference is looked for again
        self._cut = False  # since the last picture with the face

    def step(self, image: np.ndarray, face: np.ndarray | None, cut: bool = False) -> np.ndarray:
        """(4,) how the shoulders have moved; face (478, 3) or none, where they rest; cut: whether another shot may begin here."""
        self._cut |= cut
        if face is not None:
            if self._before is not None:
                way = _head(face) - _head(self._before[1])
                self.moved = _shifted(self.moved, way) if self._cut else self._followed(image, _shifted(self.moved, WITH_HEAD * way))
            if self._cut:
                self._reference, self._cut = None, False
            if self._middle is None:
                self._middle = middle_of(face)
            self._before = image, face
        return np.zeros(4) if self._middle is None else _told(self.moved, self._middle)

    def _followed(self, image: np.ndarray, likely: np.ndarray) -> np.ndarray:
        """(2, 3) how they have moved, near what is likely: as seen from the reference, else from the picture before."""
        found = self._reference and _found(self._reference, image, likely)
        self._pause -= 1
        if found is None and self._pause < 0:
            self._reference = _reference(*self._before, self.moved)
            found = self._reference and _found(self._reference, image, likely)
            self._pause = PAUSE if found is None else 0
        return likely if found is None else found


def middle_of(face: np.ndarray) -> np.ndarray:
    """(2,) the point that is told, below a face (478, 3)."""
    return _head(face) + [0, DOWN * face_height(face)]


def carried(points: np.ndarray, middle: np.ndarray, way: np.ndarray) -> np.ndarray:
    """(N, 2) where points go with shoulders that move this `way` (4,) round the point that is told, all in the same pixels."""
    cos, sin = np.exp(way[3]) * np.cos(way[2]), np.exp(way[3]) * np.sin(way[2])
    return (points - middle) @ np.array([[cos, sin], [-sin, cos]]) + middle + way[:2]


def _told(moved: np.ndarray, middle: np.ndarray) -> np.ndarray:
    turn, size = np.arctan2(moved[1, 0], moved[0, 0]), np.hypot(moved[0, 0], moved[1, 0])
    return np.array([*(moved[:, :2] @ middle + moved[:, 2] - middle), turn, np.log(size)])


def _shifted(moved: np.ndarray, by: np.ndarray) -> np.ndarray:
    return np.column_stack([moved[:, :2], moved[:, 2] + by])


def _chained(first: np.ndarray, then: np.ndarray) -> np.ndarray:
    """(2, 3): two affine maps, one after the other."""
    return np.column_stack([then[:, :2] @ first[:, :2], then[:, :2] @ first[:, 2] + then[:, 2]])


def _head(face: np.ndarray) -> np.ndarray:
    return face[list(RIGID), :2].mean(0)


def _reference(image: np.ndarray, face: np.ndarray, moved: np.ndarray) -> _Reference | None:
    """A picture with enough to follow below its chin, else none."""
    size, chin = face_height(face), face[CHIN, :2]
    middle = np.array([_head(face)[0], chin[1]])
    low = np.round(middle - [2 * WIDE * size, size]).astype(int).clip(0)
    high = np.round(middle + [2 * WIDE * size, 1.5 * DEEP * size]).astype(int).clip(0, image.shape[1::-1])
    window, scale = (*low, *high), min(FACE / size, 1.0)
    picture = _seen(image, window, scale)
    across, down = ((np.arange(n) / scale + corner - at) / size for n, corner, at in zip(picture.shape[::-1], low, middle, strict=True))
    below = ((down > BELOW) & (down < DEEP))[:, None] & (np.abs(across) < WIDE)
    if below.any(1).sum() < LEAST:
        return None
    person = cv2.resize(matte(image[low[1] : high[1], low[0] : high[0]]), picture.shape[::-1], interpolation=cv2.INTER_AREA)
    points = cv2.goodFeaturesToTrack(picture, MOST, CORNER, APART, mask=(below & (person > PERSON)).astype(np.uint8))
    if points is None or len(points) < 2 * ENOUGH:
        return None
    return _Reference(picture, points.reshape(-1, 2), window, scale, size, moved)


def _found(reference: _Reference, image: np.ndarray, likely: np.ndarray) -> np.ndarray | None:
    """(2, 3) how the shoulders have moved in another picture, if enough of their points agree."""
    if image.shape[0] < reference.window[3] or image.shape[1] < reference.window[2]:
        return None
    now, low = _seen(image, reference.window, reference.scale), np.array(reference.window[:2])
    before = reference.points / reference.scale + low
    since = _chained(cv2.invertAffineTransform(reference.moved), likely)
    guess = ((before @ since[:, :2].T + since[:, 2] - low) * reference.scale).astype(np.float32)
    points, seen, _ = cv2.calcOpticalFlowPyrLK(
        reference.picture, now, reference.points, guess, flags=cv2.OPTFLOW_USE_INITIAL_FLOW, **LOOK
    )
    seen = seen.ravel() > 0
    if seen.sum() < ENOUGH:
        return None
    after = points / reference.scale + low
    _, agree = cv2.estimateAffinePartial2D(before[seen], after[seen], ransacReprojThreshold=AGREE / reference.scale)
    if agree is None or agree.sum() < max(ENOUGH, SHARE * len(seen)):
        return None
    kept = np.flatnonzero(seen)[agree.ravel() > 0]
    return _chained(reference.moved, _carrying(before[kept], after[kept], FIRM * reference.size))


def _carrying(before: np.ndarray, after: np.ndarray, firm: float) -> np.ndarray:
    """(2, 3) shift, turn and growth from points (N, 2) to others; the nearer to each other than `firm` pixels they lie, the less
    they tell of turn and growth."""
    middle, move = before.mean(0), (after - before).mean(0)
    x, y = (before - middle).T
    dx, dy = (after - before - move).T
    size = np.sum(x * x + y * y) + len(before) * firm**2
    grown, turned = np.sum(x * dx + y * dy) / size, np.sum(x * dy - y * dx) / size
    linear = np.array([[1 + grown, -turned], [turned, 1 + grown]])
    return np.column_stack([linear, middle + move - linear @ middle])


def _seen(image: np.ndarray, window: tuple[int, int, int, int], scale: float) -> np.ndarray:
    """(h, w) uint8: a window of a picture, grey and made small."""
    x0, y0, x1, y1 = window
    small = cv2.resize(image[y0:y1, x0:x1], None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
