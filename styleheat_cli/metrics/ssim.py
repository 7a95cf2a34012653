"""SSIM and MS-SSIM: how well local structure is kept."""

from __future__ import annotations

import cv2
import numpy as np

from .metric import Moment, Reading, Running, Setting, metric

WINDOW, SIGMA = 11, 1.5
C1, C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
SMALLEST = WINDOW * 2 ** (len(SCALE_WEIGHTS) - 1)
"""Shorter side below which five scales do not fit the window, px."""


Maps = tuple[np.ndarray, np.ndarray]


def similarity_maps(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Maps of SSIM and of its contrast-structure part where the window lies inside the picture.

    Source: Wang, Bovik, Sheikh, Simoncelli, Image quality assessment (2004), eq. 13: an 11×11 Gaussian window of
    σ = 1.5, K1 = 0.01, K2 = 0.03, population (not sample) variances.

    Args:
        a, b: (H, W) float32 in 0..255, both sides 11 px or more.

    Returns:
        two (H - 10, W - 10) float32 maps.
    """
    mean_a, mean_b = _blur(a), _blur(b)
    square, product = mean_a * mean_a + mean_b * mean_b, mean_a * mean_b
    contrast = 2 * (_blur(a * b) - product) + C2
    contrast /= _blur(a * a + b * b) - square + C2
    return (2 * product + C1) / (square + C1) * contrast, contrast


def ssim(a: np.ndarray, b: np.ndarray) -> float:
    """Mean SSIM of two pictures (H, W) float32 in 0..255."""
    return float(similarity_maps(a, b)[0].mean(dtype=np.float64))


def ms_ssim(a: np.ndarray, b: np.ndarray, finest: Maps | None = None) -> float:
    """SSIM over five scales, the finest first, each half of the one before (2×2 means).

    Source: Wang, Simoncelli, Bovik, Multi-scale structural similarity for image quality assessment (2003), eq. 7.
    A negative contrast-structure mean counts as 0.

    Args:
        a, b: (H, W) float32 in 0..255, both sides 176 px or more.
        finest: the similarity maps of the two, where they are known.
    """
    value = 1.0
    for level, weight in enumerate(SCALE_WEIGHTS):
        whole, contrast = finest or similarity_maps(a, b)
        last = level == len(SCALE_WEIGHTS) - 1
        value *= max(float((whole if last else contrast).mean(dtype=np.float64)), 0.0) ** weight
        a, b, finest = _half(a), _half(b), None
    return value


def maps_of(moment: Moment) -> Maps:
    """The similarity maps of a moment's two pictures, made once."""
    if "similarity" not in moment.known:
        moment.known["similarity"] = similarity_maps(moment.generated.luma, moment.reference.luma)
    return moment.known["similarity"]


def _blur(image: np.ndarray) -> np.ndarray:
    """The Gaussian mean around each pixel that is far enough from the border."""
    kernel = cv2.getGaussianKernel(WINDOW, SIGMA, cv2.CV_32F)
    edge = WINDOW // 2
    return cv2.sepFilter2D(image, cv2.CV_32F, kernel, kernel)[edge:-edge, edge:-edge]


def _half(image: np.ndarray) -> np.ndarray:
    """The picture at half its size, an odd last row or column left out."""
    h, w = image.shape[0] // 2, image.shape[1] // 2
    return cv2.resize(image[: 2 * h, : 2 * w], (w, h), interpolation=cv2.INTER_AREA)


@metric("ssim", better="higher", protocol="wang2004, luma", says="11×11 Gaussian window, mean over frames")
class Ssim:
    """Mean over frames of the SSIM of BT.601 luma."""

    def __init__(self, setting: Setting):
        self.frames = Running()

    def update(self, moment: Moment) -> float | None:
        if min(moment.generated.luma.shape) < WINDOW:
            return None
        return self.frames.add(float(maps_of(moment)[0].mean(dtype=np.float64)))

    def readings(self) -> list[Reading]:
        return [self.frames.reading(self.spec, f"the pictures are smaller than {WINDOW} px")]


@metric("ms-ssim", better="higher", protocol="wang2003, luma", says="five scales, mean over frames")
class MsSsim:
    """Mean over frames of the multi-scale SSIM of BT.601 luma."""

    def __init__(self, setting: Setting):
        self.frames = Running()

    def update(self, moment: Moment) -> float | None:
        if min(moment.generated.luma.shape) < SMALLEST:
            return None
        return self.frames.add(ms_ssim(moment.generated.luma, moment.reference.luma, maps_of(moment)))

    def readings(self) -> list[Reading]:
        return [self.frames.reading(self.spec, f"the pictures are smaller than {SMALLEST} px")]
