"""The square round a head: where it is, how it is cut out, how it is put back.

Frame coordinates as in landmarks.py: the pixel in column i covers [i, i + 1).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from .smooth import shots, smooth

SIDE = 1.9
"""Side of the square in face heights (forehead point to chin): the whole head with hair, and the neck."""
FACE_CENTRE = (0.5, 0.53)
"""Where in the square the middle of the face stands; a little low, as there is more hair than neck."""
RIGID = (10, 151, 9, 8, 168, 6, 197, 195, 5, 33, 133, 362, 263, 127, 356, 234, 454, 67, 297, 109, 338, 103, 332,
         54, 284, 21, 251, 162, 389, 93, 323)
"""Points of forehead, nose bridge, eye corners and temples: they move with the skull and not with the face."""
RIGID_RADIUS = 0.364
"""Their root mean square distance from their mean, in face heights: the median of 70 portraits (90 %: 0.343 to 0.387)."""
WINDOW_S = 1.2
"""Seconds over which the square's path is smoothed in a clip."""
STEADY = 0.12
"""A clip whose face size varies less than this (10th to 90th percentile, relative) gets one size of square."""
SHARP = 1.2
"""Pictures that shrink less than this are resampled as if they grew: the filter against aliasing would only blur."""
TILTED = np.radians(35)
"""Faces that lean more than this, all clip long, get a square that leans with them."""


def square(points: np.ndarray) -> np.ndarray:
    """(..., 4) float64: centre x, y, side of the square round the head, and the face's roll (clockwise, radians).

    Args:
        points: (..., 478, 3) px.
    """
    points = np.asarray(points, np.float64)
    rigid = points[..., RIGID, :]
    middle = rigid.mean(-2)
    height = np.sqrt(((rigid - middle[..., None, :]) ** 2).sum(-1).mean(-1)) / RIGID_RADIUS
    eyes = points[..., 263, :] - points[..., 33, :]
    face = (points[..., 10, :2] + points[..., 152, :2]) / 2
    return np.stack([face[..., 0], face[..., 1], SIDE * height, np.arctan2(eyes[..., 1], eyes[..., 0])], axis=-1)


def transform(squares: np.ndarray, roll: float = 0.0) -> np.ndarray:
    """(..., 2, 3) float32 from frame pixels to the unit square, for squares that lean clockwise by `roll`.

    Args:
        squares: (..., 3 or more): centre x, y of the face and side of the square, px.
    """
    x, y, side = (np.asarray(squares, np.float64)[..., i] for i in range(3))
    cos, sin = np.cos(roll) / side, np.sin(roll) / side
    turn = np.stack([np.stack([cos, sin], -1), np.stack([-sin, cos], -1)], -2)
    shift = np.array(FACE_CENTRE) - (turn @ np.stack([x, y], -1)[..., None])[..., 0]
    return np.concatenate([turn, shift[..., None]], axis=-1).astype(np.float32)


def crops(landmarks: Sequence[np.ndarray] | np.ndarray, times: np.ndarray, cuts: Iterable[float] = (),
          seen: np.ndarray | None = None, seconds: float = WINDOW_S) -> np.ndarray:
    """(T, 2, 3) float32 frame pixels -> unit square, on a smooth path through each shot.

    Landmarks are (T, 478, 3) px, or rows that give arrays when sliced; rows not seen have no say.
    """
    seen = np.ones(len(times), bool) if seen is None else np.asarray(seen, bool)
    squares = np.concatenate([square(landmarks[i:i + 256]) for i in range(0, len(times), 256)])
    made = [_shot_crops(squares[a:b], times[a:b], seen[a:b], seconds) for a, b in shots(times, cuts)]
    return np.concatenate(made)


def _shot_crops(squares: np.ndarray, times: np.ndarray, seen: np.ndarray, seconds: float) -> np.ndarray:
    known = squares[seen] if seen.any() else squares
    path = smooth(_without_spikes(squares[:, :2]), times, seconds)
    side = _side_path(squares[:, 2], known[:, 2], times, seconds)
    roll = np.arctan2(np.median(np.sin(known[:, 3])), np.median(np.cos(known[:, 3])))
    return transform(np.column_stack([path, side]), roll if abs(roll) > TILTED else 0.0)


def _side_path(side: np.ndarray, known: np.ndarray, times: np.ndarray, seconds: float) -> np.ndarray:
    """One side for the shot when the face keeps its size, else a path smoother than that of the centre."""
    small, middle, large = np.percentile(known, [10, 50, 90])
    if large - small < STEADY * middle:
        return np.full(len(side), middle)
    return np.exp(smooth(_without_spikes(np.log(side)[:, None]), times, 2 * seconds)[:, 0])


def _without_spikes(path: np.ndarray) -> np.ndarray:
    """(T, K) through a running median of five frames: one wrong frame does not pull it."""
    from scipy.ndimage import median_filter

    return median_filter(path, size=(5, 1), mode="nearest")


def crop_image(frame: np.ndarray, crop: np.ndarray, size: int, outside: float | None = None) -> np.ndarray:
    """(size, size, C): what the crop shows of the frame, without aliasing; beyond the border its pixels repeat.

    Args:
        frame: (H, W, C) or (H, W), uint8 or float32.
        crop: (2, 3) frame pixels -> unit square.
        outside: value beyond the border instead.
    """
    return warp(frame, size * np.asarray(crop, np.float64), (size, size), outside)


