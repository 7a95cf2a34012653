"""edit-3dmm as an operation: what it takes, how its files are read, and what it asks of the engine."""

import json

import numpy as np
import pytest

from styleheat_cli import execute
from styleheat_cli.engine import Engine
from styleheat_cli.engine.puppet import POSE
from styleheat_cli.errors import InputError, OutputError, RecipeError
from styleheat_cli.media.metadata import read_metadata
from styleheat_cli.media.reader import probe
from styleheat_cli.media.still import read_image
from styleheat_cli.ops import Render, Source, edits
from styleheat_cli.ops.edit_3dmm import TOUR, Keyframe, Look, keys_of, read_score, tour
from styleheat_cli.recipe import Recipe
from styleheat_cli.shot import ANGLES
from tests.synthetic import corners, numbered_frames, photo, tone, write_clip
from tests.unit.fake_engine import FakeEngine

Edit3DMM, Reenact = edits()["edit-3dmm"], edits()["reenact"]


class Puppeteer(FakeEngine):
    """The fake engine, with the real model, that remembers the motion it rendered."""

    morphable = Engine("default", device="cpu").morphable

    def render(self, shot, **how):
        self.motion = shot.motion
        yield from super().render(shot, **how)


@pytest.fixture
def portrait(tmp_path):
    return photo(tmp_path / "alice.png", corners(96, 160))


@pytest.fixture
def scene(tmp_path):
    """Fifty numbered pictures at 25 fps, with a tone."""
    return write_clip(tmp_path / "scene.mp4", numbered_frames(50), sound=tone(2))


@pytest.fixture
def score(tmp_path):
    """Writes keyframes and gives their path."""

    def write(text):
        path = tmp_path / "keys.yaml"
        path.write_text(text)
        return path

    return write


def made_with(source, output, *steps, **render):
    engine = Puppeteer()
    recipe = Recipe(source=Source(path=source), steps=steps, render=Render(**render), output=output)
    return execute.run(recipe, engine, overwrite=True), engine


def degrees(engine):
    """(T, 3) pitch, yaw, roll of what was rendered, as they are asked."""
    return np.degrees(engine.motion.coeffs[:, ANGLES]) / [*POSE.values()]


def test_plain_values_make_a_photo_of_a_photo(portrait, tmp_path):
    made, engine = made_with(portrait, tmp_path / "out.png", Edit3DMM(yaw=12, pitch=-3, roll=4))
    assert degrees(engine) == pytest.approx(np.array([[-3, 12, 4]]), abs=1e-4)
    assert made.frames == 1 and read_image(made.output).shape == (96, 160, 3)


def test_unnamed_the_photo_stands_beside_the_source(portrait):
    from styleheat_cli.preflight import prepare

    assert prepare(Recipe(source=Source(path=portrait), steps=(Edit3DMM(yaw=5),)), with_weights=False).output.name == "alice.edit-3dmm.png"
    assert prepare(Recipe(source=Source(path=portrait), steps=(Edit3DMM(tour=True),)), with_weights=False).output.name == "alice.edit-3dmm.mp4"


def test_as_a_clip_plain_values_come_and_go(portrait, tmp_path):
    made, engine = made_with(portrait, tmp_path / "out.mp4", Edit3DMM(yaw=12))
    yaw = degrees(engine)[:, 1]
    assert made.frames == 75 and probe(made.output).frames == 75
    assert yaw[0] == 0 and yaw[25:51] == pytest.approx(np.full(26, 12), abs=1e-4) and yaw[-1] < 0.1
    assert (np.diff(yaw[:26]) >= 0).all()


def test_on_a_clip_they_are_added_to_its_own_motion_and_its_sound_stays(scene, tmp_path):
    made, engine = made_with(scene, tmp_path / "out.mp4", Edit3DMM(yaw=12))
    assert degrees(engine)[:, 1] == pytest.approx(np.full(50, 12), abs=1e-4)
    assert made.frames == 50 and made.sound_from == "scene.mp4"


def test_after_a_driver_its_times_hold_and_its_turns_are_added_to(portrait, scene, tmp_path):
    _, engine = made_with(portrait, tmp_path / "out.mp4", Reenact(driving=scene), Edit3DMM(yaw=5))
    assert degrees(engine)[:, 1] == pytest.approx(5 + np.degrees(0.01) * np.arange(50) / POSE["yaw"], abs=1e-3)


def test_a_span_of_time_limits_it(scene, tmp_path):
    _, engine = made_with(scene, tmp_path / "out.mp4", Edit3DMM(roll=10, after=0.4, before="30f", fade=0))
    assert degrees(engine)[:, 2] == pytest.approx([0] * 10 + [10] * 20 + [0] * 20, abs=1e-4)


