"""What the source never showed, the inside of a mouth, lids that come down: f warped at 64x64, calibrated, synthesised, laid into the picture.

Only the cells round a mouth or an eye are computed: encoder, calibration and generator are convolutional, so a window of f
gives the window of the picture.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ..face.regions import INNER_LIP_GAP, INNER_LIPS, LEFT_EYE, MOUTH_CORNERS
from ..media.pixels import to_images, to_tensor
from ..networks.codec import STRIDE, Encoder, Generator
from ..networks.healer import Healer
from .eyes import EYES, IRIS, width_of
from .fill import drawn, ellipse, ramp
from .mesh import GRID

SIDE = 512  # pixels of the crop for which encoder and generator are made
CELLS = 24  # side of the window round a mouth or an eye, in cells of f
WINDOW = CELLS * STRIDE
GROWN = 5  # pixels at 512: width of the brush by which the inside reaches under the lips' rim
RIM = 1.3  # pixels at 512 of blur between the lips and what lies inside
PARTED = (1.0, 3.0)  # pixels at 512 between the lips from which their inside is drawn, and wholly drawn
LIDS = (0.62, 0.36, 0.06)  # eye widths: half axes of what an eye and its lids take up, and how far its middle lies above that of the corners
SHADE, LIDS_RIM = 2.0, 2.5  # pixels at 512: blur that leaves light and shade of a lid, whose finer detail stays; blur of its border


@dataclass(frozen=True)
class Healing:
    """The networks that heal, on one device and of one float type, and what they were given."""

    encoder: Encoder
    generator: Generator
    healer: Healer

    @property
    def like(self) -> Tensor:
        return self.generator.rgb.weight


@dataclass(frozen=True)
class Opening:
    """A mouth or an eye in a crop of 512 pixels: its middle (2,), its outline (N, 2), and x, y and radius of an eye's iris (3,), of a
    mouth 0."""

    middle: np.ndarray
    outline: np.ndarray
    iris: np.ndarray

    @property
    def corner(self) -> np.ndarray:
        """(2,) int x, y: the corner of the window round it, on whole cells, as far as the crop allows."""
        corner = np.round((self.middle - WINDOW / 2) / STRIDE).astype(int) * STRIDE
        return np.clip(corner, 0, SIDE - WINDOW)

    def cells(self, corner: np.ndarray, like: Tensor) -> Tensor:
        """(1, 2, 24, 24): shares of a window's cells that are open, and that the iris takes of them."""
        masks = drawn_openings((self.outline - corner)[None], (self.iris - [*corner, 0])[None], WINDOW)
        return F.avg_pool2d(torch.from_numpy(np.stack(masks, 1)), STRIDE).to(like)


@dataclass(frozen=True)
class Feature:
    """The window round what opens in a source, inverted: f (1, C, 24, 24), w (1, D), where the window's corner is (pixels at
    512), and opening (1, 2, 24, 24): shares of each cell inside it, and inside its iris."""

    f: Tensor
    w: Tensor
    corner: np.ndarray
    opening: Tensor


@torch.inference_mode()
def invert(healing: Healing, image: np.ndarray) -> tuple[Tensor, Tensor]:
    """f (1, C, 64, 64) and w (1, D) of a whole crop (S, S, 3) uint8."""
    return healing.encoder(to_tensor(at_512(image)[None]).to(healing.like))


def invert_mouth(healing: Healing, image: np.ndarray, landmarks: np.ndarray) -> Feature:
    """The feature round the mouth of a crop (S, S, 3) uint8 whose landmarks (478, 3) are in its pixels."""
    return inverted(healing, image, mouth_opening(landmarks * (SIDE / len(image))))


@torch.inference_mode()
def inverted(healing: Healing, image: np.ndarray, opening: Opening) -> Feature:
    """The feature round what opens in a crop (S, S, 3) uint8."""
    corner = opening.corner
    f, w = healing.encoder(to_tensor(window(at_512(image), corner)[None]).to(healing.like))
    return Feature(f, w, corner, opening.cells(corner, healing.like))


def window(image: np.ndarray, corner: np.ndarray) -> np.ndarray:
    """(192, 192, 3): the window at a corner (2,) int x, y of a crop (512, 512, 3)."""
    return image[corner[1] : corner[1] + WINDOW, corner[0] : corner[0] + WINDOW]


