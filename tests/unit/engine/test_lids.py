"""Lids of a driver: blinks that a tracker half sees are whole, winks stay winks."""

import numpy as np
import pytest

from styleheat_cli.engine.lids import BEGINS, blinked, together

TIMES = np.arange(50) / 25


def dipping(left, right, frames=4):
    """(50, 2) openings that go down to these shares and up again in so many frames."""
    ratio = np.ones((50, 2))
    shape = np.sin(np.pi * np.arange(1, frames + 2) / (frames + 2))
    shape /= shape.max()
    ratio[20 : 21 + frames] -= shape[:, None] * (1 - np.array([left, right]))
    return ratio


def test_a_blink_that_is_seen_to_its_end_lasts_no_longer():
    for lowest in (0.0, 0.02, -0.01):
        ratio = np.ones((50, 2))
        ratio[20:23] = [[0.5], [lowest], [0.5]]
        assert blinked(ratio, TIMES) == pytest.approx(ratio, abs=0.021)


def test_a_blink_with_two_lowest_moments_is_one():
    ratio = np.ones((50, 2))
    ratio[20:25] = np.array([0.8, 0.5, 0.62, 0.5, 0.8])[:, None]
    out = blinked(ratio, TIMES)
    assert out[21, 0] == pytest.approx(0) and out[20, 0] == pytest.approx(0.8 - 0.5 * (0.95 - 0.8) / (0.95 - 0.5))


@pytest.mark.parametrize("eyes", [(0.4, 0.4), (0.62, 0.25), (0.2, 0.1)])
def test_a_blink_shuts_both_eyes_however_little_of_it_is_seen(eyes):
    ratio = dipping(*eyes)
    out = blinked(ratio, TIMES)
    lowest = ratio.mean(1).argmin()
    assert out[lowest] == pytest.approx([0, 0], abs=1e-9)
    assert (out <= ratio + 1e-12).all() and (out >= 0).all()
    assert (out[:18] == 1).all() and (out[28:] == 1).all()


def test_it_begins_and_ends_without_a_jump():
    ratio = dipping(0.4, 0.4, frames=6)
    out = blinked(ratio, TIMES)
    steepest = 1 / (1 - 0.4 / BEGINS)  # of a line that goes down to nothing instead of to 0.4
    assert np.abs(np.diff(out[:, 0])).max() < 1.01 * steepest * np.abs(np.diff(ratio[:, 0])).max()


@pytest.mark.parametrize(
    "ratio",
    [dipping(0.1, 0.95), dipping(0.7, 0.7), np.r_[np.ones((15, 2)), np.full((25, 2), 0.4), np.ones((10, 2))], np.full((50, 2), 0.3), np.zeros((50, 2))],
    ids=["a wink", "a squint", "eyes that stay half shut", "sleepy eyes", "closed eyes"],
)
def test_what_is_no_blink_stays(ratio):
    assert (blinked(ratio, TIMES) == ratio).all()


def test_both_eyes_do_the_same_unless_one_winks():
    assert together(np.array([[0.9, 1.0], [0.1, 1.0]])) == pytest.approx(np.array([[0.95, 0.95], [0.1, 1.0]]))
