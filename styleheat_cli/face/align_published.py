"""How the published networks want a face: Deep3D's five-point crop, and FFHQ's quadrilateral.

Sources: Deng et al. 2019, section 3 (five-point alignment); Karras et al. 2019, appendix C (the FFHQ alignment).
Conventions: 68 landmarks in the order of iBUG 300-W, x right, y down, in pixels; Deep3D counts y upwards.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from .align import crop_image
from .regions import IBUG_68
from .smooth import smooth

NETWORK_SIDE = 224
"""Side of the picture that Deep3D sees."""
FACE_SCALE = 102.0
"""Size of the standard face in that picture."""

TRANSFORM_SIDE = 1024
"""Side of the picture into which the FFHQ quadrilateral is stretched before it is brought to the size wanted."""

LEFT_EYE, RIGHT_EYE = slice(36, 42), slice(42, 48)
MOUTH_LEFT, MOUTH_RIGHT = 48, 54
FIVE = ((36, 39), (42, 45), (30,), (48,), (54,))
"""Left eye, right eye, nose, mouth corners: means of these of the 68 points."""


def five_points(points: np.ndarray) -> np.ndarray:
    """(68, D) -> (5, D)."""
    return np.stack([points[list(rows)].mean(0) for rows in FIVE])


def flipped(landmarks: np.ndarray, height: int) -> np.ndarray:
    """The landmarks with y counted upwards from the last row."""
    return np.stack([landmarks[:, 0], height - 1 - landmarks[:, 1]], 1)


def fit_pose(points: np.ndarray, standard: np.ndarray) -> tuple[np.ndarray, float]:
    """Where and how large the face is: least squares of x = a · P + tx, y = b · P + ty.

    Args:
        points: (5, 2) on the picture, y up.
        standard: (5, 3) of the standard face.

    Returns:
        (tx, ty), and the scale (|a| + |b|) / 2.
    """
    design = np.concatenate([standard, np.ones((len(standard), 1))], 1)
    solution = np.linalg.lstsq(design, points, rcond=None)[0]  # [4 2]
    return solution[3], float(np.linalg.norm(solution[:3], axis=0).mean())


@dataclass(frozen=True)
class FaceCrop:
    """A face as Deep3D sees it.

    image: (224, 224, 3) uint8; landmarks: (68, 2) on it, y up; crop: (s, tx, ty), the three numbers that stand at the
    end of the 73, in units of the uncropped picture with y up.
    """

    image: np.ndarray
    landmarks: np.ndarray
    crop: np.ndarray


def crop_face(image: np.ndarray, landmarks: np.ndarray, standard: np.ndarray) -> FaceCrop:
    """The five-point alignment of a picture.

    Args:
        image: (H, W, 3) uint8; the published networks were trained on 256 x 256.
        landmarks: (68, 2) pixels, y down.
        standard: (5, 3) of the standard face.
    """
    height, width = image.shape[:2]
    upward = flipped(landmarks, height)
    position, size = fit_pose(five_points(upward), standard)
    scale = FACE_SCALE / size
    shape = np.trunc(np.array([width, height]) * scale).astype(int)
    offset = (position - np.array([width, height]) / 2) * (1, -1) * scale
    corner = np.trunc(shape / 2 - NETWORK_SIDE / 2 + offset).astype(int)
    box = (*corner, *(corner + NETWORK_SIDE))
    picture = Image.fromarray(image).resize(tuple(shape), Image.Resampling.BICUBIC).crop(box)
    moved = (upward - position + np.array([width, height]) / 2) * scale
    moved -= shape / 2 - NETWORK_SIDE / 2
    return FaceCrop(np.asarray(picture), moved, np.array([scale, *position]))


def ffhq_quad(landmarks: np.ndarray) -> np.ndarray:
    """(4, 2) corners of the FFHQ crop, from the top left downwards and round: axis along the eyes and mouth."""
    left, right = landmarks[LEFT_EYE].mean(0), landmarks[RIGHT_EYE].mean(0)
    eyes, across = (left + right) / 2, right - left
    down = landmarks[[MOUTH_LEFT, MOUTH_RIGHT]].mean(0) - eyes
    x = across - np.array([-down[1], down[0]])
    x /= np.hypot(*x)
    x *= max(np.hypot(*across) * 2.0, np.hypot(*down) * 1.8)
    y = np.array([-x[1], x[0]])
    centre = eyes + down * 0.1
    return np.stack([centre - x - y, centre - x + y, centre + x + y, centre + x - y])


def ffhq_squares(
    landmarks: Sequence[np.ndarray] | np.ndarray, times: np.ndarray, cuts: Iterable[float] = (),
    seen: np.ndarray | None = None, seconds: float = 1.2,
) -> np.ndarray:  # fmt: skip
    """(T, 2, 3) float32 frame pixels -> unit square: the FFHQ crop of each frame, on a smooth path through each shot.

    Args:
        landmarks: (T, 478, 3) pixels, or rows that give arrays when sliced.
        times, cuts, seen, seconds: as in `smooth`.
    """
    points = (np.asarray(landmarks[i : i + 256])[:, IBUG_68, :2] for i in range(0, len(times), 256))
    quads = np.array([ffhq_quad(row) for rows in points for row in rows.astype(np.float64)])  # [T 4 2]
    path = np.concatenate([quads.mean(1), (quads[:, 3] - quads[:, 0]) / 2], 1)  # centre, half the upper edge
    return _square_of(smooth(path, times, seconds, cuts, seen))


def _square_of(path: np.ndarray) -> np.ndarray:
    """(T, 4) centre and half the upper edge -> (T, 2, 3) maps to the unit square."""
    centre, (x, y) = path[:, :2], path[:, 2:].T
    linear = np.stack([np.stack([x, y], -1), np.stack([-y, x], -1)], -2) / (2 * (x * x + y * y))[:, None, None]
    shift = 0.5 - np.einsum("tij,tj->ti", linear, centre)
    return np.concatenate([linear, shift[..., None]], -1).astype(np.float32)


def mirrored_crop(image: np.ndarray, crop: np.ndarray, size: int) -> np.ndarray:
    """(size, size, 3) uint8: what a crop (2, 3) shows; the picture goes on mirrored beyond its edges, as FFHQ's do."""
    import cv2

    corners = np.array([[0, 0], [1, 0], [0, 1], [1, 1]]) - crop[:, 2]
    at = np.linalg.solve(crop[:, :2], corners.T).T
    left, top = np.maximum(np.ceil(-at.min(0)), 0).astype(int)
    right, bottom = np.maximum(np.ceil(at.max(0) - image.shape[1::-1]), 0).astype(int)
    padded = cv2.copyMakeBorder(image, top, bottom, left, right, cv2.BORDER_REFLECT)
    moved = np.column_stack([crop[:, :2], crop[:, 2] - crop[:, :2] @ [left, top]])
    return crop_image(padded, moved, size)


