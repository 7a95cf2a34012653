"""What a head hid: patterns go on, the known stays, and where nothing can be copied the smooth guess is the answer."""

from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from styleheat_cli.engine.completion import _Level, completed
from styleheat_cli.engine.fill import filled
from styleheat_cli.engine.performance import carried_over
from styleheat_cli.engine.plate import make_plate

SIDE = 192
HOLE = (slice(64, 128), slice(64, 128))


@pytest.fixture
def stripes():
    """Bars of 12 pixels, and what is known of them."""
    bars = np.where(np.arange(SIDE) // 12 % 2, 220, 30).astype(np.uint8)
    known = np.ones((SIDE, SIDE), bool)
    known[HOLE] = False
    return np.broadcast_to(bars[None, :, None], (SIDE, SIDE, 3)).copy(), known


def test_stripes_go_on_behind_where_a_smooth_fill_is_grey(stripes):
    truth, known = stripes
    broken = truth.copy()
    broken[HOLE] = 0
    smooth = filled(broken, known)
    made = completed(broken, known, known, smooth)
    off = [np.abs(image[HOLE].astype(int) - truth[HOLE]).mean() for image in (smooth, made)]
    assert off[0] > 60 and off[1] < 15
    np.testing.assert_array_equal(made[known], truth[known])
    np.testing.assert_array_equal(made, completed(broken, known, known, smooth))


def test_nothing_is_copied_from_what_is_not_the_picture(stripes):
    image, known = stripes
    image[:, SIDE // 2 :] = (255, 0, 255)  # the half beyond the frame
    real = np.zeros((SIDE, SIDE), bool)
    real[:, : SIDE // 2] = True
    made = completed(image, known, real, filled(image, known))[HOLE]
    assert np.ptp(made[..., :], axis=-1)[:, :24].max() < 60, "grey stripes only, far from the pink"


def test_no_seam_is_left_where_copies_of_an_unevenly_lit_wall_meet():
    """A wall that is 50 levels lighter on its right, what joins both sides is hidden up to the border above."""
    light = np.where(np.arange(SIDE) < SIDE // 2, 160.0, 210.0)[None, :, None] + np.random.default_rng(0).normal(0, 2, (SIDE, SIDE, 1))
    image, known = np.repeat(light, 3, -1).clip(0, 255).astype(np.uint8), np.ones((SIDE, SIDE), bool)
    known[:, 48:144] = False
    made = completed(image, known, known, filled(image, known)).astype(float).mean(-1)
    steps = np.abs(np.diff(cv2.blur(made, (1, 9))[:, 44:148], axis=1))
    assert steps.max() < 10 and made[:, 50].mean() < 170 and made[:, 142].mean() > 200


def test_of_patches_that_are_equally_like_it_the_nearest_is_taken():
    image, known = np.full((SIDE, SIDE, 3), 90, np.uint8), np.ones((SIDE, SIDE), bool)
    known[128:160, 128:160] = False
    level = _Level(image, known, known, 96)
    _, found = level.grown_in(level.colours)
    away = np.linalg.norm(found - np.indices((96, 96)).transpose(1, 2, 0), axis=-1)[level.hole]
    assert away.max() < 16, "the hole is 16 cells wide"


def test_without_anything_to_copy_the_guess_is_the_answer(stripes):
    image, known = stripes
    guess = filled(image, known)
    np.testing.assert_array_equal(completed(image, known, np.zeros_like(known), guess), guess)


def test_while_the_camera_stands_what_was_behind_stays(model, astronaut, fitted, plate):
    """`plate` is the astronaut's, with a smooth background; red is what an earlier frame saw there."""
    image, landmarks = astronaut
    hidden = plate.alpha > 0.99
    seen = np.where(hidden[..., None], (255, 0, 0), plate.background).astype(np.uint8)
    stays = make_plate(model, image, landmarks, fitted, before=seen)
    pans = make_plate(model, image, landmarks, fitted, before=np.roll(seen, 40, axis=0) // 2)
    deep = cv2.erode(hidden.astype(np.uint8), np.ones((41, 41))) > 0
    assert (stays.background[deep] == (255, 0, 0)).all()
    np.testing.assert_array_equal(pans.background, plate.background)


def test_another_crop_shows_the_background_where_it_lies(plate):
    crop = np.array([[1 / 512, 0, 0.0], [0, 1 / 512, 0.0]])
    moved = crop + [[0, 0, -32 / 512], [0, 0, 16 / 512]]  # shows what lies 32 px further right and 16 px further up
    shown = carried_over(SimpleNamespace(plate=plate, crop=crop), moved, 512)
    np.testing.assert_array_equal(shown[16:, :-32], plate.background[:-16, 32:])
