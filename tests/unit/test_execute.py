"""What is asked of the engine, and what arrives in the files: times, sound, sheet, record."""

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from styleheat_cli import execute
from styleheat_cli.errors import InputError, MachineError, OutputError, RecipeError
from styleheat_cli.media.metadata import read_metadata
from styleheat_cli.media.motion_file import write_motion
from styleheat_cli.media.reader import frames, probe
from styleheat_cli.media.still import read_image
from styleheat_cli.ops import Render, Source, edits
from styleheat_cli.recipe import Recipe
from tests.synthetic import VFR_MS, corners, number_of, numbered_frames, photo, tone, vfr_clip, write_clip
from tests.unit.fake_engine import FakeEngine, moving

Reenact = edits()["reenact"]


@pytest.fixture
def portrait(tmp_path):
    return photo(tmp_path / "alice.png", corners(96, 160))


@pytest.fixture
def driver(tmp_path):
    """Fifty numbered pictures at 25 fps, with a tone."""
    return write_clip(tmp_path / "bob.mp4", numbered_frames(50), sound=tone(2))


@pytest.fixture
def scene(tmp_path):
    """Thirty numbered pictures at 30 fps, silent."""
    return write_clip(tmp_path / "scene.mp4", numbered_frames(30), fps=30)


def recipe(source, driving, output, steps=None, **render):
    step = Reenact(driving=driving, **(steps or {}))
    return Recipe(source=Source(path=source), steps=(step,), render=Render(**render), output=output)


def times_of(path):
    return [frame.time for frame in frames(probe(path))]


def test_a_photo_takes_the_times_and_the_sound_of_its_driver(portrait, driver, tmp_path):
    made = execute.run(recipe(portrait, driver, tmp_path / "out.mp4"), FakeEngine())
    clip = probe(made.output)
    assert (clip.height, clip.width, clip.frames) == (96, 160, 50)
    assert times_of(made.output) == [Fraction(n, 25) for n in range(50)]
    assert clip.audio is not None and abs(float(clip.audio.duration_s) - 2) < 0.05
    assert made.frames == 50 and made.duration_s == pytest.approx(2) and made.sound_from == "bob.mp4"


def test_uneven_frame_times_of_the_driver_are_kept(portrait, tmp_path):
    driver = vfr_clip(tmp_path / "vfr.mp4")
    made = execute.run(recipe(portrait, driver, tmp_path / "out.mp4"), FakeEngine())
    assert times_of(made.output) == [Fraction(ms, 1000) for ms in VFR_MS]


def test_start_and_end_trim_the_driver_of_a_photo(portrait, driver, tmp_path):
    engine = FakeEngine()
    made = execute.run(recipe(portrait, driver, tmp_path / "out.mp4", start="20f", end=1.2), engine)
    assert engine.asked[-1][:1] == ("motion_of",) and engine.asked[-1][3:5] == (pytest.approx(0.8), pytest.approx(1.2))
    assert made.frames == 10 and probe(made.output).duration_s == Fraction(10, 25)
    assert float(probe(made.output).audio.duration_s) == pytest.approx(0.4, abs=0.05)


def test_start_trims_a_video_source_and_the_driver_plays_from_its_own_start(scene, driver, tmp_path):
    engine = FakeEngine()
    made = execute.run(recipe(scene, driver, tmp_path / "out.mp4", {"driving_start": 0.2}, start=0.5), engine)
    assert ("shot", "scene.mp4", "largest", 0.5, None, "keep") in engine.asked
    shown = [number_of(frame.image) for frame in frames(probe(made.output))]
    assert shown == list(range(15, 30)) and times_of(made.output)[0] == 0


def test_a_video_source_keeps_its_times_and_ends_with_a_shorter_driver(scene, tmp_path):
    driver = write_clip(tmp_path / "short.mp4", numbered_frames(10))  # 0.4 s
    made = execute.run(recipe(scene, driver, tmp_path / "out.mp4"), FakeEngine())
    assert times_of(made.output) == [Fraction(n, 30) for n in range(12)]