def test_keyframes_last_to_their_last_and_carry_on_what_they_do_not_name(portrait, score, tmp_path):
    path = score("frames:\n- {time: 0.2, easing: linear}\n- {time: 0.6, yaw: 10, easing: linear}\n- {time: 1, roll: 4, easing: linear}\n")
    made, engine = made_with(portrait, tmp_path / "out.mp4", Edit3DMM(keyframes=path))
    turns = degrees(engine)
    assert made.frames == 26
    assert set(json.loads(read_metadata(made.output)["styleheat"])["inputs"]) == {"alice.png", "keys.yaml"}
    assert turns[[0, 5, 10, 15, 20, 25], 1] == pytest.approx([0, 0, 5, 10, 10, 10], abs=1e-3)
    assert turns[[0, 15, 20, 25], 2] == pytest.approx([0, 0, 2, 4], abs=1e-3)


def test_start_and_end_cut_a_stretch_out_of_them(portrait, score, tmp_path):
    path = score("frames: [{time: 0}, {time: 2, yaw: 20, easing: linear}]")
    made, engine = made_with(portrait, tmp_path / "out.mp4", Edit3DMM(keyframes=path), start=0.4, end="20f")
    assert made.frames == 10 and degrees(engine)[[0, -1], 1] == pytest.approx([4, 7.6], abs=1e-3)


def test_the_tour_visits_every_stop_from_rest_and_back():
    frames = tour()
    keys = keys_of(frames)
    assert len(frames) == 2 * len(TOUR) + 1 and frames[-1].time == 19
    for count, stop in enumerate(TOUR):
        at = {name: keys[name][2 * count + 1][1] for name in keys}
        assert {name: value for name, value in at.items() if value} == stop
        assert all(keys[name][2 * count][1] == 0 for name in keys)
    assert [next(iter(stop.items())) for stop in TOUR[:6]] == [
        ("roll", 18), ("roll", -18), ("pitch", 18), ("pitch", -18), ("yaw", 22.5), ("yaw", -22.5)]  # fmt: skip


def test_shift_coefficients_and_zoom_can_be_keyframed():
    frames = (Keyframe(time=0), Keyframe(time=1, shift="0.5,-1", coefficients={3: 1.5}, zoom=1.2))
    keys = keys_of(frames)
    assert [key[1] for key in keys["shift_x"]] == [0, 0.5] and [key[1] for key in keys["shift_y"]] == [0, -1]
    assert keys[3][1][1] == 1.5 and np.exp(keys["zoom"][1][1]) == pytest.approx(1.2)


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("frames:\n- {time: 0}\n- {time: 1, yew: 5}\n", r"keys\.yaml:3: frames\.1\.yew: not an option", "did you mean yaw"),
        ("frames:\n- {time: 0}\n- {time: 1,\n   yaw: 50}\n", r"keys\.yaml:4: frames\.1\.yaw: must be less than or equal to 40, not 50", ""),
        ("frames:\n- {time: 1}\n- {time: 0.5}\n", r"keys\.yaml:1: frames: a keyframe at 0\.5 s comes after one at 1 s", ""),
        ("frames: []\n", r"keys\.yaml:1: frames", ""),
        ("frames:\n- {yaw: 5}\n", r"keys\.yaml:2: frames\.0\.time: is missing", "add time"),
        ("frames:\n- {time: 0, easing: bouncy}\n", r"keys\.yaml:2: frames\.0\.easing: must be 'linear'", ""),
        ("framse: []\n", r"keys\.yaml:1: framse: not an option", "did you mean frames"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_score_names_file_line_and_key(score, text, message, hint):
    with pytest.raises(RecipeError, match=message) as caught:
        read_score(score(text))
    assert hint in (caught.value.hint or "")


def test_a_wrong_score_stops_a_run_before_anything_is_loaded(portrait, score, tmp_path):
    engine = Puppeteer()
    recipe = Recipe(source=Source(path=portrait), steps=(Edit3DMM(keyframes=score("frames: 3")),), output=tmp_path / "out.mp4")
    with pytest.raises(RecipeError):
        execute.run(recipe, engine)
    assert not engine.asked


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"yaw": 41}, "less than or equal to 40"),
        ({"blink_left": 1.5}, "less than or equal to 1"),
        ({"shift": "1"}, "at least 2 items|Field required|tuple"),
        ({"shift": "0,3"}, "less than or equal to 2"),
        ({"coefficients": ["64=1"]}, "not INDEX=VALUE"),
        ({"coefficients": ["3"]}, "not INDEX=VALUE"),
        ({"coefficients": ["3=nan"]}, "not INDEX=VALUE"),
        ({"coefficients": ["3=7"]}, "6 standard deviations"),
    ],
)
def test_values_out_of_range_are_refused(values, message):
    with pytest.raises(ValueError, match=message):
        Look(**values)


def test_what_moves_does_not_fit_into_a_photo(portrait, tmp_path):
    with pytest.raises(OutputError, match="one picture only"):
        made_with(portrait, tmp_path / "out.png", Edit3DMM(tour=True))
    with pytest.raises(RecipeError, match="exclude"):
        made_with(portrait, tmp_path / "out.mp4", Edit3DMM(tour=True, keyframes=tmp_path / "keys.yaml"))
    with pytest.raises(InputError, match="nothing from 30"):
        made_with(portrait, tmp_path / "out.mp4", Edit3DMM(tour=True), start=30)
