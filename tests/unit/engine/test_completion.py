"""What a head hid: patterns go on, the known stays, and where nothing can be copied the smooth guess is the answer."""

import numpy as np
import pytest

from styleheat_cli.engine.completion import completed
from styleheat_cli.engine.plate import filled

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


def test_without_anything_to_copy_the_guess_is_the_answer(stripes):
    image, known = stripes
    guess = filled(image, known)
    np.testing.assert_array_equal(completed(image, known, np.zeros_like(known), guess), guess)