def at_512(image: np.ndarray) -> np.ndarray:
    if len(image) == SIDE:
        return image
    return cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA if len(image) > SIDE else cv2.INTER_CUBIC)


@torch.inference_mode()
def heal(
    healing: Healing, feature: Feature, image: np.ndarray, target: np.ndarray, source_at: np.ndarray, motion: np.ndarray
) -> None:
    """Draws the inside of the target's mouth into a warped picture (S, S, 3) uint8, in place.

    target (N, 3): the mesh in pixels of the picture; source_at (256, 256, 2): the flow's map in the same pixels;
    motion (67,): expression and angles of the target.
    """
    scale = SIDE / len(image)
    outline = target[list(INNER_LIPS), :2] * scale
    share = parted(outline)
    if share <= 0:
        return
    mouth = mouth_opening(target * scale)
    made, corner = _synthesised(healing, feature, mouth, source_at * scale, motion), mouth.corner
    inside = drawn(outline - corner, (WINDOW, WINDOW))
    grown = cv2.dilate(inside, np.ones((GROWN, GROWN)))
    _lay(image, made, share * cv2.GaussianBlur(grown, (0, 0), RIM), corner, scale)


@torch.inference_mode()
def heal_lids(
    healing: Healing, feature: Feature, image: np.ndarray, target: np.ndarray, source_at: np.ndarray, motion: np.ndarray, which: int,
    share: float,
) -> None:  # fmt: skip
    """Gives the lids of one of the EYES the light and shade that they have in the calibrated f; their detail stays. As `heal`, in place.

    share: how much of it, in [0, 1].
    """
    scale = SIDE / len(image)
    eye = eye_opening(target * scale, which)
    made = _synthesised(healing, feature, eye, source_at * scale, motion)
    away = cv2.GaussianBlur(made.astype(np.float32) - _out_of_picture(image, eye.corner, scale), (0, 0), SHADE)
    where = cv2.GaussianBlur(drawn(lids_outline(eye.outline) - eye.corner, (WINDOW, WINDOW)), (0, 0), LIDS_RIM)
    low, high = _touched(where, eye.corner, scale, len(image))
    if (high <= low).any():
        return
    part = image[low[1] : high[1], low[0] : high[0]]
    away = _in_picture(share * where[..., None] * away, eye.corner, scale, low, high)
    part[:] = np.clip(part + away + 0.5, 0, 255).astype(np.uint8)


