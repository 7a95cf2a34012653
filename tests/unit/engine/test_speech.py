"""Speaking: the lower face is the voice's, all else stays; silence and music leave the mouth at rest."""

import numpy as np
import pytest

from styleheat_cli.engine import lower_face
from styleheat_cli.engine.retarget import opening_rows
from styleheat_cli.engine.speech import (
    CONTRAST,
    DRAWN_S,
    MEETS,
    MET_S,
    SEALED,
    Mouth,
    articulated,
    mouth_of,
    shut,
    speak,
    spoken,
)
from styleheat_cli.face.morphable import openings
from styleheat_cli.media.audio import hear
from styleheat_cli.shot import EXPRESSION, MotionTrack, Speech
from tests.synthetic import tone, write_sound
from tests.tunes import TUNES

ROWS = 80.0


@pytest.fixture(scope="module")
def expressions():
    return np.random.default_rng(0).normal(size=(50, 64))


def test_the_lower_face_of_an_expression_moves_the_mouth_as_it_does_and_rests_above_the_nose(model, expressions):
    part = expressions @ lower_face.projection(model).T
    whole, below = (np.tensordot(e, model.expression, axes=1) for e in (expressions, part))
    share = lower_face.weights(model)
    size = lambda points: np.sqrt(np.square(points).sum(-1).mean())  # noqa: E731
    assert size(below[:, share == 0]) < 0.2 * size(whole[:, share == 0])
    assert size((below - whole)[:, share == 1]) < 0.3 * size(whole[:, share == 1])
    asked, done = expressions @ lower_face.measures(model).T, part @ lower_face.measures(model).T
    assert min(np.corrcoef(a, b)[0, 1] for a, b in zip(asked.T, done.T, strict=True)) > 0.95


def test_closing_parts_the_lips_by_one_and_leaves_the_eyes(model):
    direction = lower_face.closing(model)
    assert opening_rows(model) @ direction == pytest.approx([0, 0, 1], abs=0.02)


def at_rest(model, count=5, **rows):
    coeffs = np.zeros((count, 73), np.float32)
    coeffs[:, EXPRESSION] = rows.get("expression", 0)
    return MotionTrack(coeffs, np.arange(count) / 25, calm=openings(model.mean).astype(np.float32))


def lips_of(model, motion):
    return motion.calm[2] + motion.expression @ opening_rows(model)[2]


def test_without_a_voice_an_open_mouth_is_closed(model):
    wide = 0.5 * lower_face.closing(model)
    own = at_rest(model, 1, expression=wide)
    silent = Mouth(np.tile(wide, (5, 1)), np.zeros(5), np.zeros(5))
    said = speak(model, own, at_rest(model, expression=wide), silent)
    assert lips_of(model, said) == pytest.approx(np.full(5, -SEALED), abs=1e-5)


def test_lips_open_as_far_as_the_voice_asks_times_the_gain_and_meet_where_it_says(model):
    asked = np.outer([0.0, 0.1, 0.2, 0.2, 0.2], lower_face.closing(model))
    mouth = Mouth(asked, np.ones(5), np.array([0, 0, 0, 0.5, 1]))
    own = at_rest(model, 1)
    for gain in (1.0, 1.5):
        said = speak(model, own, at_rest(model), mouth, gain)
        expected = CONTRAST * gain * np.array([0, 0.1, 0.2, 0.1, 0])
        assert lips_of(model, said) == pytest.approx(expected - SEALED * (expected == 0), abs=1e-4)


def test_a_gap_that_hardly_changes_gets_the_contrast_of_speech():
    times = np.arange(100) / 25
    gap = 0.1 + 0.03 * np.sin(2 * np.pi * 3 * times)
    made = articulated(gap, times)
    assert made.min() < 0.9 * gap.min() and made.max() > gap.max()
    assert np.corrcoef(made[20:80], gap[20:80])[0, 1] > 0.99
    assert (articulated(np.zeros(5), times[:5]) == 0).all()