def paste(frame: np.ndarray, image: np.ndarray, mask: np.ndarray, crop: np.ndarray) -> np.ndarray:
    """A copy of the frame with the crop's image in its place; where the mask is 0 every pixel is the frame's.

    Args:
        frame: (H, W, 3) uint8.
        image: (S, S, 3) uint8, what the crop shall show.
        mask: (S, S) float32, 0 to 1; 0 outside the square.
        crop: (2, 3) frame pixels -> unit square.
    """
    import cv2

    pasted = frame.copy()
    back = _inverse(crop)
    x0, y0, x1, y1 = _touched(mask, back, frame.shape)
    if x1 <= x0 or y1 <= y0:
        return pasted
    to_part = back - [[0, 0, x0], [0, 0, y0]]
    part = warp(image, to_part @ _scaling(1 / len(image)), (x1 - x0, y1 - y0))
    share = warp(np.asarray(mask, np.float32), to_part @ _scaling(1 / len(mask)), (x1 - x0, y1 - y0), outside=0)
    pasted[y0:y1, x0:x1] = cv2.blendLinear(part, frame[y0:y1, x0:x1], share, 1 - share)
    return pasted


def warp(image: np.ndarray, matrix: np.ndarray, size: tuple[int, int], outside: float | None = None) -> np.ndarray:
    """(h, w, C): the image moved by an affine map, averaged over what falls into a pixel when it shrinks.

    Args:
        image: (H, W, C) or (H, W), uint8 or float32.
        matrix: (2, 3) from the image's pixels to those of the result, both counted from the corner.
        size: width and height of the result.
        outside: value beyond the image's border; None repeats the border.
    """
    import cv2

    matrix = np.asarray(matrix, np.float64)
    shrink = 1 / np.sqrt(abs(np.linalg.det(matrix[:, :2])))
    if outside is None or shrink > SHARP:
        image, matrix = _part(image, matrix, size, margin=4 * max(int(shrink), 1))
        image, matrix = _shrunk(image, matrix, shrink) if shrink > SHARP else _enlarged(image, matrix, 1 / shrink)
    centred = matrix.copy()
    centred[:, 2] += matrix[:, :2] @ [0.5, 0.5] - 0.5  # OpenCV counts from the centre of the first pixel
    border = {"borderMode": cv2.BORDER_REPLICATE} if outside is None else {"borderValue": outside}
    return cv2.warpAffine(image, centred, size, flags=cv2.INTER_LINEAR, **border)


def _part(image: np.ndarray, matrix: np.ndarray, size: tuple[int, int], margin: int) -> tuple[np.ndarray, np.ndarray]:
    """The piece of the image that shows in the result, and the map from there."""
    x0, y0, x1, y1 = _bounds(_inverse(matrix), (0, 0, *size), image.shape, margin)
    return image[y0:y1, x0:x1], matrix @ _translation(x0, y0)


def _shrunk(image: np.ndarray, matrix: np.ndarray, shrink: float) -> tuple[np.ndarray, np.ndarray]:
    """The image averaged over whole steps and blurred for the rest, and the map from there."""
    import cv2

    step = int(shrink)
    if step > 1:
        rows, columns = max(len(image) // step, 1), max(image.shape[1] // step, 1)
        image = cv2.resize(image[:rows * step, :columns * step], (columns, rows), interpolation=cv2.INTER_AREA)
        matrix = matrix @ _scaling(step)
    rest = shrink / step
    if rest > 1.1:
        image = cv2.GaussianBlur(image, (0, 0), 0.5 * np.sqrt(rest**2 - 1))
    return image, matrix


def _enlarged(image: np.ndarray, matrix: np.ndarray, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """The image at an odd multiple, by cubic convolution, and the map from there.

    From there a linear warp loses little, and nothing at the old pixels themselves, which an odd multiple contains;
    the two together take half the time of a cubic warp.
    """
    import cv2

    times = 2 * int((scale + 1) / 2) + 1
    size = (image.shape[1] * times, image.shape[0] * times)
    return cv2.resize(image, size, interpolation=cv2.INTER_CUBIC), matrix @ _scaling(1 / times)


def _touched(mask: np.ndarray, back: np.ndarray, shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    """x0 y0 x1 y1 of the frame's pixels that a mask in the unit square can change."""
    columns, rows = np.flatnonzero(mask.any(0)), np.flatnonzero(mask.any(1))
    if not len(columns):
        return 0, 0, 0, 0
    part = (columns[0] - 1, rows[0] - 1, columns[-1] + 2, rows[-1] + 2)
    return _bounds(back, tuple(edge / len(mask) for edge in part), shape, margin=1)


def _bounds(matrix: np.ndarray, part: tuple[float, float, float, float], shape: tuple[int, ...],
            margin: int) -> tuple[int, int, int, int]:
    """x0 y0 x1 y1 of whole pixels round a moved rectangle, kept inside a picture of this shape (never empty there)."""
    x0, y0, x1, y1 = part
    corners = matrix @ np.array([[x0, x1, x0, x1], [y0, y0, y1, y1], [1, 1, 1, 1]], np.float64)
    low, high = np.floor(corners.min(1)).astype(int) - margin, np.ceil(corners.max(1)).astype(int) + margin
    far = np.array([shape[1], shape[0]])
    low, high = low.clip(0, far - 1), high.clip(1, far)
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])


def _inverse(matrix: np.ndarray) -> np.ndarray:
    """(2, 3) the affine map back."""
    turn = np.linalg.inv(np.asarray(matrix, np.float64)[:, :2])
    return np.column_stack([turn, -turn @ np.asarray(matrix, np.float64)[:, 2]])


def _scaling(by: float) -> np.ndarray:
    return np.diag([by, by, 1.0])


def _translation(x: float, y: float) -> np.ndarray:
    return np.array([[1, 0, x], [0, 1, y], [0, 0, 1]], np.float64)
