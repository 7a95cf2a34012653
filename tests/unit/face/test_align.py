"""The head's square: cut out without aliasing, put back without a trace outside the mask."""

import numpy as np
import pytest

from styleheat_cli.face.align import SIDE, crop_image, crops, paste, square, transform, warp
from tests.synthetic import face

from .conftest import scene


def disc(size: int, radius: float = 0.4, soft: float = 0.1) -> np.ndarray:
    """A soft round mask."""
    at = (np.arange(size) + 0.5) / size - 0.5
    return ((radius - np.hypot(at, at[:, None])) / soft + 0.5).clip(0, 1).astype(np.float32)


def head_points(x=0.0, y=0.0, height=100.0, turn=0.0) -> np.ndarray:
    """478 points on a half ellipsoid whose forehead and chin points are `height` apart; turned by yaw degrees."""
    rng = np.random.default_rng(0)
    points = rng.normal(size=(478, 3))
    points /= np.linalg.norm(points, axis=1, keepdims=True) * 2
    points[10], points[152], points[33], points[263] = (0, -0.5, 0), (0, 0.5, 0), (-0.3, -0.1, 0), (0.3, -0.1, 0)
    cos, sin = np.cos(np.radians(turn)), np.sin(np.radians(turn))
    turned = points @ np.array([[cos, 0, -sin], [0, 1, 0], [sin, 0, cos]])
    return (turned * height + [x, y, 0]).astype(np.float32)


def test_an_unscaled_crop_on_whole_pixels_is_the_picture_itself():
    picture = face(256)
    crop = np.array([[1 / 100, 0, -0.5], [0, 1 / 100, -0.7]])
    np.testing.assert_array_equal(crop_image(picture, crop, 100), picture[70:170, 50:150])


def test_a_crop_half_the_size_is_the_mean_of_two_by_two():
    picture = scene(0, 200, 200)
    half = crop_image(picture, np.array([[1 / 200, 0, 0], [0, 1 / 200, 0]]), 100)
    mean = picture.reshape(100, 2, 100, 2, 3).mean((1, 3))
    assert np.abs(half - mean).max() <= 1


@pytest.mark.parametrize("shrink", [1.3, 1.7, 2.5, 3.6, 7.2])
def test_stripes_too_fine_to_show_turn_grey_and_not_into_other_stripes(shrink):
    fine = np.zeros((600, 600, 3), np.uint8)
    fine[:, ::2] = 255
    size = int(560 / shrink)
    shown = crop_image(fine, np.array([[1 / 560, 0, -0.03], [0, 1 / 560, -0.03]]), size).astype(float)
    bound = 60 if shrink < 2 else 30  # without any filter 127; a mean over 3 pixels leaves a third of it
    assert shown[5:-5, 5:-5].std() < bound and abs(shown.mean() - 127.5) < 4


def test_a_point_of_the_frame_lands_where_its_transform_says():
    picture = np.zeros((300, 400, 3), np.uint8)
    picture[120:123, 200:203] = 255
    crop = transform(np.array([190.0, 130.0, 100.0]), np.radians(20))
    shown = crop_image(picture, crop, 400)[..., 0].astype(float)
    found = [(shown.sum(axis) * (np.arange(400) + 0.5)).sum() / shown.sum() / 400 for axis in (0, 1)]
    np.testing.assert_allclose(found, crop[:, :2] @ [201.5, 121.5] + crop[:, 2], atol=5e-4)


def test_beyond_the_frame_its_border_repeats():
    picture = face(100)
    crop = np.array([[1 / 60, 0, 0.5], [0, 1 / 60, 0.0]])  # the left half lies outside
    shown = crop_image(picture, crop, 60)
    np.testing.assert_array_equal(shown[:, 5], shown[:, 25])


