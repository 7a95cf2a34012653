"""PSNR, SSIM and MS-SSIM: closed forms, scikit-image, and what a picture must do to move them."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from styleheat_cli.metrics.fidelity import psnr
from styleheat_cli.metrics.metric import luma
from styleheat_cli.metrics.ssim import SCALE_WEIGHTS, ms_ssim, ssim


@pytest.fixture(scope="module")
def portrait():
    """(512, 512, 3) uint8: the astronaut that scikit-image carries."""
    from skimage.data import astronaut

    return astronaut()


@pytest.fixture(scope="module")
def noisy(portrait):
    noise = np.random.default_rng(1).normal(0, 12, portrait.shape)
    return np.clip(portrait + noise, 0, 255).astype(np.uint8)


def test_psnr_of_a_constant_difference_is_its_closed_form():
    black, grey = np.zeros((8, 9, 3), np.uint8), np.full((8, 9, 3), 5, np.uint8)
    assert psnr(black, grey) == pytest.approx(20 * np.log10(255 / 5), abs=1e-6)


def test_psnr_of_identical_pictures_counts_100(portrait):
    assert psnr(portrait, portrait) == 100.0


def test_psnr_agrees_with_scikit_image(portrait, noisy):
    assert psnr(noisy, portrait) == pytest.approx(peak_signal_noise_ratio(portrait, noisy), abs=1e-4)


def test_ssim_agrees_with_scikit_image(portrait, noisy):
    a, b = luma(portrait), luma(noisy)
    expected = structural_similarity(
        a.astype(np.float64), b.astype(np.float64), gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
        data_range=255,
    )  # fmt: skip
    assert ssim(a, b) == pytest.approx(expected, abs=2e-5)
    assert ssim(a, a) == pytest.approx(1, abs=1e-6)


def test_ssim_of_two_flat_pictures_is_the_luminance_term():
    a, b = np.full((32, 32), 100, np.float32), np.full((32, 32), 120, np.float32)
    c1 = (0.01 * 255) ** 2
    assert ssim(a, b) == pytest.approx((2 * 100 * 120 + c1) / (100**2 + 120**2 + c1), abs=1e-5)


def test_ms_ssim_agrees_with_a_slow_obvious_version(portrait, noisy):
    a, b = luma(portrait), luma(noisy)
    assert ms_ssim(a, b) == pytest.approx(_obvious_ms_ssim(a.astype(float), b.astype(float)), abs=1e-4)
    assert ms_ssim(a, a) == pytest.approx(1, abs=1e-6)


def _obvious_ms_ssim(a, b):
    """Wang 2003 by SciPy's Gaussian filter, interior only."""
    value = 1.0
    for level, weight in enumerate(SCALE_WEIGHTS):

        def blur(x):
            return gaussian_filter(x, 1.5, truncate=3.5)[5:-5, 5:-5]

        mean_a, mean_b = blur(a), blur(b)
        var_a, var_b, cov = blur(a * a) - mean_a**2, blur(b * b) - mean_b**2, blur(a * b) - mean_a * mean_b
        contrast = (2 * cov + 58.5225) / (var_a + var_b + 58.5225)
        light = (2 * mean_a * mean_b + 6.5025) / (mean_a**2 + mean_b**2 + 6.5025)
        value *= ((contrast * light) if level == 4 else contrast).mean() ** weight
        a, b = ((x[::2, ::2] + x[1::2, ::2] + x[::2, 1::2] + x[1::2, 1::2]) / 4 for x in (a, b))
    return value


def test_blur_lowers_both_and_shift_by_a_pixel_lowers_ssim_more_at_the_fine_scale(portrait):
    a = luma(portrait)
    blurred, shifted = gaussian_filter(a, 2), np.roll(a, 1, axis=1)
    assert ssim(blurred, a) < 0.9 and ms_ssim(blurred, a) < 1
    assert ssim(shifted, a) < ms_ssim(shifted, a)
