"""Recipes: what may stand in one, how an error reads, and that no file can run code or grow without bound."""

import time
from pathlib import Path

import pytest

from styleheat_cli.errors import RecipeError
from styleheat_cli.ops import Source, edits
from styleheat_cli.recipe import Recipe, Where, build, parse, read_recipe, to_yaml

GOOD = """\
# Alice follows Bob.
source: {path: alice.jpg, face: left}
steps:
  - {op: reenact, driving: sub/bob.mp4, pose_gain: 0.5, driving_start: 00:00:02.5}
render: {crop: true, size: 256, fps: 29.97, end: 120f}
output: out.mp4
"""


@pytest.fixture
def written(tmp_path):
    """Writes a recipe's text, or bytes, and gives its path."""

    def write(text, name="r.yaml"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def test_paths_start_from_the_folder_of_the_file(written, tmp_path):
    recipe = read_recipe(written(GOOD))
    assert recipe.source.path == tmp_path / "alice.jpg"
    assert recipe.steps[0].driving == tmp_path / "sub" / "bob.mp4"
    assert recipe.output == tmp_path / "out.mp4"


def test_values_are_typed_and_times_read_as_people_write_them(written):
    recipe = read_recipe(written(GOOD))
    assert (recipe.steps[0].driving_start, recipe.render.end) == (2.5, "120f")
    assert recipe.render.fps == "30000/1001" and recipe.source.face == "left"


@pytest.mark.parametrize(
    ("text", "value"),
    [("10", 10), ("2.5", 2.5), ("00:00:02.5", 2.5), ("1:30", 90), ("1:02:03", 3723), ("120f", "120f"), (".5", 0.5)],
)
def test_a_time_can_be_seconds_a_clock_or_frames(text, value):
    assert build({"source": "a.png", "render": {"start": text}}, where=Where("r", {})).render.start == value


@pytest.mark.parametrize("text", ["-1", "1:2:3:4", "abc", "12x", "nan", "inf", "1e3", ""])
def test_what_is_no_time_is_refused(text):
    with pytest.raises(RecipeError, match="is not a time"):
        build({"source": "a.png", "render": {"start": text}}, where=Where("r", {}))


def test_a_recipe_survives_the_way_to_yaml_and_back(written, tmp_path):
    recipe = read_recipe(written(GOOD))
    again = read_recipe(written(to_yaml(recipe.as_data()), "again.yaml"))
    assert again == recipe
    assert build(recipe.as_data(names_only=True), folder=tmp_path / "x", where=Where("r", {})).source.path == tmp_path / "x" / "alice.jpg"


def test_every_value_of_every_edit_survives_json():
    for kind in edits().values():
        needed = {name: "b.safetensors" for name, field in kind.model_fields.items() if field.is_required()}
        recipe = Recipe(source=Source(path=Path("a.png")), steps=(kind(**needed),))
        assert Recipe.model_validate_json(recipe.model_dump_json()) == recipe


@pytest.mark.parametrize(
    ("line", "message", "hint"),
    [
        ("  - {op: reenact, driving: b.mp4, pose_gian: 1}", "r.yaml:3: steps.0.pose_gian: not an option", "did you mean pose_gain?"),
        ("  - {op: reenact}", "r.yaml:3: steps.0.driving: is missing", "add driving"),
        ("  - {op: reenacted, driving: b.mp4}", "r.yaml:3: steps.0.op: 'reenacted' is no operation", "did you mean reenact?"),
        ("  - {op: edit-3dm, yaw: 5}", "r.yaml:3: steps.0.op: 'edit-3dm' is no operation", "did you mean edit-3dmm?"),
        ("  - {op: edit-3dmm, yew: 5}", "r.yaml:3: steps.0.yew: not an option", "did you mean yaw?"),
        ("  - {op: edit-attribute, direction: age, strenght: 2}", "r.yaml:3: steps.0.strenght: not an option", "did you mean strength?"),
        ("  - {op: reenact, driving: b.mp4}\n  - {op: edit-3dmm,\n     jaw-open: 1}", "r.yaml:5: steps.1.jaw-open: not an option", "did you mean jaw_open?"),
        ("  - {op: reenact, driving: b.mp4, pose_gain: -1}", "steps.0.pose_gain: must be greater than or equal to 0, not -1", ""),
        ("  - {op: reenact, driving: b.mp4, pose_gain: much}", "steps.0.pose_gain: ", ""),
        ("  - {op: reenact, driving: b.mp4, region: nose}", "must be 'all', 'pose', 'expression', 'lips' or 'eyes', not 'nose'", ""),
        ("  - {op: reenact, driving: b.mp4, driving: c.mp4}", "r.yaml:3: steps.0.driving comes twice", "line 3"),
        ("  - [1, 2]", "r.yaml:3: steps.0", ""),
    ],
)  # fmt: skip
def test_an_error_names_file_line_key_and_the_way_out(written, line, message, hint):
    with pytest.raises(RecipeError) as caught:
        read_recipe(written(f"source: a.jpg\nsteps:\n{line}\n"))
    assert message in str(caught.value) and hint in caught.value.hint


def test_a_key_of_the_wrong_level_is_named_with_its_line(written):
    with pytest.raises(RecipeError, match=r"r\.yaml:4: render\.crff: not an option") as caught:
        read_recipe(written("source: a.jpg\nrender:\n  size: 256\n  crff: 3\n"))
    assert caught.value.hint == "did you mean crf?"


def bomb(levels=9, width=9):
    """Nine lists of nine aliases each: 9^9 values once they are written out."""
    lines = ["a0: &a0 [x]"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * width)}]" for n in range(1, levels + 1)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (bomb(), "more than 20000 values"),
        ("a: &a [*a]", "nested too deeply|more than"),
        ("[" * 5000, "nested too deeply"),
        ("source: !!python/object/apply:os.system ['touch pwned']", "r.yaml:1: .*data only"),
        ("source: !!python/name:os.system", "r.yaml:1: .*data only"),
        ("source: {a: 1", "r.yaml:"),
        ("source: \ta", "r.yaml:|source"),
        ("", "is empty"),
        ("# nothing", "is empty"),
        ("- a\n- b", "a table of keys"),
        ("just text", "a table of keys"),
        ("source: a\n---\nsource: b", "r.yaml:"),
        ("kind: train-nonsense", "r.yaml:1: kind: 'train-nonsense' is no kind"),
        ("version: 99\nsource: a", "r.yaml:1: version"),
        ("source: a\n2024-13-45: 1", "month|2024"),
        (b"source: \xff\xfe", "r.yaml:1: not UTF-8"),
        (b"source: a\nb: \x00", "unacceptable character"),
        (b"#" * (1 << 20) + b"\nsource: a", "larger than 1 MB"),
        ("source: a.png\nseed: " + "9" * 5000, "seed|digits"),
    ],
)  # fmt: skip
def test_a_hostile_or_broken_file_is_refused_quickly_and_runs_nothing(written, text, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    began = time.process_time()
    with pytest.raises(RecipeError, match=message):
        read_recipe(written(text))
    assert time.process_time() - began < 2 and not (tmp_path / "pwned").exists()


def test_modest_anchors_are_welcome(written):
    text = "source: a.png\nsteps:\n  - &one {op: reenact, driving: b.mp4}\n  - {<<: *one, pose_gain: 0.5}\n"
    recipe = read_recipe(written(text))
    assert [step.pose_gain for step in recipe.steps] == [1.0, 0.5]


@pytest.mark.parametrize("change", [lambda text: text.replace("\n", "\r\n").encode(), lambda text: b"\xef\xbb\xbf" + text.encode()])
def test_windows_line_ends_and_a_byte_order_mark_change_nothing(written, change):
    assert read_recipe(written(change(GOOD))) == read_recipe(written(GOOD))


def test_settings_win_over_the_file_and_their_paths_start_here(written, tmp_path):
    recipe = read_recipe(written(GOOD), ["steps.0.pose_gain=0.25", "source.path=here.png", "render.crop=false", "render.size=null"])
    assert recipe.steps[0].pose_gain == 0.25 and recipe.source.path == Path("here.png") and not recipe.render.crop
    assert read_recipe(written(GOOD), ["source=other.png"]).source == Source(path=Path("other.png"))


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("steps.0.pose_gian=1", "--set steps.0.pose_gian: not an option"),
        ("steps.7.pose_gain=1", "there is no 7"),
        ("steps.0.pose_gain=9", "--set steps.0.pose_gain: must be less than or equal to 3"),
        ("output", "not key=value"),
        ("=3", "not key=value"),
        ("source.path=!!python/object:os.x {}", "data only"),
        ("output.x.y=3", "there is no"),
    ],
)
def test_a_wrong_setting_says_so(written, setting, message):
    with pytest.raises(RecipeError, match=message):
        read_recipe(written(GOOD), [setting])


def test_a_missing_recipe_and_a_folder_are_told(tmp_path):
    with pytest.raises(RecipeError, match="no such recipe"):
        read_recipe(tmp_path / "no.yaml")
    with pytest.raises(RecipeError, match="cannot be read"):
        read_recipe(tmp_path)


def test_lines_are_known_for_every_key():
    _, lines = parse("a: 1\nb:\n  - c: 2\n    d: 3\n", "r")
    assert (lines[("a",)], lines[("b", 0, "c")], lines[("b", 0, "d")]) == (1, 3, 4)
