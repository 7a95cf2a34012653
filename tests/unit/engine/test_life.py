"""Heads that sway and blink: by a seed, from where the photo has them."""

import numpy as np
import pytest

from styleheat_cli.engine.life import blinking, lowered, swaying
from styleheat_cli.face.morphable import openings
from styleheat_cli.shot import MotionTrack

TIMES = np.arange(2500) / 25


def test_sway_starts_where_the_head_is_and_has_the_spread_it_is_told():
    frequencies, amplitudes = np.array([0.2, 0.7, 1.3]), np.stack([0.03 * np.eye(2), 0.02 * np.eye(2), 0.01 * np.eye(2)])
    spreads = [swaying(frequencies, amplitudes, TIMES, np.random.default_rng(seed)) for seed in range(40)]
    assert all(moves[0] == pytest.approx([0, 0], abs=1e-12) for moves in spreads)
    expected = np.sqrt(0.03**2 + 0.02**2 + 0.01**2)
    assert np.sqrt(np.mean([np.square(moves[100:]).mean() for moves in spreads])) == pytest.approx(expected, rel=0.15)


def test_the_same_seed_sways_the_same():
    told = (np.array([0.5]), np.eye(3)[None], TIMES)
    first, again, other = (swaying(*told, np.random.default_rng(seed)) for seed in (3, 3, 4))
    assert (first == again).all() and np.abs(first - other).max() > 0.1


def test_blinks_come_as_often_and_last_as_long_as_told():
    shut = blinking(TIMES, 3.0, 0.4, 0.3, np.random.default_rng(0))
    starts = np.flatnonzero(np.diff((shut > 0.5).astype(int)) == 1)
    assert shut[0] == 0 and shut.max() > 0.95
    assert 100 / (3.3 * 1.6) < len(starts) < 100 / (3.3 / 1.6)
    assert 0.1 < (shut > 0.5).sum() / 25 / len(starts) < 0.3


def test_lids_come_down_by_their_share_and_nothing_else_is_asked(model):
    calm = openings(model.mean).astype(np.float32)
    motion = MotionTrack(np.zeros((3, 73), np.float32), np.arange(3) / 25, calm=calm)
    made = lowered(model, motion, np.zeros((3, 64)), np.array([0.0, 0.5, 1.0]))
    gaps = openings(model.mean + np.tensordot(made, model.expression, axes=1))
    assert gaps[:, :2] == pytest.approx(np.array([1.0, 0.5, 0.0])[:, None] * calm[:2], abs=1e-6)
