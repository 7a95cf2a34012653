"""Dub: how long the result is, whose sound it carries, and what is refused before anything is loaded."""

from fractions import Fraction

import numpy as np
import pytest

from styleheat_cli import execute
from styleheat_cli.errors import InputError
from styleheat_cli.media.audio import length_of, levelled
from styleheat_cli.media.reader import frames, probe
from styleheat_cli.ops.dub import Dub
from styleheat_cli.preflight import prepare
from styleheat_cli.recipe import Where, build
from tests.synthetic import number_of, numbered_frames, photo, tone, write_clip, write_sound
from tests.unit.fake_engine import FakeEngine


def dub(fit="fail", **also):
    return Dub(audio="speech.wav", fit=fit, **also)


@pytest.mark.parametrize(
    ("fit", "pictures_s", "speech_s", "photo", "expected"),
    [
        ("fail", 4.0, 4.09, False, 4.0),
        ("trim", 4.0, 3.0, False, 3.0),
        ("trim", 3.0, 4.0, False, 3.0),
        ("loop", 3.0, 4.0, False, 4.0),
        ("pingpong", 4.0, 3.0, False, 4.0),
        ("hold", 3.0, 4.0, True, 4.0),
        ("fail", 5.0, 4.0, True, 4.0),
    ],
)
def test_the_length_that_each_fit_gives(fit, pictures_s, speech_s, photo, expected):
    assert dub(fit).length(pictures_s, speech_s, photo) == expected


@pytest.mark.parametrize(("pictures_s", "speech_s", "photo"), [(4.0, 4.2, False), (4.2, 4.0, False), (3.0, 4.0, True)])
def test_lengths_that_differ_are_refused_with_a_way_out(pictures_s, speech_s, photo):
    with pytest.raises(InputError) as caught:
        dub(driving="bob.mp4").length(pictures_s, speech_s, photo)
    assert f"{speech_s:.2f} s" in str(caught.value) and f"{pictures_s:.2f} s" in str(caught.value)
    assert "--fit trim" in caught.value.hint and "hold" in caught.value.hint


@pytest.fixture
def speech(tmp_path):
    return write_sound(tmp_path / "speech.wav", tone(2, 44100), 44100)


@pytest.fixture
def scene(tmp_path):
    return write_clip(tmp_path / "scene.mp4", numbered_frames(30))  # 1.2 s


@pytest.fixture
def portrait(tmp_path):
    return photo(tmp_path / "portrait.png", np.full((64, 96, 3), 120, np.uint8))


def recipe(source, speech, output, step=None, **render):
    content = {"source": str(source), "steps": [{"op": "dub", "audio": str(speech), **(step or {})}], "render": render, "output": str(output)}
    return build(content, where=Where("test", {}, frozenset()))


def test_a_photo_speaks_for_as_long_as_the_speech_at_25_frames_a_second(portrait, speech, tmp_path):
    made = execute.run(recipe(portrait, speech, tmp_path / "out.mp4"), FakeEngine())
    clip = probe(made.output)
    assert (clip.frames, clip.fps) == (50, 25) and clip.audio is not None and made.sound_from == "speech.wav"


def test_a_photo_speaks_at_the_rate_that_was_asked(portrait, speech, tmp_path):
    made = execute.run(recipe(portrait, speech, tmp_path / "out.mp4", fps="29.97"), FakeEngine())
    assert probe(made.output).fps == Fraction(30000, 1001)


def test_a_stretch_of_the_speech_is_spoken_and_heard(portrait, speech, tmp_path):
    made = execute.run(recipe(portrait, speech, tmp_path / "out.mp4", start=0.5, end=1.5), FakeEngine())
    clip = probe(made.output)
    assert clip.frames == 25 and float(clip.audio.duration_s) == pytest.approx(1.0, abs=0.03)


@pytest.mark.parametrize(
    ("fit", "expected"),
    [
        ("loop", [*range(30), *range(20)]),
        ("pingpong", [*range(30), *range(28, 8, -1)]),
        ("hold", [*range(30), *[29] * 20]),
    ],
)
def test_a_video_goes_on_as_it_was_told(scene, speech, tmp_path, fit, expected):
    made = execute.run(recipe(scene, speech, tmp_path / "out.mp4", {"fit": fit}), FakeEngine())
    assert [number_of(frame.image) for frame in frames(probe(made.output))] == expected


def test_a_video_of_another_length_is_refused_before_any_weights_are_loaded(scene, speech, tmp_path):
    with pytest.raises(InputError, match=r"speech.wav lasts 2.00 s, the video 1.20 s"):
        prepare(recipe(scene, speech, tmp_path / "out.mp4"), with_weights=False)


def test_the_plan_tells_the_length_and_the_sound(scene, speech, tmp_path):
    plan = prepare(recipe(scene, speech, tmp_path / "out.mp4", {"fit": "hold"}), with_weights=False)
    assert plan.frames == 50 and plan.sound == speech and plan.as_content()["speech"] == str(speech)


def test_a_file_without_sound_cannot_be_spoken(scene, tmp_path):
    with pytest.raises(InputError, match=r"scene.mp4 has no sound"):
        prepare(recipe(scene, scene, tmp_path / "out.mp4"), with_weights=False)


@pytest.mark.parametrize(("name", "codec"), [("a.wav", "pcm_s16le"), ("a.flac", "flac"), ("a.m4a", "aac"), ("a.mp3", "libmp3lame")])
def test_the_length_of_a_sound_is_read_from_its_packets(name, codec, tmp_path):
    path = write_sound(tmp_path / name, tone(2), codec=codec)
    assert float(length_of(path)) == pytest.approx(2.0, abs=0.001 if codec in ("pcm_s16le", "flac") else 0.06)


def test_levelled_rows_do_not_depend_on_the_volume_and_keep_silence_low():
    mel = np.random.default_rng(0).uniform(-2, 0, (200, 80))
    assert levelled(mel - 0.7) == pytest.approx(levelled(mel), abs=1e-6)
    assert levelled(np.full((200, 80), -5.0)).max() < -0.5