@pytest.mark.parametrize(("rate", "count"), [("50", 100), ("12.5", 25), ("29.97", 60)])
def test_fps_resamples_to_a_constant_rate_of_the_same_length(portrait, driver, tmp_path, rate, count):
    made = execute.run(recipe(portrait, driver, tmp_path / "out.mp4", fps=rate), FakeEngine())
    clip = probe(made.output)
    assert clip.frames == count and abs(float(clip.duration_s) - 2) < 0.02


def test_fps_holds_and_drops_the_pictures_of_a_video_source(scene, driver, tmp_path):
    made = execute.run(recipe(scene, driver, tmp_path / "out.mp4", fps=15), FakeEngine())
    assert [number_of(frame.image) for frame in frames(probe(made.output))] == list(range(0, 30, 2))


@pytest.mark.parametrize(("wanted", "has"), [("driving", True), ("source", False), ("none", False)])
def test_sound_comes_from_where_it_was_asked(scene, driver, tmp_path, wanted, has):
    made = execute.run(recipe(scene, driver, tmp_path / "out.mp4", audio_from=wanted), FakeEngine())
    assert (probe(made.output).audio is not None) == has


def test_a_motion_file_drives_a_photo_at_its_own_times(portrait, tmp_path):
    write_motion(tmp_path / "nod.safetensors", moving(np.arange(20) / 25))
    made = execute.run(recipe(portrait, tmp_path / "nod.safetensors", tmp_path / "out.mp4"), FakeEngine())
    assert times_of(made.output) == [Fraction(n, 25) for n in range(20)]
    assert probe(made.output).audio is None


def test_a_driver_without_sound_is_told(portrait, scene, tmp_path, caplog):
    execute.run(recipe(portrait, scene, tmp_path / "out.mp4"), FakeEngine())
    assert "scene.mp4 has no sound" in caplog.text


def test_the_sheet_shows_six_moments_and_the_comparison_both_clips(portrait, driver, tmp_path):
    wanted = recipe(portrait, driver, tmp_path / "out.mp4", sheet=tmp_path / "sheet.png", side_by_side=True)
    made = execute.run(wanted, FakeEngine())
    assert {path.name for path in made.outputs} == {"out.mp4", "sheet.png", "out.side-by-side.mp4"}
    beside = probe(tmp_path / "out.side-by-side.mp4")
    assert beside.frames == 50 and beside.height == 96 and beside.width >= 96 * 96 / 64 + 160
    shown = [number_of(_scaled(frame.image[:, :144], 64, 96)) for frame in frames(beside)]
    assert shown == list(range(50))
    sheet = read_image(tmp_path / "sheet.png")
    assert sheet.shape[0] > 2 * 256 and sheet.shape[1] >= 6 * 256 * 160 / 96


def _scaled(image, height, width):
    return np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BOX))


def test_the_record_inside_names_files_and_no_folder(portrait, driver, tmp_path):
    made = execute.run(recipe(portrait, driver, tmp_path / "out.mp4", {"pose_gain": 0.5}), FakeEngine())
    notes = read_metadata(made.output)
    record = json.loads(notes["styleheat"])
    assert "edited with styleheat" in notes["comment"]
    assert record["recipe"]["source"] == {"path": "alice.png"} and record["recipe"]["output"] == "out.mp4"
    assert record["recipe"]["steps"] == [{"op": "reenact", "driving": "bob.mp4", "pose_gain": 0.5}]
    assert str(tmp_path) not in json.dumps(notes) and set(record["inputs"]) == {"alice.png", "bob.mp4"}


def test_controls_reach_the_retargeting(portrait, driver, tmp_path):
    engine = FakeEngine()
    steps = {"relative": False, "region": "lips", "mouth_gain": 1.5, "pose_limit": 10}
    execute.run(recipe(portrait, driver, tmp_path / "out.mp4", steps), engine)
    controls = engine.controls
    assert (controls.relative, controls.region, controls.mouth_gain, controls.pose_limit_deg) == (False, "lips", 1.5, 10)


def test_the_same_recipe_gives_the_same_bytes(portrait, driver, tmp_path):
    first, second = tmp_path / "1", tmp_path / "2"
    for folder in (first, second):
        folder.mkdir()
        execute.run(recipe(portrait, driver, folder / "out.mp4", sheet=folder / "sheet.png"), FakeEngine())
    for name in ("out.mp4", "sheet.png"):
        assert (first / name).read_bytes() == (second / name).read_bytes()


