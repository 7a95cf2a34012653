"""Smoothing by time: what it keeps, what it takes, what it never mixes."""

import numpy as np
import pytest

from styleheat_cli.face.rows import Rows
from styleheat_cli.face.smooth import BLOCK, shots, smooth, smoothed

STEADY = np.arange(400) / 25
UNEVEN = np.cumsum(np.random.default_rng(1).choice([0.01, 0.033, 0.05, 0.2], 400))


@pytest.mark.parametrize("times", [STEADY, UNEVEN], ids=["steady", "uneven"])
def test_a_constant_and_even_motion_pass_unchanged_to_the_very_ends(times):
    values = np.stack([np.full(400, 7.0), 3 * times - 1], axis=1)
    np.testing.assert_allclose(smooth(values, times, 0.3), values, atol=1e-9)


def test_no_smoothing_is_the_identity():
    values = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
    np.testing.assert_array_equal(smooth(values, STEADY[:50], 0), values)


def test_a_step_is_spread_evenly_to_both_sides():
    step = smooth(np.repeat([0.0, 1.0], 200), STEADY, 0.5)
    np.testing.assert_allclose(step + step[::-1], 1, atol=1e-9)
    assert step[199] < 0.5 < step[200]


def test_the_window_is_in_seconds_whatever_the_frame_rate():
    at = {fps: np.arange(10 * fps) / fps for fps in (25, 50, 100)}
    wave = {fps: smooth(np.sin(2 * np.pi * t), t, 0.4)[2 * fps:-2 * fps] for fps, t in at.items()}
    np.testing.assert_allclose(wave[25], wave[50][::2], atol=2e-3)
    np.testing.assert_allclose(wave[25], wave[100][::4], atol=2e-3)


def test_a_window_halves_a_wave_as_a_gaussian_does():
    """A Gaussian of standard deviation s multiplies a sine of frequency f by exp(-2 (pi f s)^2)."""
    wave = smooth(np.sin(2 * np.pi * STEADY), STEADY, 0.4)
    expected = np.exp(-2 * (np.pi * 0.4 / 2.3548) ** 2)
    assert abs(wave[100:300].max() - expected) < 0.02


def test_noise_shrinks_by_the_root_of_the_frames_in_the_window():
    noise = np.random.default_rng(0).normal(size=(400, 200))
    left = smooth(noise, STEADY, 0.4)[50:350].std()
    assert abs(left / np.sqrt(0.04 / (2 * np.sqrt(np.pi) * 0.4 / 2.3548)) - 1) < 0.1


def test_nothing_mixes_across_a_cut():
    values = np.where(np.arange(400) < 130, 0.0, 5.0)
    np.testing.assert_allclose(smooth(values, STEADY, 1.0, cuts=[STEADY[130]]), values, atol=1e-9)


def test_a_long_gap_parts_and_keeps_its_values_and_a_short_one_is_bridged():
    seen = np.ones(400, bool)
    seen[100:150], seen[300:303] = False, False
    values = np.where(np.arange(400) < 120, 1.0, 2.0)
    values[~seen] = 99
    result = smooth(values, STEADY, 0.5, seen=seen)
    np.testing.assert_allclose(result[:100], 1, atol=1e-9)
    np.testing.assert_allclose(result[150:], 2, atol=1e-9)
    assert (result[100:150] == 99).all()


def test_one_frame_and_equal_times_stay():
    assert smooth(np.array([[3.0]]), np.array([0.0]), 1.0) == 3
    np.testing.assert_allclose(smooth(np.array([1.0, 3.0]), np.array([0.0, 0.0]), 1.0), [2, 2])


def test_rows_on_disk_are_smoothed_block_by_block_to_the_same_values():
    values = np.random.default_rng(0).normal(size=(400, 5, 3)).astype(np.float32)
    rows = Rows((5, 3))
    rows.extend(values)
    blocks = list(smoothed(rows, STEADY, 0.3, cuts=[4.0]))
    assert max(map(len, blocks)) <= BLOCK
    np.testing.assert_allclose(np.concatenate(blocks), smooth(values, STEADY, 0.3, cuts=[4.0]), atol=1e-6)
    assert np.concatenate(blocks).dtype == np.float32


def test_shots_begin_at_the_frame_whose_time_the_cut_has():
    assert shots(np.array([0.0, 0.1, 0.2, 0.3]), [0.2]) == [(0, 2), (2, 4)]
    assert shots(np.array([0.0, 0.1]), []) == [(0, 2)]
