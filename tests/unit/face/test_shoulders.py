"""Shoulders, followed below a face that may go elsewhere."""

import cv2
import numpy as np
import pytest

from styleheat_cli.face.align import RIGID
from styleheat_cli.face.shoulders import DOWN, WITH_HEAD, Shoulders, carried, middle_of


@pytest.fixture(scope="module")
def portrait():
    """A face's points and a picture whose lower half is a cloth with a pattern, under it a person's matte."""
    random = np.random.default_rng(0)
    image = cv2.GaussianBlur(random.integers(0, 256, (600, 600, 3), np.uint8), (0, 0), 3)
    image = np.clip(3.0 * (image.astype(float) - 128) + 128, 0, 255).astype(np.uint8)
    face = np.zeros((478, 3))
    face[:, :2] = random.uniform([240, 120], [360, 260], (478, 2))
    face[10], face[152] = [300, 110, 0], [300, 270, 0]
    return image, face


@pytest.fixture(autouse=True)
def everything_is_person(monkeypatch):
    monkeypatch.setattr("styleheat_cli.face.shoulders.matte", lambda image: np.ones(image.shape[:2], np.float32))


def moved(image, shift, turn=0.0):
    around = cv2.getRotationMatrix2D((300, 430), -turn, 1.0)
    around[:, 2] += shift
    return cv2.warpAffine(image, around, (600, 600), borderMode=cv2.BORDER_REFLECT)


def test_clothes_that_move_are_followed_while_the_head_stays(portrait):
    image, face = portrait
    shoulders = Shoulders()
    assert shoulders.step(image, face) == pytest.approx(0)
    for shift in ((3, -2), (8, -5), (15, -9), (0, 0)):
        assert shoulders.step(moved(image, shift), face)[:2] == pytest.approx(shift, abs=0.4)


def test_a_head_that_goes_alone_leaves_its_shoulders(portrait):
    image, face = portrait
    shoulders = Shoulders()
    shoulders.step(image, face)
    for way in range(1, 6):
        assert shoulders.step(image, face + [4 * way, 2 * way, 0]) == pytest.approx(0, abs=0.05)


def test_a_tilt_is_told_with_its_sign_and_not_made_more_of(portrait):
    image, face = portrait
    shoulders = Shoulders()
    shoulders.step(image, face)
    for degrees in (2, 4, 6):
        told = shoulders.step(moved(image, (0, 0), degrees), face)
    assert 0.3 * np.radians(6) < told[2] < np.radians(6.5)


def test_where_nothing_can_be_followed_they_go_some_of_the_heads_way(portrait):
    _image, face = portrait
    plain, shoulders = np.full((600, 600, 3), 90, np.uint8), Shoulders()
    shoulders.step(plain, face)
    assert shoulders.step(plain, face + [20, 10, 0]) == pytest.approx([*(WITH_HEAD * [20, 10]), 0, 0], abs=1e-6)


def test_without_a_face_they_rest(portrait):
    image, face = portrait
    shoulders = Shoulders()
    shoulders.step(image, face)
    there = shoulders.step(moved(image, (6, 0)), face)
    assert shoulders.step(moved(image, (40, 0)), None) == pytest.approx(there)


def test_what_moves_while_the_face_is_missed_is_found_again(portrait):
    image, face = portrait
    shoulders = Shoulders()
    shoulders.step(image, face)
    for way in range(1, 10):
        seen = None if way % 3 == 0 else face + [3 * way, 0, 0]
        told = shoulders.step(moved(image, (3 * way, 0)), seen)
    assert told[0] == pytest.approx(24, abs=0.5)  # the ninth was missed
    assert shoulders.step(moved(image, (30, 0)), face + [30, 0, 0])[0] == pytest.approx(30, abs=0.5)


def test_at_a_cut_they_come_with_the_head(portrait):
    image, face = portrait
    shoulders = Shoulders()
    shoulders.step(image, face)
    other = np.ascontiguousarray(image[:, ::-1])
    shoulders.step(other, None, cut=True)
    assert shoulders.step(other, face + [90, 0, 0])[0] == pytest.approx(90, abs=0.1)
    assert shoulders.step(moved(other, (4, 0)), face + [94, 0, 0])[0] == pytest.approx(94, abs=0.5)


def test_a_smaller_picture_is_no_reason_to_fail(portrait):
    image, face = portrait
    shoulders = Shoulders()
    shoulders.step(image, face)
    assert np.isfinite(shoulders.step(image[:450], face)).all()


def test_points_are_carried_round_the_one_that_is_told(portrait):
    middle = middle_of(portrait[1])
    assert middle[1] == pytest.approx(portrait[1][list(RIGID), 1].mean() + DOWN * 160)
    way = np.array([5.0, -3.0, np.pi / 2, np.log(2)])
    assert carried(middle[None], middle, way)[0] == pytest.approx(middle + [5, -3])
    assert carried(middle[None] + [10, 0], middle, way)[0] == pytest.approx(middle + [5, -3] + [0, 20])  # clockwise, as seen
