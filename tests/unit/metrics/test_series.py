"""Correlation, gain and lag of curves that are known."""

import numpy as np
import pytest

from styleheat_cli.metrics.blinks import blink_times, matched, open_at
from styleheat_cli.metrics.mouth import MouthWidth
from styleheat_cli.metrics.series import Pairs, correlation, gain, in_step, lag
from styleheat_cli.metrics.speech import Level, level_of

TIMES = np.arange(150) / 30


def speech_like(times):
    """A curve without period: a sum of tones that share none."""
    return (
        np.sin(2 * np.pi * 1.3 * times)
        + 0.7 * np.sin(2 * np.pi * 2.9 * times + 1)
        + 0.4 * np.sin(2 * np.pi * 4.7 * times)
    )


def test_a_scaled_and_raised_curve_correlates_fully_with_its_gain():
    curve = speech_like(TIMES)
    assert correlation(0.6 * curve + 3, curve) == pytest.approx(1)
    assert gain(0.6 * curve + 3, curve) == pytest.approx(0.6)


def test_a_curve_that_does_not_move_has_no_correlation_and_no_gain_to_follow():
    curve = speech_like(TIMES)
    assert correlation(np.ones(150), curve) is None
    assert gain(np.ones(150), curve) == pytest.approx(0)
    assert gain(curve, np.ones(150)) is None


def test_noise_that_is_not_the_drivers_does_not_change_the_gain():
    rng = np.random.default_rng(0)
    curve = rng.normal(size=20_000)
    generated = 0.8 * curve + rng.normal(size=20_000)
    assert gain(generated, curve) == pytest.approx(0.8, abs=0.03)  # sampling error 1/sqrt(20000) = 0.007
    assert correlation(generated, curve) == pytest.approx(0.8 / np.hypot(0.8, 1), abs=0.03)


@pytest.mark.parametrize("late_s", [-0.2, -0.05, 0.0, 0.012, 0.1, 0.4])
def test_the_lag_is_found_to_a_fraction_of_a_frame(late_s):
    found = lag(TIMES, speech_like(TIMES - late_s), speech_like(TIMES))
    assert found == pytest.approx(late_s, abs=0.004)


def test_a_short_clip_and_unlike_curves_have_no_lag():
    rng = np.random.default_rng(0)
    assert lag(TIMES[:30], speech_like(TIMES[:30]), speech_like(TIMES[:30])) is None
    assert lag(np.arange(3000) / 30, rng.normal(size=3000), rng.normal(size=3000)) is None


def test_blinks_are_short_dips_and_each_is_matched_once():
    openness = np.full(150, 0.3)
    openness[30:34] = 0.05  # a blink at 1.05 s
    openness[60:120] = 0.05  # two seconds shut: not a blink
    openness[140:143] = 0.1  # a blink at 4.7 s
    assert blink_times(TIMES, openness) == pytest.approx([1.05, 4.7])
    assert matched(np.array([1.0, 1.1]), np.array([1.05])).sum() == 1
    assert matched(np.array([1.0, 4.9]), np.array([1.05, 4.7])).tolist() == [True, False]


def test_a_blink_counts_as_invented_only_while_the_drivers_eyes_are_open():
    openness = np.full(len(TIMES), 0.3)
    openness[30:34], openness[60:120] = 0.05, 0.15
    at, none = np.array([0.2, TIMES[32], TIMES[90], TIMES[140]]), np.zeros(0)
    assert open_at(at, TIMES, openness).tolist() == [True, False, False, True]
    assert open_at(TIMES[32] + np.array([0.1, 0.2]), TIMES, openness).all(), "one more blink, or a late one, is invented"
    assert open_at(none, TIMES, openness).shape == open_at(none, none, none).shape == (0,)


def test_half_closed_eyes_that_tremble_do_not_blink():
    openness = np.full(150, 0.3)
    openness[40:100] = 0.18 + 0.02 * np.sin(np.arange(60) * 2.0)  # about 60 % open, to and fro
    assert len(blink_times(TIMES, openness)) == 0


def test_a_slow_squint_is_no_blink():
    openness = 0.3 + 0.05 * np.sin(TIMES)
    assert len(blink_times(TIMES, openness)) == 0


def test_the_level_of_a_tone_is_its_power_and_blocks_do_not_matter():
    rate = 16_000
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(rate) / rate).astype(np.float32)
    whole = level_of([(0, tone[None])], rate)
    pieces = level_of([(0, tone[None, :777]), (777, tone[None, 777:5000]), (5000, tone[None, 5000:])], rate)
    assert whole.decibels == pytest.approx(10 * np.log10(0.125), abs=0.5)  # 10 ms hold 4.4 periods
    assert pieces.decibels == pytest.approx(whole.decibels)


def test_a_gap_in_the_sound_is_silence_and_time_goes_on():
    rate = 1000
    loud = np.full((1, 500), 0.5, np.float32)
    level = level_of([(0, loud), (1000, loud)], rate)
    assert len(level.decibels) == 150
    at = level.at(np.array([0.25, 0.75, 1.25]))
    assert at == pytest.approx([10 * np.log10(0.25), -60, 10 * np.log10(0.25)], abs=1e-3)
    assert Level(np.full(10, -60, np.float32)).silent


def test_curves_that_run_apart_are_alike_once_they_are_in_step():
    curve = np.random.default_rng(0).normal(size=250).cumsum()
    times = np.arange(250) / 25
    later = np.roll(curve, 4)
    assert in_step(times, later, curve) > 0.97 > correlation(later, curve)
    far = in_step(times, np.roll(np.random.default_rng(1).normal(size=250), 4), np.random.default_rng(2).normal(size=250))
    assert far < 0.3


def test_nothing_sounds_only_where_it_is_silent_for_a_while():
    level = Level(np.concatenate([np.full(100, -60.0), np.full(100, -20.0), np.full(100, -60.0)]).astype(np.float32))
    assert [level.rests(time) for time in (0.3, 0.8, 1.5, 2.2, 2.6)] == [True, False, False, False, True]


@pytest.mark.parametrize(("spread", "measured"), [(1.0, False), (2.0, True)])
def test_a_mouth_that_hardly_moves_is_not_said_to_be_followed(spread, measured):
    metric = MouthWidth.__new__(MouthWidth)
    metric.pairs = Pairs()
    wave = np.sin(TIMES)
    for time, value in zip(TIMES, spread * (wave - wave.mean()) / wave.std(), strict=True):
        metric.pairs.add(time, 50 + value, 50 + value)
    readings = metric.readings()
    assert [reading.value is not None for reading in readings] == [measured] * 4
    assert measured or "standard deviation of 1.0 px" in readings[0].why