def test_an_existing_output_is_refused_skipped_or_overwritten_as_asked(portrait, driver, tmp_path):
    output = tmp_path / "out.mp4"
    output.write_bytes(b"precious")
    with pytest.raises(OutputError, match="exists already"):
        execute.run(recipe(portrait, driver, output), FakeEngine())
    assert execute.run(recipe(portrait, driver, output), FakeEngine(), skip_existing=True).skipped
    assert output.read_bytes() == b"precious"
    execute.run(recipe(portrait, driver, output), FakeEngine(), overwrite=True)
    assert probe(output).frames == 50


class Failing(FakeEngine):
    """Breaks in the middle of rendering."""

    def __init__(self, error):
        super().__init__()
        self.error = error

    def render(self, shot, **how):
        for count, frame in enumerate(super().render(shot, **how)):
            if count == 20:
                raise self.error
            yield frame


@pytest.mark.parametrize("error", [ValueError("a bug"), MemoryError(), RuntimeError("CUDA out of memory. Tried …"), KeyboardInterrupt()])
def test_whatever_breaks_midway_leaves_nothing_behind(portrait, driver, tmp_path, error):
    before = sorted(tmp_path.iterdir())
    too_large = isinstance(error, MemoryError | RuntimeError)
    with pytest.raises(MachineError if too_large else type(error)):
        execute.run(recipe(portrait, driver, tmp_path / "out.mp4", sheet=tmp_path / "s.png", side_by_side=True), Failing(error))
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("change", "kind", "message"),
    [
        ({"output": "out.xyz"}, OutputError, "cannot write .xyz"),
        ({"output": "out.png"}, OutputError, "one picture only"),
        ({"output": "nowhere/out.mp4"}, OutputError, "no such folder"),
        ({"output": "alice.png"}, OutputError, "one picture only"),
        ({"output": "bob.mp4"}, OutputError, "also an input"),
        ({"output": "link.mp4"}, OutputError, "also an input"),
        ({"output": "hard.mp4"}, OutputError, "also an input"),
        ({"output": "out.webm", "codec": "h264"}, RecipeError, "cannot hold h264"),
        ({"start": 5}, InputError, "lasts 2.00 s"),
        ({"start": 1.5, "end": 0.5}, RecipeError, "not after"),
        ({"driving": "alice.png"}, InputError, "no motion to follow"),
        ({"driving": "nobody.mp4"}, InputError, "no such file"),
        ({"source": "nobody.png"}, InputError, "no such file"),
        ({"sheet": "sheet.txt"}, OutputError, "a sheet is a picture"),
        ({"weights": "nonsense"}, Exception, "no family of weights"),
    ],
)  # fmt: skip
def test_what_cannot_work_is_said_before_anything_is_loaded(portrait, driver, tmp_path, change, kind, message, monkeypatch):
    (tmp_path / "link.mp4").symlink_to(driver)
    (tmp_path / "hard.mp4").hardlink_to(driver)
    files = {key: tmp_path / change.pop(key) for key in ("output", "driving", "source", "sheet") if key in change}
    weights = change.pop("weights", "default")
    render = Render(sheet=files.get("sheet"), **change)
    wanted = Recipe(
        source=Source(path=files.get("source", portrait)), steps=(Reenact(driving=files.get("driving", driver)),),
        render=render, output=files.get("output", tmp_path / "out.mp4"), weights=weights,
    )  # fmt: skip
    engine = None if weights != "default" else FakeEngine()
    with pytest.raises(kind, match=message):
        execute.run(wanted, engine, overwrite=True)
    assert engine is None or not engine.asked


def test_unnamed_outputs_stand_beside_the_source_and_templates_are_filled(portrait, driver, scene):
    from styleheat_cli.preflight import prepare

    assert prepare(recipe(portrait, driver, None), with_weights=False).output == portrait.with_name("alice.reenact.mp4")
    templated = recipe(scene, driver, Path(scene.parent / "{stem}-{op}.{ext}"))
    assert prepare(templated, with_weights=False).output.name == "scene-reenact.mp4"
