"""The Basel face model as Deep3D uses it: 257 numbers to a lit mesh and its 68 landmarks.

Sources: Deng et al. 2019, section 3.1; spherical harmonics: Ramamoorthi and Hanrahan 2001.
Conventions: the camera looks along -z from a distance of 10; the picture is 224 px wide, y upwards.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from .recon import FaceCoefficients, split_coefficients

CAMERA_DISTANCE = 10.0
FOCAL = 1015.0
CENTRE = 112.0


@dataclass(frozen=True)
class FaceModel:
    """The model's arrays. Indices count from 0; V vertices, T triangles.

    mean_shape (V, 3), mean vertex at the origin; mean_texture (1, 3V), 0..255; identity_base (3V, 80); expression_base
    (3V, 64); texture_base (3V, 80); triangles (T, 3); faces_of_vertex (V, 8), where T stands for none; keypoints (68,).
    """

    mean_shape: Tensor
    mean_texture: Tensor
    identity_base: Tensor
    expression_base: Tensor
    texture_base: Tensor
    triangles: Tensor
    faces_of_vertex: Tensor
    keypoints: Tensor

    @classmethod
    def from_fields(cls, fields: Mapping[str, np.ndarray]) -> FaceModel:
        """From the fields of the published MATLAB file, whose indices count from 1.

        The bases keep MATLAB's column order: with it the products round as the official ones do, which decides
        the normals of degenerate triangles.
        """
        shape = fields["meanshape"].astype(np.float32).reshape(-1, 3)
        bases = (np.asfortranarray(fields[key], np.float32) for key in ("idBase", "exBase", "texBase"))
        indices = (fields[key].astype(np.int64) - 1 for key in ("tri", "point_buf"))
        return cls(
            torch.from_numpy(shape - shape.mean(0, keepdims=True)),
            torch.from_numpy(fields["meantex"].astype(np.float32).reshape(1, -1)),
            *map(torch.from_numpy, bases),
            *map(torch.from_numpy, indices),
            torch.from_numpy(fields["keypoints"].astype(np.int64).flatten() - 1),
        )


@dataclass(frozen=True)
class Face:
    """A posed, lit face: vertices in camera space, colours in 0..1, landmarks on the picture (y up)."""

    shape: Tensor
    rotation: Tensor
    normals: Tensor
    vertices: Tensor
    texture: Tensor
    colours: Tensor
    landmarks: Tensor


def reconstruct(model: FaceModel, coefficients: Tensor) -> Face:
    """(N, 257) -> the face."""
    parts = split_coefficients(coefficients)
    shape = face_shape(model, parts)
    rotation = rotation_matrix(parts.angles)
    normals = vertex_normals(model, shape)
    posed = shape @ rotation + parts.translation[:, None]
    vertices = torch.cat([posed[..., :2], CAMERA_DISTANCE - posed[..., 2:]], -1)
    texture = face_texture(model, parts)
    return Face(
        shape,
        rotation,
        normals,
        vertices,
        texture,
        lit(texture, normals @ rotation, parts.lighting),
        project(vertices[:, model.keypoints]),
    )


def face_shape(model: FaceModel, parts: FaceCoefficients) -> Tensor:
    """(N, V, 3) before the pose."""
    offsets = parts.identity @ model.identity_base.T + parts.expression @ model.expression_base.T
    return offsets.view(len(offsets), -1, 3) + model.mean_shape


def face_texture(model: FaceModel, parts: FaceCoefficients) -> Tensor:
    """(N, V, 3) albedo in 0..1."""
    flat = (model.mean_texture + parts.texture @ model.texture_base.T) / 255
    return flat.view(len(flat), -1, 3)


def rotation_matrix(angles: Tensor) -> Tensor:
    """(N, 3) pitch, yaw, roll -> (N, 3, 3): (Rz Ry Rx) transposed, for points as rows (p R)."""
    (sx, sy, sz), (cx, cy, cz) = angles.sin().unbind(1), angles.cos().unbind(1)
    zero, one = torch.zeros_like(sx), torch.ones_like(sx)

    def matrix(*entries: Tensor) -> Tensor:
        return torch.stack(entries, 1).view(-1, 3, 3)

    about_x = matrix(one, zero, zero, zero, cx, -sx, zero, sx, cx)
    about_y = matrix(cy, zero, sy, zero, one, zero, -sy, zero, cy)
    about_z = matrix(cz, -sz, zero, sz, cz, zero, zero, zero, one)
    return (about_z @ about_y @ about_x).transpose(1, 2)


def vertex_normals(model: FaceModel, shape: Tensor) -> Tensor:
    """(N, V, 3): the normalised sum of the unit normals of the faces around each vertex."""
    a, b, c = (shape[:, model.triangles[:, i]] for i in range(3))
    faces = F.normalize(torch.cross(a - b, b - c, dim=-1), dim=-1)
    none = torch.zeros_like(faces[:, :1])
    around = torch.cat([faces, none], 1)[:, model.faces_of_vertex]  # [N V 8 3]
    return F.normalize(around.sum(2), dim=-1)


def lit(texture: Tensor, normals: Tensor, lighting: Tensor) -> Tensor:
    """(N, V, 3) colours: albedo under nine spherical harmonics; the ambient term of each colour gains 0.8."""
    gamma = lighting.view(-1, 3, 9)
    ambient = torch.zeros_like(gamma)
    ambient[..., 0] = 0.8
    return texture * (harmonics(normals) @ (gamma + ambient).transpose(1, 2))


def harmonics(normals: Tensor) -> Tensor:
    """(N, V, 9): spherical harmonics of order 0 to 2, convolved with the clamped cosine."""
    x, y, z = normals.unbind(-1)
    a0, a1, a2 = math.pi, 2 * math.pi / math.sqrt(3), 2 * math.pi / math.sqrt(8)
    c0, c1, c2 = 1 / math.sqrt(4 * math.pi), math.sqrt(3 / (4 * math.pi)), 3 * math.sqrt(5 / (12 * math.pi))
    rows = [
        torch.full_like(x, a0 * c0),
        -a1 * c1 * y,
        a1 * c1 * z,
        -a1 * c1 * x,
        a2 * c2 * x * y,
        -a2 * c2 * y * z,
        a2 * c2 * 0.5 / math.sqrt(3) * (3 * z.square() - 1),
        -a2 * c2 * x * z,
        a2 * c2 * 0.5 * (x.square() - y.square()),
    ]
    return torch.stack(rows, -1)


def project(points: Tensor) -> Tensor:
    """(N, K, 3) camera space -> (N, K, 2) on the 224 px picture, y upwards."""
    return FOCAL * points[..., :2] / points[..., 2:] + CENTRE