def ffhq_crop(image: np.ndarray, landmarks: np.ndarray, side: int = 256) -> np.ndarray:
    """(side, side, 3) uint8: the picture inside the FFHQ quadrilateral, black where the picture ends.

    Args:
        image: (H, W, 3) uint8.
        landmarks: (68, 2) pixels, y down.
    """
    quad = ffhq_quad(landmarks)
    picture, quad = _near(Image.fromarray(image), quad, side)
    corners, large = tuple((quad + 0.5).flatten()), (TRANSFORM_SIDE, TRANSFORM_SIDE)
    picture = picture.transform(large, Image.Transform.QUAD, corners, Image.Resampling.BILINEAR)
    return np.asarray(picture.resize((side, side), Image.Resampling.LANCZOS))


def _near(picture: Image.Image, quad: np.ndarray, side: int) -> tuple[Image.Image, np.ndarray]:
    """The picture shrunk where it is far larger than the crop, and cut to the surroundings of the quadrilateral."""
    length = float(np.hypot(*(quad[3] - quad[0])))
    shrink = int(np.floor(length / side * 0.5))
    if shrink > 1:
        size = tuple(int(np.rint(n / shrink)) for n in picture.size)
        picture, quad, length = picture.resize(size, Image.Resampling.LANCZOS), quad / shrink, length / shrink
    border = max(int(np.rint(length * 0.1)), 3)
    low = np.maximum(np.floor(quad.min(0)).astype(int) - border, 0)
    high = np.minimum(np.ceil(quad.max(0)).astype(int) + border, picture.size)
    return picture.crop((*low, *high)), quad - low
