"""CPBD: how much of the edges a person would call sharp; needs no real picture."""

from __future__ import annotations

import cv2
import numpy as np

from .metric import Moment, Reading, Running, Setting, metric

BLOCK = 64
EDGE_SHARE = 0.002
"""A block counts when more of its pixels are edges."""
BETA = 3.6
JUST_NOTICEABLE = 0.635
"""Probability of seeing blur at the just noticeable width: 1 - exp(-1), which is in the bin of 63 %."""
UPRIGHT = float(np.tan(np.radians(22.5)))
"""Slope of the steepest gradient, against the row, of an edge that counts."""
LOW_CONTRAST, WIDE, NARROW = 50, 5.0, 3.0
"""Just noticeable width in px: 5 in blocks whose range is 50 levels or less, 3 in others."""


def cpbd(image: np.ndarray) -> float | None:
    """Cumulative probability of blur detection in 0..1, higher is sharper; nothing where no block has edges.

    Source: Narvekar and Karam, A no-reference image blur metric based on the cumulative probability of blur
    detection (2011). Blocks are chosen by Canny edges; the width of vertical edges (horizontal Sobel, thinned) is the
    run of rising or falling pixels through the edge (Marziliano et al. 2002). The value is the share of edges whose
    probability of being seen as blurred, 1 - exp(-(width / width_JNB)^3.6), is at most 63 %.

    Args:
        image: (H, W) float32 luma in 0..255; rounded to whole levels, as runs of equal pixels end an edge.
    """
    if min(image.shape) < BLOCK:
        return None
    image = np.rint(image)
    rows, columns, widths = edge_widths(image)
    blocks, limits = edge_blocks(image), just_noticeable_widths(image)
    inside = (rows < len(blocks) * BLOCK) & (columns < blocks.shape[1] * BLOCK)
    where = rows[inside] // BLOCK, columns[inside] // BLOCK
    counted = blocks[where]
    if not counted.any():
        return None
    blur = 1 - np.exp(-((widths[inside] / limits[where]) ** BETA))
    return float(np.mean(blur[counted] <= JUST_NOTICEABLE))


def edge_blocks(image: np.ndarray) -> np.ndarray:
    """(H // 64, W // 64) bool: the blocks that have enough Canny edges.

    The thresholds follow the picture, as in the authors' environment: the strong one is the 70th percentile of the
    gradient after a Gaussian of σ = √2, the weak one 0.4 times it.
    """
    smooth = cv2.GaussianBlur(image.astype(np.uint8), (9, 9), 2**0.5)
    dx, dy = cv2.spatialGradient(smooth)
    strong = float(np.percentile(np.hypot(dx[::4, ::4], dy[::4, ::4], dtype=np.float32), 70))
    edges = cv2.Canny(dx, dy, 0.4 * strong, strong, L2gradient=True) > 0
    return _by_block(edges).mean((1, 3)) > EDGE_SHARE


def just_noticeable_widths(image: np.ndarray) -> np.ndarray:
    """(H // 64, W // 64) float: the width at which blur is just noticed, by the range of each block."""
    blocks = _by_block(image)
    return np.where(blocks.max((1, 3)) - blocks.min((1, 3)) <= LOW_CONTRAST, WIDE, NARROW)


def edge_widths(image: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows (K,), columns (K,) and widths (K,) of the upright edges: px from the local extreme before to the one after.

    Upright is an edge across which the picture changes within 22.5° of the row's direction. The neighbours on both sides
    belong to it; from there it goes on for as long as the row rises, or falls, as it does at the edge.
    """
    rows, columns = np.nonzero(vertical_edges(image))
    across = image[rows, columns + 1] - image[rows, columns - 1]
    along = image[rows + 1, columns] - image[rows - 1, columns]
    upright = np.abs(along) <= UPRIGHT * np.abs(across)
    rows, columns, rising = rows[upright], columns[upright], np.sign(across[upright])
    return rows, columns, 2 + _run(image, rows, columns - 1, rising, -1) + _run(image, rows, columns + 1, rising, 1)


def vertical_edges(image: np.ndarray) -> np.ndarray:
    """(H, W) bool: where the horizontal Sobel gradient has an edge; none on the rim.

    An edge is stronger than twice the root mean square gradient and than its two neighbours in the row.
    """
    gradient = cv2.Sobel(image, cv2.CV_32F, 1, 0) / 8
    strength = np.square(gradient)
    edge = strength > 4 * strength.mean(dtype=np.float64)
    edge[:, 1:-1] &= (strength[:, 1:-1] >= strength[:, :-2]) & (strength[:, 1:-1] > strength[:, 2:])
    edge[:, [0, -1]] = edge[[0, -1]] = False
    return edge


def _run(image: np.ndarray, rows: np.ndarray, columns: np.ndarray, rising: np.ndarray, way: int) -> np.ndarray:
    """(K,): how many steps in a row, going left (-1) or right (1) from there, go the edge's own way."""
    length = np.zeros(len(rows))
    going, at, sign = np.arange(len(rows)), columns, rising * way
    level = image[rows, columns]
    while len(going):
        inside = (at + way >= 0) & (at + way < image.shape[1])
        going, at, level = going[inside], at[inside] + way, level[inside]
        new = image[rows[going], at]
        same = (new - level) * sign[going] > 0
        going, at, level = going[same], at[same], new[same]
        length[going] += 1
    return length


def _by_block(image: np.ndarray) -> np.ndarray:
    """(rows, 64, columns, 64): the picture cut into blocks, what does not fill one left out."""
    h, w = image.shape[0] // BLOCK, image.shape[1] // BLOCK
    return image[: h * BLOCK, : w * BLOCK].reshape(h, BLOCK, w, BLOCK)


@metric(
    "cpbd",
    better="higher",
    protocol="narvekar2011, luma",
    says="Narvekar & Karam 2011, mean over frames; `real` is the value of the real clip",
    needs="pixels",
)
class Cpbd:
    """Mean over frames of the CPBD of BT.601 luma."""

    def __init__(self, setting: Setting):
        self.frames = Running()

    def update(self, moment: Moment) -> float | None:
        real = moment.reference or moment.source
        return self.frames.add(cpbd(moment.generated.luma), cpbd(real.luma) if real else None)

    def readings(self) -> list[Reading]:
        return [self.frames.reading(self.spec, "no block of 64 px has edges")]
