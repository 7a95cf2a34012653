"""Which points of the face mesh mean what, and how the head stands: the judge of pose, independent of any family.

Points are those of the 478-point mesh (irises last). The 256 scale: lengths are given as if the picture were scaled
so that an upright face is 160 px from the middle of the hairline (point 10) to the chin (point 152), which is how the
papers' 256 px crops show it. The published clips in which StyleHEAT and its peers were compared have 139–180 px there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

FACE = slice(0, 468)
FACE_HEIGHT = 160.0
"""Hairline to chin at the 256 scale, px."""

OUTER_LIPS = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146)
INNER_LIPS = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308, 324, 318, 402, 317, 14, 87, 178, 88, 95)
LIPS = OUTER_LIPS + INNER_LIPS
OVAL = (
    10,
    338,
    297,
    332,
    284,
    251,
    389,
    356,
    454,
    323,
    361,
    288,
    397,
    365,
    379,
    378,
    400,
    377,
    152,
    148,
    176,
    149,
    150,
)
OVAL += (136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109)
HAIRLINE, CHIN = 10, 152
UPPER_LIP, LOWER_LIP = 13, 14
MOUTH_CORNERS = (61, 291)
EYES = ((33, 133, 159, 145, 158, 153), (362, 263, 386, 374, 385, 380))
"""Per eye: outer and inner corner, then upper and lower lid at two places."""

_HEAD = {
    10: (0.0, -47.1, 2.7),
    151: (0.0, -31.7, -0.2),
    9: (0.0, -15.6, -2.1),
    8: (0.0, -7.4, -0.6),
    168: (0.0, 0.0, 0.0),
    6: (0.0, 7.9, -3.9),
    197: (0.0, 15.0, -8.5),
    195: (0.0, 21.6, -13.5),
    5: (0.0, 28.7, -18.6),
    4: (0.0, 37.1, -20.7),
}
_SIDES = {  # point on the picture's left, its mirror image: x of the right one, y, z
    (33, 263): (43.4, 2.8, 21.5),
    (133, 362): (17.3, 4.4, 16.4),
    (127, 356): (68.3, 5.0, 69.3),
    (234, 454): (67.7, 18.8, 74.2),
    (54, 284): (58.3, -30.9, 34.1),
    (67, 297): (34.5, -44.2, 10.6),
    (103, 332): (48.9, -39.0, 21.5),
    (109, 338): (18.7, -46.6, 4.3),
    (21, 251): (64.2, -20.5, 46.2),
    (162, 389): (67.2, -9.2, 59.0),
    (129, 358): (21.1, 39.3, 8.0),
    (116, 345): (62.0, 18.8, 34.2),
    (93, 323): (67.1, 33.0, 75.2),
}


def _head() -> tuple[np.ndarray, np.ndarray]:
    """Indices (36,) and places (36, 3) of the points that expressions hardly move, at the 256 scale, nasion at 0.

    The mean head of 1,483 people (generalised Procrustes analysis of their meshes, made symmetric, upright).
    """
    points = dict(_HEAD)
    for (left, right), (x, y, z) in _SIDES.items():
        points[left], points[right] = (-x, y, z), (x, y, z)
    return np.array(list(points)), np.array(list(points.values()), np.float64)


RIGID, HEAD = _head()


@dataclass(frozen=True)
class Pose:
    """Angles in degrees (positive: pitch up, yaw to the picture's right, roll clockwise); `scale` in px per px at 256.

    A mesh point is `scale * rotation @ point + translation`, with `point` at the 256 scale.
    """

    pitch: float
    yaw: float
    roll: float
    scale: float
    rotation: np.ndarray
    translation: np.ndarray


def rigid_pose(face: np.ndarray) -> Pose:
    """The pose of a mesh (478, 3), by the similarity that best carries the mean head onto it.

    Source: Umeyama, Least-squares estimation of transformation parameters between two point patterns (1991).
    """
    scale, rotation, translation = similarity(HEAD, np.asarray(face, np.float64)[RIGID])
    yaw = np.arcsin(np.clip(rotation[2, 0], -1, 1))
    pitch = np.arctan2(-rotation[2, 1], rotation[2, 2])
    roll = np.arctan2(rotation[1, 0], rotation[0, 0])
    pitch, yaw, roll = np.degrees([pitch, yaw, roll])
    return Pose(float(pitch), float(yaw), float(roll), scale, rotation, translation)


def similarity(start: np.ndarray, end: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """Scale, rotation (D, D) and translation (D,) that carry points (K, D) onto points (K, D) in the least squares."""
    start_mean, end_mean = start.mean(0), end.mean(0)
    a, b = start - start_mean, end - end_mean
    u, s, vt = np.linalg.svd(b.T @ a)
    sign = np.ones(len(s))
    sign[-1] = np.sign(np.linalg.det(u @ vt))
    rotation = (u * sign) @ vt
    scale = float((s * sign).sum() / (a**2).sum())
    return scale, rotation, end_mean - scale * rotation @ start_mean


def upright(face: np.ndarray, pose: Pose) -> np.ndarray:
    """(K, 3): the mesh with its pose taken out, at the 256 scale."""
    return (np.asarray(face, np.float64) - pose.translation) @ pose.rotation / pose.scale