def test_speaking_leaves_pose_place_and_lids_of_a_clip_as_they_were(model, expressions):
    motion = at_rest(model, 50, expression=0.5 * expressions)
    said = speak(model, motion, motion, Mouth(np.zeros((50, 64)), np.ones(50), np.zeros(50)))
    assert (said.coeffs[:, 64:] == motion.coeffs[:, 64:]).all()
    lids = opening_rows(model)[:2].T
    assert np.abs((said.expression - motion.expression) @ lids).max() < 0.05 * np.abs(motion.expression @ lids).max()


@pytest.mark.parametrize("sound", ["silence", "hiss", "chord"])
def test_where_nobody_speaks_no_voice_is_heard(engine, tmp_path, sound):
    random = np.random.default_rng(0)
    chord = sum(tone(4, 16000, hz=hz, level=0.1) for hz in (220, 277.2, 329.6, 440))
    made = {"silence": np.zeros((1, 64000), np.float32), "hiss": random.normal(0, 0.1, (1, 64000)).astype(np.float32), "chord": chord}
    mouth = mouth_of(engine.voice, hear(write_sound(tmp_path / "a.wav", made[sound], 16000)), np.arange(100) / 25)
    assert mouth.voice.max() < 0.05


@pytest.mark.parametrize("tune", TUNES)
def test_the_mouth_rests_while_instruments_play(engine, tmp_path, tune):
    made = TUNES[tune](np.random.default_rng(0), 6)
    path = write_sound(tmp_path / "a.wav", (0.1 * made / made.std()).clip(-1, 1).astype(np.float32)[None], 16000)
    assert (mouth_of(engine.voice, hear(path), np.arange(150) / 25).voice > 0.3).mean() < 0.1


def test_lips_meet_once_at_each_peak_for_a_moment_and_as_long_as_it_is_certain():
    probability = np.zeros(400)
    probability[100:105] = MEETS + np.array([0.05, 0.1, 0.15, 0.1, 0.05])
    probability[200:220] = 0.95
    probability[300] = 0.9 * MEETS
    closed = shut(probability, 80.0)
    assert closed[102] == 1 and (closed > 0).sum() == pytest.approx(2 * 80 * (MET_S + DRAWN_S) + 20, abs=4)  # whole rows
    assert (closed[200:220] == 1).all() and closed[280:320].max() == 0 and closed[80:90].max() == 0
    assert np.abs(np.diff(closed)).max() < 0.5


def test_a_voice_is_heard_where_it_speaks_and_rests_before_and_after(engine, shared, tmp_path):
    from styleheat_cli.media.audio import samples

    said, rate = samples(shared / "data" / "audio" / "whisper_jfk.flac", 16000, end_s=4)
    quiet = np.zeros(2 * rate, np.float32)
    path = write_sound(tmp_path / "a.wav", np.concatenate([quiet, said, quiet])[None], rate)
    mouth = mouth_of(engine.voice, hear(path), np.arange(200) / 25)
    assert mouth.voice[:35].max() < 0.05 and mouth.voice[165:].max() < 0.05
    assert mouth.voice[60:145].mean() > 0.6


def test_the_mouth_of_a_speech_does_not_depend_on_its_volume(engine, shared, tmp_path):
    from styleheat_cli.media.audio import samples

    said, rate = samples(shared / "data" / "audio" / "whisper_jfk.flac", 16000, end_s=4)
    loud, soft = (hear(write_sound(tmp_path / f"{gain}.wav", (gain * said)[None], rate, codec="pcm_f32le")) for gain in (0.8, 0.2))
    a, b = (mouth_of(engine.voice, speech, np.arange(100) / 25).expression for speech in (loud, soft))
    assert np.corrcoef(a.ravel(), b.ravel())[0, 1] > 0.98


def test_a_short_pause_of_the_detector_does_not_close_the_mouth():
    syllables = np.sin(np.arange(400) / 5)[:, None] * np.ones(80)
    speech = Speech(None, syllables.astype(np.float32), ROWS, 5.0)
    probability = np.ones(400)
    probability[100:110] = 0
    assert spoken(probability, speech).min() > 0.9
    probability[200:300] = 0
    assert spoken(probability, speech)[230:270].max() < 0.1
