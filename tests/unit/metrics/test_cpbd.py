"""CPBD against an obvious version pixel by pixel, on edges of known width, and on pictures ever more blurred."""

import numpy as np
import pytest
import skimage.data
from scipy.ndimage import gaussian_filter, sobel

from styleheat_cli.metrics.cpbd import cpbd, edge_blocks, edge_widths, just_noticeable_widths
from styleheat_cli.metrics.metric import luma


@pytest.fixture(scope="module")
def portrait():
    return luma(skimage.data.astronaut())


def ramp(width, low=20.0, high=200.0):
    """(128, 128): dark left, bright right, rising over `width` px."""
    columns = np.arange(64)
    row = np.clip((columns - 30) / width, 0, 1)
    return np.tile((low + (high - low) * np.r_[row, row[::-1]]).astype(np.float32), (128, 1))


@pytest.mark.parametrize("width", [2, 4, 6])
def test_the_width_of_a_ramp_is_the_run_of_its_steps(width):
    rows, columns, found = edge_widths(ramp(width))
    assert set(np.unique(found)) == {width} and len(set(rows)) == 126 and len(set(columns)) == 2


def test_an_edge_that_leans_is_no_upright_edge():
    y, x = np.mgrid[:128, :128]
    for degrees, counts in ((0, True), (15, True), (30, False), (60, False)):
        angle = np.radians(degrees)
        leaning = np.clip(110 + 30 * ((x - 64) * np.cos(angle) + (y - 64) * np.sin(angle)), 20, 200)
        assert bool(len(edge_widths(leaning.astype(np.float32))[0])) == counts, degrees


@pytest.mark.parametrize(("name", "value"), [("astronaut", 0.4797), ("camera", 0.5787), ("coins", 0.8094)])
def test_values_of_the_published_definition(name, value):
    """By a transcription of the authors' MATLAB code (its Sobel, Canny and loops) on scikit-image's pictures; Canny edges of
    two programs differ in a few pixels, hence in a block."""
    picture = getattr(skimage.data, name)()
    assert cpbd(luma(picture) if picture.ndim == 3 else picture.astype(np.float32)) == pytest.approx(value, abs=1e-3)


def test_wide_edges_are_seen_as_blurred_and_narrow_ones_are_not():
    assert cpbd(ramp(2)) == 1.0
    assert cpbd(ramp(3)) == 1.0  # just noticeable: 63 %
    assert cpbd(ramp(4)) == 0.0
    assert cpbd(ramp(4, 100, 140)) == 1.0  # low contrast: just noticeable at 5 px


def test_a_flat_or_tiny_picture_has_no_value():
    assert cpbd(np.full((128, 128), 90, np.float32)) is None
    assert cpbd(np.zeros((40, 40), np.float32)) is None


def test_it_agrees_with_an_obvious_version_pixel_by_pixel(portrait):
    image = np.rint(portrait[64:256, 128:320])
    assert cpbd(image) == pytest.approx(_obvious(image), abs=1e-12)


def _obvious(image):
    """The definition with loops: beyond its two neighbours each edge goes on while the row keeps rising (or falling)."""
    gradient = sobel(image.astype(np.float32), axis=1, mode="mirror") / 8
    power = gradient**2
    blocks, limits = edge_blocks(image), just_noticeable_widths(image)
    sharp = total = 0
    for y in range(1, image.shape[0] - 1):
        for x in range(1, image.shape[1] - 1):
            if power[y, x] <= 4 * power.mean() or power[y, x] < power[y, x - 1] or power[y, x] <= power[y, x + 1]:
                continue
            across, along = image[y, x + 1] - image[y, x - 1], image[y + 1, x] - image[y - 1, x]
            if abs(np.degrees(np.arctan2(along, abs(across)))) > 22.5:
                continue
            sign, left, right = np.sign(across), x - 1, x + 1
            while left > 0 and (image[y, left] - image[y, left - 1]) * sign > 0:
                left -= 1
            while right < image.shape[1] - 1 and (image[y, right + 1] - image[y, right]) * sign > 0:
                right += 1
            if blocks[y // 64, x // 64]:
                total += 1
                sharp += 1 - np.exp(-(((right - left) / limits[y // 64, x // 64]) ** 3.6)) <= 0.635
    return sharp / total


def test_more_blur_never_looks_sharper(portrait):
    values = [cpbd(gaussian_filter(portrait, sigma)) for sigma in (0, 0.8, 1.5, 3)]
    assert values == sorted(values, reverse=True)
    assert values[0] - values[-1] > 0.3
