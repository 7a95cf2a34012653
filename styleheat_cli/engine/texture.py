"""The face laid flat: where every point of the skin lies on a texture that moves with the mesh.

The texture is a square round the axis of the head (a cylinder), so that cheeks and jaw have as much room as the nose; it
holds the face and the ring round it that carries the hairline, the temples and the skin under the chin.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from ..face.morphable import Morphable
from ..face.regions import OVAL
from ..shot import POINTS
from .mesh import HOLES, affine_maps, rasterised, rings_round, triangles

SIDE = 256  # texels of a texture as the weights hold it
AXIS = 2.4  # how far behind the head's origin the cylinder's axis stands, in head sizes
REACH = 3.9  # half the texture's side, in head sizes
MIDDLE = 0.15  # height of the texture's middle below the head's origin
SHARPEST = 512  # cells along a side of the raster on which places are drawn
OUTSIDE = -10.0  # the place of pixels that show no skin


@dataclass(frozen=True)
class Atlas:
    """The layout of the texture for a morphable model."""

    model: Morphable

    @cached_property
    def at_rest(self) -> np.ndarray:
        """(514, 3) canonical: the mean face and the first ring round it."""
        return np.concatenate([self.model.mean, rings_round(self.model.mean)])[: POINTS + len(OVAL)]

    @cached_property
    def places(self) -> np.ndarray:
        """(514, 2) of each vertex on the texture, 0 to 1."""
        rest = self.at_rest
        along = AXIS * np.clip(np.arctan2(rest[:, 0], AXIS - rest[:, 2]), -1.6, 1.6)
        return np.stack([along, rest[:, 1] - MIDDLE], axis=1) / (2 * REACH) + 0.5

    @cached_property
    def faces(self) -> np.ndarray:
        """(M, 3) triangles between these vertices; the first HOLES of them close eyes and mouth."""
        faces = triangles(self.model)
        return faces[(faces < POINTS + len(OVAL)).all(1)]

    def polygon(self, points: tuple[int, ...], grow: int = 0, hull: bool = False) -> np.ndarray:
        """(256, 256) float32: a ring of points filled, grown by texels and softened as much."""
        ring = (self.places[list(points)] * SIDE).astype(np.float32)
        ring = cv2.convexHull(ring)[:, 0] if hull else ring
        filled = np.zeros((SIDE, SIDE), np.uint8)
        cv2.fillPoly(filled, [np.round(ring * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
        if grow:
            filled = cv2.dilate(filled, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * grow + 1,) * 2))
        return cv2.GaussianBlur(filled.astype(np.float32) / 255, (0, 0), max(grow / 2, 0.8))

    def located(self, vertices: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray]:
        """(side, side, 2) float32: each pixel's place on the texture, 0 to 1, OUTSIDE where there is no skin; and
        (side, side) float32: how squarely the skin there faces the camera.

        vertices: (514 or more, 3) of the mesh in pixels of the crop. The far cheek of a turned head lies behind the near one.
        """
        grid = min(side, SHARPEST)
        vertices = vertices[: len(self.places)]
        depth = vertices[self.faces, 2].mean(1)
        depth[:HOLES] = np.inf
        faces = self.faces[np.argsort(-depth, kind="stable")]
        found, drawn = _carried(vertices[:, :2] * (grid / side), self.places, faces, grid)
        facing = np.where(drawn >= 0, self._facing(vertices, faces)[drawn], 0)
        facing = cv2.GaussianBlur(facing.astype(np.float32), (0, 0), grid / 200)  # triangles are flat, a face is not
        if grid < side:
            found, facing = (cv2.resize(each, (side, side), interpolation=cv2.INTER_NEAREST) for each in (found, facing))
        return found, facing

    def _facing(self, vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
        """(M,) in [0, 1]: how squarely triangles face the camera; 0 where they are seen from behind."""
        return (_towards(vertices, faces) * np.sign(_towards(self.at_rest, faces))).clip(0, 1)

    def unwrapped(self, image: np.ndarray, vertices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(256, 256, C): a crop's picture as texture, and (256, 256) float32: how squarely each texel faced the camera."""
        vertices = vertices[: len(self.places)]
        at, drawn = _carried(self.places * SIDE, vertices[:, :2], self.faces, SIDE)
        texture = cv2.remap(image, at - 0.5, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return texture, np.where(drawn >= 0, self._facing(vertices, self.faces)[drawn], 0).astype(np.float32)


def spread(texture: np.ndarray, places: np.ndarray, head_px: float) -> np.ndarray:
    """(S, S): a texture (n, n) seen in the picture whose pixels have these places; 0 outside the face.

    head_px: pixels of a head size; a texture that is finer than the picture is averaged first.
    """
    wanted = max(int(head_px * 2 * REACH), 16)
    if wanted < 0.8 * len(texture):
        texture = cv2.resize(texture, (wanted, wanted), interpolation=cv2.INTER_AREA)
    return cv2.remap(texture, places * len(texture) - 0.5, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)


def _carried(target: np.ndarray, source: np.ndarray, faces: np.ndarray, grid: int) -> tuple[np.ndarray, np.ndarray]:
    """(grid, grid, 2) float32: where each cell of the target lies in the source, and (grid, grid) its triangle or -1."""
    drawn = rasterised(target[faces], grid)
    carry, ok = affine_maps(target[faces], source[faces])
    drawn[~ok[drawn] & (drawn >= 0)] = -1
    centres = (np.arange(grid) + 0.5).astype(np.float32)
    x, y = np.broadcast_to(centres, (grid, grid)), np.broadcast_to(centres[:, None], (grid, grid))
    a = np.take(carry, drawn.ravel(), axis=0).reshape(grid, grid, 6)
    at = np.stack([a[..., 0] * x + a[..., 1] * y + a[..., 2], a[..., 3] * x + a[..., 4] * y + a[..., 5]], -1)
    at[drawn < 0] = OUTSIDE
    return at.astype(np.float32), drawn


def _towards(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """(M,) the z of the unit normals of triangles."""
    a, b, c = (vertices[faces[:, i]] for i in range(3))
    normal = np.cross(b - a, c - a)
    return normal[:, 2] / np.linalg.norm(normal, axis=1).clip(1e-9)