def lids_outline(eye: np.ndarray) -> np.ndarray:
    """(32, 2): what an eye and its lids take up, of its outline (16 or more, 2)."""
    ends, (across, down, above) = eye[[0, len(LEFT_EYE) // 2]], LIDS
    x, y = ends[1] - ends[0]
    middle, width = ends.mean(0) + above * np.array([y, -x]), float(np.hypot(x, y))
    return ellipse(*middle, across * width, down * width, np.arctan2(y, x))


def parted(outline: np.ndarray) -> float:
    """0 where the lips touch, 1 where they are clearly apart."""
    height = cv2.contourArea(outline.astype(np.float32)) / max(np.linalg.norm(outline[0] - outline[10]), 1)
    return float(ramp(height, PARTED))


def mouth_opening(points: np.ndarray) -> Opening:
    """The mouth of landmarks (N, 2 or 3) at 512."""
    middle = points[list(MOUTH_CORNERS), :2].mean(0) * 0.5 + points[list(INNER_LIP_GAP), :2].mean(0) * 0.5
    return Opening(middle, points[list(INNER_LIPS), :2], np.zeros(3))


def eye_opening(points: np.ndarray, which: int) -> Opening:
    """One of the EYES of landmarks (N, 2 or 3) at 512."""
    ring, iris = EYES[which]
    outline = points[list(ring), :2]
    return Opening(outline[[0, len(ring) // 2]].mean(0), outline, np.append(points[iris[0], :2], IRIS * width_of(outline)))


def drawn_openings(outlines: np.ndarray, irises: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray]:
    """(K, side, side) each in [0, 1]: what is open, and what of it an iris takes, of outlines (K, N, 2) and irises (K, 3) in whole windows."""
    scale, shape = side / WINDOW, (side, side)
    opened = np.stack([drawn(scale * outline, shape) for outline in outlines])
    discs = np.stack([drawn(scale * ellipse(x, y, r, r), shape) if r else np.zeros(shape, np.float32) for x, y, r in irises])
    return opened, np.minimum(discs, opened)


def guides(opening: Tensor, warped: Tensor, at: Tensor) -> Tensor:
    """(N, 6, h, w): what opens in the target, and of it the iris; both in the warped source; and where each cell comes from against the
    window's own mean, in windows, across and down.

    opening, warped (N, 2, h, w): shares of the opening and, of an eye, its iris; at (N, h, w, 2): x, y in the source in pixels at 512.
    """
    away = (at - at.mean((1, 2), keepdim=True)) / WINDOW
    return torch.cat([opening, warped, away.permute(0, 3, 1, 2)], 1)


def _synthesised(healing: Healing, feature: Feature, target: Opening, source_at: np.ndarray, motion: np.ndarray) -> np.ndarray:
    """(192, 192, 3) uint8: the window of the picture round the target that the calibrated f gives."""
    cell = GRID // (SIDE // STRIDE)  # raster cells of the flow in one cell of f
    rows, columns = (slice(c // STRIDE * cell, (c // STRIDE + CELLS) * cell) for c in target.corner[::-1])
    at = cv2.resize(source_at[rows, columns], (CELLS, CELLS), interpolation=cv2.INTER_AREA)
    at = torch.from_numpy(at - feature.corner.astype(np.float32))[None].to(healing.like)
    grid = at / (WINDOW / 2) - 1
    f = F.grid_sample(feature.f, grid, mode="bilinear", padding_mode="border", align_corners=False)
    before = F.grid_sample(feature.opening, grid, mode="bilinear", align_corners=False)
    hints = guides(target.cells(target.corner, healing.like), before, at)
    healed = healing.healer(f, hints, torch.from_numpy(motion)[None].to(healing.like))
    return to_images(healing.generator(healed, feature.w).float())[0]


def _lay(image: np.ndarray, made: np.ndarray, share: np.ndarray, corner: np.ndarray, scale: float) -> None:
    """Blends a window made at 512 into a picture of any size, in place."""
    low, high = _touched(share, corner, scale, len(image))
    if (high <= low).any():
        return
    made = _in_picture(made, corner, scale, low, high, cv2.INTER_CUBIC, cv2.BORDER_REPLICATE)
    share = _in_picture(share.astype(np.float32), corner, scale, low, high)
    part = image[low[1] : high[1], low[0] : high[0]]
    part[:] = cv2.blendLinear(made, np.ascontiguousarray(part), share, 1 - share)


def _touched(share: np.ndarray, corner: np.ndarray, scale: float, side: int) -> tuple[np.ndarray, np.ndarray]:
    """The first pixel of a picture that a window's share reaches, and the one after the last: x, y each, the same where it reaches none."""
    columns, rows = np.flatnonzero(share.max(0) > 0), np.flatnonzero(share.max(1) > 0)
    if len(columns) == 0:
        return np.zeros(2, int), np.zeros(2, int)
    low = np.floor((corner + [columns[0], rows[0]]) / scale).astype(int)
    high = np.ceil((corner + [columns[-1] + 1, rows[-1] + 1]) / scale).astype(int)
    return np.clip(low - 1, 0, side), np.clip(high + 1, 0, side)


def _in_picture(
    layer: np.ndarray, corner: np.ndarray, scale: float, low: np.ndarray, high: np.ndarray,
    way: int = cv2.INTER_LINEAR, beyond: int = cv2.BORDER_CONSTANT,
) -> np.ndarray:  # fmt: skip
    """A window's layer, made at 512, at the pixels from `low` to `high` of a picture that is `scale` times as small."""
    to_window = np.array([[scale, 0, (low[0] + 0.5) * scale - corner[0] - 0.5],
                          [0, scale, (low[1] + 0.5) * scale - corner[1] - 0.5]])  # fmt: skip
    return cv2.warpAffine(layer, to_window, tuple(int(n) for n in high - low), flags=way | cv2.WARP_INVERSE_MAP, borderMode=beyond)


def _out_of_picture(image: np.ndarray, corner: np.ndarray, scale: float) -> np.ndarray:
    """(192, 192, 3) uint8: a window of 512 out of a picture that is `scale` times as small."""
    if scale == 1:
        return window(image, corner)
    to_picture = np.column_stack([np.eye(2), corner + 0.5 - 0.5 * scale]) / scale
    return cv2.warpAffine(image, to_picture, (WINDOW, WINDOW), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE)
