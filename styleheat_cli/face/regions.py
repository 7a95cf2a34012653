"""Which of the 478 points are what: the one place for point numbers, and the surface between them.

Source: the numbering of MediaPipe Face Mesh with refined irises (468-472 the eye on the picture's left,
473-477 the one on the right). "Left" and "right" are those of the picture of an upright face.
"""

from __future__ import annotations

import numpy as np

INNER_LIP_GAP = (13, 14)
LEFT_EYE_GAP = (159, 145)
RIGHT_EYE_GAP = (386, 374)
MOUTH_CORNERS = (61, 291)
CHIN = 152

MIRROR_PAIRS = (
    (33, 263), (133, 362), (61, 291), (234, 454), (127, 356), (172, 397), (136, 365), (159, 386), (145, 374),
    (54, 284), (48, 278), (10, 10), (152, 152), (1, 1), (168, 168), (0, 0), (17, 17),
)  # fmt: skip

# closed rings, in order round the opening
LEFT_EYE = (33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246)
RIGHT_EYE = (362, 382, 381, 380, 374, 373, 390, 249, 263, 466, 388, 387, 386, 385, 384, 398)
INNER_LIPS = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 415, 310, 311, 312, 13, 82, 81, 80, 191)
OUTER_LIPS = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185)
LIP_POINTS = (  # both lips from rim to rim
    0, 11, 12, 13, 14, 15, 16, 17, 37, 38, 39, 40, 41, 42, 61, 62, 72, 73, 74, 76, 77, 78, 80, 81, 82, 84, 85, 86, 87, 88,
    89, 90, 91, 95, 96, 146, 178, 179, 180, 181, 183, 184, 185, 191, 267, 268, 269, 270, 271, 272, 291, 292, 302, 303, 304,
    306, 307, 308, 310, 311, 312, 314, 315, 316, 317, 318, 319, 320, 321, 324, 325, 375, 402, 403, 404, 405, 407, 408, 409,
    415,
)  # fmt: skip
OVAL = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
    152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)  # fmt: skip
BROWS = ((70, 63, 105, 66, 107, 55, 65, 52, 53, 46), (300, 293, 334, 296, 336, 285, 295, 282, 283, 276))
NOSE_BASE = 2
NOSTRILS = (98, 97, 2, 326, 327)  # the base of the nose
LEFT_IRIS = (468, 469, 470, 471, 472)
RIGHT_IRIS = (473, 474, 475, 476, 477)

IBUG_68 = (
    162, 234, 93, 58, 172, 136, 149, 148, 152, 377, 378, 365, 397, 288, 323, 454, 389,
    71, 63, 105, 66, 107, 336, 296, 334, 293, 301, 168, 197, 5, 4, 75, 97, 2, 326, 305,
    33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380,
    61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181, 78, 82, 13, 312, 308, 317, 14, 87,
)  # fmt: skip
"""The points nearest to the 68 of iBUG 300-W, in their order: jaw, brows, nose, eyes, outer and inner lips."""

# upper and lower points of an opening that meet when it closes
LEFT_LIDS = ((246, 7), (161, 163), (160, 144), (159, 145), (158, 153), (157, 154), (173, 155))
RIGHT_LIDS = ((398, 382), (384, 381), (385, 380), (386, 374), (387, 373), (388, 390), (466, 249))
LIPS = ((191, 95), (80, 88), (81, 178), (82, 87), (13, 14), (312, 317), (311, 402), (310, 318), (415, 324))


def surface_triangles() -> np.ndarray:
    """(M, 3) int: the skin between the first 468 points: eyes and mouth are holes.

    The triangles of the detector's own edge list: three points, each joined to both others, less those that
    only close a ring of three others.
    """
    from collections import Counter
    from itertools import combinations

    import mediapipe as mp

    edges = {tuple(sorted(e)) for e in mp.solutions.face_mesh_connections.FACEMESH_TESSELATION}
    near: dict[int, set[int]] = {}
    for a, b in edges:
        near.setdefault(a, set()).add(b)
        near.setdefault(b, set()).add(a)
    triangles = {tuple(sorted((a, b, c))) for a, b in edges for c in near[a] & near[b]}
    faces = Counter(edge for triangle in triangles for edge in combinations(triangle, 2))
    skin = [t for t in triangles if min(faces[edge] for edge in combinations(t, 2)) < 3]
    return np.array(sorted(skin), dtype=np.int64)
