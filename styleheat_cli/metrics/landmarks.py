"""F-LMD and M-LMD: how far the face and the mouth are from where they should be, in px at the 256 scale."""

from __future__ import annotations

import numpy as np

from .face_geometry import FACE, LIPS
from .metric import Moment, Reading, Running, Setting, metric


def face_distance(generated: np.ndarray, real: np.ndarray) -> float:
    """Mean distance of the 468 mesh points of two faces (478, 3), in the unit of the points, in the picture's plane.

    Source: StyleTalk (Ma et al. 2023), F-LMD; the papers use 68 points of dlib.
    """
    return float(np.linalg.norm((generated - real)[FACE, :2], axis=1).mean())


def mouth_distance(generated: np.ndarray, real: np.ndarray) -> float:
    """Mean distance of the 40 lip points of two faces once both mouths have the same centre.

    Source: StyleTalk (Ma et al. 2023), M-LMD after Chen et al., ATVGnet (2019), who align the mouths first.
    """
    a, b = generated[list(LIPS), :2], real[list(LIPS), :2]
    return float(np.linalg.norm((a - a.mean(0)) - (b - b.mean(0)), axis=1).mean())


class _Distance:
    """The mean of a distance between the generated and the real face."""

    measure = staticmethod(face_distance)

    def __init__(self, setting: Setting):
        self.frames = Running()

    def update(self, moment: Moment) -> float | None:
        generated, real = moment.generated, moment.reference
        if generated.face is None or real.face is None:
            return None
        return self.frames.add(self.measure(generated.face, real.face) / real.pose.scale)

    def readings(self) -> list[Reading]:
        return [self.frames.reading(self.spec, "no moment shows both faces")]


@metric(
    "f-lmd",
    better="lower",
    unit="px",
    protocol="mesh 468 @256",
    says="mean distance of mesh points where both pictures have the same framing; 256 scale: face height 160 px",
    needs="reference faces",
)
class FaceLandmarkDistance(_Distance):
    """Mean distance of the face's points."""


@metric(
    "m-lmd",
    better="lower",
    unit="px",
    protocol="lips 40, centred @256",
    says="mean distance of lip points after both mouths are put on one centre; 256 scale: face height 160 px",
    needs="reference faces",
)
class MouthLandmarkDistance(_Distance):
    """Mean distance of the lips' points."""

    measure = staticmethod(mouth_distance)
