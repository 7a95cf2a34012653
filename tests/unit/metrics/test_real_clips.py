"""A real clip against itself, shifted, blurred, delayed and re-encoded: each moves the metrics that it should, and only those."""

from itertools import islice

import cv2
import numpy as np
import pytest

from styleheat_cli.media.reader import frames, probe
from styleheat_cli.metrics.compare import compare
from styleheat_cli.metrics.moments import Pair
from tests.synthetic import write_clip

pytestmark = pytest.mark.slow
CLIP = "data/videos/dagan_driving.mp4"
LOSSLESS = {"options": {"crf": "0"}, "pixel_format": "yuv444p"}
FRAMES, DELAY, SHIFT = 90, 3, 4


@pytest.fixture(scope="module")
def pictures(shared):
    """The first frames of an interview, 256 px, 25 frames/s: the head turns, the mouth speaks."""
    return [frame.image for frame in islice(frames(probe(shared / CLIP)), FRAMES + DELAY)]


@pytest.fixture(scope="module")
def real(pictures, tmp_path_factory):
    return write_clip(tmp_path_factory.mktemp("real") / "real.mp4", pictures[:FRAMES], **LOSSLESS)


@pytest.fixture
def measured(real, tmp_path):
    """Readings by name, without protocol, of these pictures against the real clip."""

    def measure(made, **how):
        clip = write_clip(tmp_path / "made.mp4", made, **(how or LOSSLESS))
        return {r.name.split("[")[0]: r for r in compare(Pair(clip, real)).readings}

    return measure


def followed(read):
    """The head and the mouth do what they did, as far as the mesh sees it: its noise is a tenth of the lips' motion."""
    for name, least in (("yaw-corr", 0.995), ("pitch-corr", 0.97), ("mouth-opening-corr", 0.93)):
        assert read[name].value > least, name
    for name, slack in (("yaw-gain", 0.1), ("pitch-gain", 0.1), ("mouth-opening-gain", 0.2)):
        assert read[name].value == pytest.approx(1, abs=slack), name
    assert read["mouth-opening-lag"].value == pytest.approx(0, abs=8)  # a fifth of a frame


def test_itself_is_perfect(measured, pictures):
    read = measured(pictures[:FRAMES])
    assert read["psnr"].value == 100 and read["ssim"].value == pytest.approx(1)
    for name in ("f-lmd", "m-lmd", "aed", "apd", "pose-distance", "mouth-opening-lag", "blinks-invented"):
        assert read[name].value == 0, name
    for name in ("sharpness", "shake", "yaw-corr", "yaw-gain", "mouth-opening-corr", "mouth-opening-gain", "ms-ssim"):
        assert read[name].value == pytest.approx(1), name
    assert read["warp-error"].value == read["warp-error"].real


def test_shifted_moves_pixels_and_landmarks_by_the_shift_and_nothing_else(measured, pictures):
    read = measured([np.roll(p, SHIFT, axis=1) for p in pictures[:FRAMES]])
    assert read["psnr"].value < 30 and read["ssim"].value < 0.9
    pose_scale = read["f-lmd"].value / SHIFT  # px at 256 per px of this clip
    assert 0.7 < pose_scale < 1.6
    assert read["m-lmd"].value < 0.35
    assert read["sharpness"].value == pytest.approx(1, abs=0.03)
    assert read["cpbd"].value == pytest.approx(read["cpbd"].real, abs=0.03)
    assert read["shake"].value == pytest.approx(1, abs=0.1)
    followed(read)


def test_blurred_lowers_sharpness_and_fidelity_but_not_motion(measured, pictures):
    read = measured([cv2.GaussianBlur(p, (0, 0), 1.5) for p in pictures[:FRAMES]])
    assert read["sharpness"].value < 0.3
    assert read["cpbd"].value < read["cpbd"].real - 0.1
    assert read["psnr"].value < 35 and read["ssim"].value < 0.95
    assert read["f-lmd"].value < 1
    followed(read)


def test_delayed_is_late_by_the_delay_and_as_sharp_as_before(measured, pictures):
    read = measured([pictures[max(i - DELAY, 0)] for i in range(FRAMES)])
    assert read["mouth-opening-lag"].value == pytest.approx(1000 * DELAY / 25, abs=12)
    assert read["mouth-opening-corr"].value < 0.9
    assert read["f-lmd"].value > 1
    assert read["sharpness"].value == pytest.approx(1, abs=0.05)
    assert read["jitter"].value == pytest.approx(read["jitter"].real, rel=0.1)


def test_re_encoded_at_crf_28_costs_a_little_of_everything_and_no_motion(measured, pictures):
    read = measured(pictures[:FRAMES], options={"crf": "28", "preset": "medium"})
    assert 28 < read["psnr"].value < 42
    assert 0.1 < read["f-lmd"].value < 0.9
    assert 0.3 < read["sharpness"].value < 0.98
    followed(read)


def test_a_trembling_head_shakes_more_and_opens_its_mouth_as_before(measured, pictures):
    read = measured([np.roll(p, (-1) ** i, axis=0) for i, p in enumerate(pictures[:FRAMES])])
    assert read["shake"].value > 1.5
    assert read["mouth-opening-corr"].value > 0.9
    assert read["f-lmd"].value < 2


def test_frozen_follows_nothing(measured, pictures):
    read = measured([pictures[0]] * FRAMES)
    assert read["shake"].value < 0.1  # the mesh settles over the first frames
    assert read["yaw-corr"].value is None and "does not move" in read["yaw-corr"].why
    assert read["mouth-opening-corr"].value is None
    assert read["f-lmd"].value > 3 and read["sharpness"].value > 0.7