@pytest.mark.parametrize("side", [90, 180, 300, 700])
def test_pasting_touches_nothing_outside_the_mask(side):
    frame = np.random.default_rng(0).integers(0, 256, (360, 639, 3)).astype(np.uint8)
    crop = transform(np.array([300.0, 170.0, side]), 0.1)
    mask = disc(256)
    before = frame.copy()
    pasted = paste(frame, np.full((256, 256, 3), 255, np.uint8), mask, crop)
    np.testing.assert_array_equal(frame, before)
    y, x = np.mgrid[:360, :639] + 0.5
    u = (crop[0, 0] * x + crop[0, 1] * y + crop[0, 2]) - 0.5
    v = (crop[1, 0] * x + crop[1, 1] * y + crop[1, 2]) - 0.5
    edge = max(2 / 256, 2 / side)
    outside, inside = np.hypot(u, v) > 0.45 + 2 * edge, np.hypot(u, v) < 0.35 - 2 * edge
    assert (pasted == frame)[outside].all() and (pasted[inside] == 255).all()
    assert inside.sum() > 500 and outside.sum() > 500


def test_an_empty_mask_and_a_crop_outside_the_frame_change_nothing():
    frame, image = face(200), np.zeros((64, 64, 3), np.uint8)
    near, far = transform(np.array([100.0, 100.0, 80.0])), transform(np.array([-500.0, 900.0, 80.0]))
    np.testing.assert_array_equal(paste(frame, image, np.zeros((64, 64), np.float32), near), frame)
    np.testing.assert_array_equal(paste(frame, image, disc(64), far), frame)


@pytest.mark.parametrize("side", [150, 256, 330])
def test_what_was_cut_out_and_pasted_back_is_what_was_there(side):
    frame = face(400)
    crop = transform(np.array([175.0, 105.0, side]))
    again = paste(frame, crop_image(frame, crop, 256), disc(256), crop)
    error = again.astype(float) - frame
    assert abs(error.mean()) < 0.2, "colour is kept"
    assert 10 * np.log10(255**2 / (error[50:150, 120:230] ** 2).mean()) > (36 if side <= 256 else 30)


def test_enlarging_is_nearly_as_sharp_as_a_cubic_warp():
    cv2 = pytest.importorskip("cv2")
    picture = face(256)
    matrix = np.array([[1.27, 0, 3.4], [0, 1.27, -2.6]])
    centred = matrix.copy()
    centred[:, 2] += matrix[:, :2] @ [0.5, 0.5] - 0.5
    cubic = cv2.warpAffine(picture, centred, (300, 300), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    ours = warp(picture, matrix, (300, 300))
    assert 10 * np.log10(255**2 / ((ours.astype(float) - cubic) ** 2).mean()) > 38


def test_the_square_does_not_shrink_when_the_head_turns():
    sides = [square(head_points(turn=turn))[2] for turn in (0, 20, 40, 60)]
    np.testing.assert_allclose(sides, sides[0], rtol=1e-4)


def test_the_path_of_a_steady_head_has_one_size_and_no_tremor():
    rng = np.random.default_rng(0)
    times = np.arange(150) / 25
    drift = 20 * np.sin(times / 4)
    points = np.stack([head_points(200 + x, 150) for x in drift]) + rng.normal(0, 1.0, (150, 1, 3))
    path = crops(points, times)
    assert np.ptp(path[:, 0, 0]) == 0
    x = -(path[:, 0, 2] - 0.5) / path[:, 0, 0]
    np.testing.assert_allclose(x, 200 + drift, atol=1.2)
    assert np.abs(np.diff(x, 2)).mean() < 0.02 < np.abs(np.diff(points[:, 10, 0], 2)).mean()


def test_a_face_that_grows_gets_a_growing_square_and_one_wrong_frame_no_say():
    times = np.arange(100) / 25
    points = np.stack([head_points(200, 150, height) for height in np.linspace(60, 120, 100)])
    points[50] = head_points(400, 50, 300)
    side = 1 / crops(points, times)[:, 0, 0]
    assert (np.diff(side) > 0).all()
    assert abs(side[50] / np.sqrt(side[30] * side[70]) - 1) < 0.08


def test_a_square_holds_the_whole_head_of_the_portrait(landmarker):
    found = landmarker.find(face(512))[0]
    x, y, side, roll = square(found)
    assert abs(side / SIDE / np.linalg.norm(found[10] - found[152]) - 1) < 0.1
    (u0, v0), (u1, v1) = (transform(square(found)) @ np.array([*corner, 1]) for corner in ((160, 15), (300, 205)))
    assert 0 < u0 < u1 < 1 and 0 < v0 < v1 < 1, "from hair to collar"
    assert abs(np.degrees(roll)) < 10 and abs(x - 225) < 12 and abs(y - 122) < 15
