"""edit: its options, the strengths over time, and its place in a run."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError
from skimage import data

from styleheat_cli import execute
from styleheat_cli.engine.appearance_edit import EDITS
from styleheat_cli.engine.attributes import ATTRIBUTES
from styleheat_cli.errors import OutputError, RecipeError
from styleheat_cli.ops import Render, Scope, Source
from styleheat_cli.ops.edit_attribute import DEFAULT, PUBLISHED, EditAttribute
from styleheat_cli.recipe import Recipe, Where, build
from styleheat_cli.shot import Attribute, Clip, MotionTrack, Shot


def shot_of(times, still=False):
    clip = Clip(Path("a.mp4"), 8, 8, 25, len(times), len(times) / 25, still=still)
    motion = MotionTrack(np.zeros((len(times), 73), np.float32), np.asarray(times, float))
    return Shot(clip, None, motion, motion, None)


def family(architecture="generator"):
    component = SimpleNamespace(architecture=architecture)
    return SimpleNamespace(family=SimpleNamespace(name="these", component=lambda role: component))


def looks(step, times, engine=None, still=False, scope=None):
    shot = step.apply(shot_of(times, still), engine or family(), scope or Scope())
    return [shot.looks(row) for row in range(len(shot.motion.times))]


def test_every_direction_told_is_one_that_a_family_has():
    assert set(DEFAULT) == set(EDITS) and set(PUBLISHED) == set(ATTRIBUTES)
    assert all(PUBLISHED[name].usual == attribute.strength for name, attribute in ATTRIBUTES.items())
    assert all(told.low <= told.usual <= told.high for told in (*DEFAULT.values(), *PUBLISHED.values()))


def test_a_strength_is_the_same_at_all_times_and_the_usual_one_unless_told():
    assert looks(EditAttribute(direction="age"), [0, 1]) == [{"age": DEFAULT["age"].usual}] * 2
    assert looks(EditAttribute(direction="age", strength=-1.5), [0, 1]) == [{"age": -1.5}] * 2
    assert looks(EditAttribute(direction=["age", "lips"], strength=[2, 1]), [0]) == [{"age": 2, "lips": 1}]
    assert looks(EditAttribute(direction=["age", "lips"], strength=2), [0]) == [{"age": 2, "lips": 2}]


def test_no_strength_is_no_look():
    assert looks(EditAttribute(direction="age", strength=0), [0, 1]) == [{}, {}]


def test_a_ramp_rises_from_the_first_frame_to_the_last():
    found = looks(EditAttribute(direction="age", ramp="-1:3"), [10, 11, 12, 13, 14])
    assert [look.get("age", 0.0) for look in found] == [-1, 0, 1, 2, 3]


def test_a_ramp_in_its_time_holds_before_and_after():
    step = EditAttribute(direction="age", strength=2, ramp="0:1", ramp_time="1:3")
    assert [look.get("age", 0.0) for look in looks(step, [5, 6, 7, 8, 9])] == [0, 0, 1, 2, 2]


def test_a_ramp_makes_a_clip_of_a_photo():
    step = EditAttribute(direction="grey", ramp="0:3", ramp_time="0:2")
    found = looks(step, [0], still=True)
    assert step.moves() and step.lasts() == 2 and len(found) == 50
    assert found[0] == {} and 2.9 < found[-1]["grey"] < 3


def test_a_sweep_is_a_picture_for_every_value():
    step = EditAttribute(direction="beard", sweep="-1:3:5")
    found = looks(step, [0], still=True, scope=Scope(still=True))
    assert [look.get("beard", 0.0) for look in found] == pytest.approx([-1, 0, 1, 2, 3])
    assert step.labels() == ("beard -1", "beard +0", "beard +1", "beard +2", "beard +3") and not step.moves()


def test_edits_of_two_steps_add_up():
    shot = shot_of([0.0]).with_(attributes=(Attribute("age", (1.0,)), Attribute("age", (1.5,)), Attribute("lips", (0.0,))))
    assert shot.looks(0) == {"age": 2.5}


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"direction": "aeg"}, "did you mean age"),
        ({"direction": "gray"}, "did you mean grey"),
        ({"direction": ["age", "lips"], "strength": [1, 2, 3]}, "3 strengths for 2 directions"),
        ({"direction": "age", "sweep": "0:1:3", "ramp": "0:1"}, "one sheet"),
        ({"direction": "age", "ramp_time": "0:1"}, "goes with --ramp"),
        ({"direction": "age", "ramp": "0:1", "ramp_time": "2:1"}, "before"),
        ({"direction": "age", "ramp": "0:many"}, "number"),
        ({"direction": "age", "sweep": "0:1:1"}, "greater than or equal to 2"),
        ({}, "required"),
    ],
)
def test_what_does_not_fit_is_said(given, told):
    with pytest.raises(ValidationError) as caught:
        EditAttribute(**given)
    assert told in str(caught.value)


def test_a_strength_that_makes_no_face_names_the_range():
    with pytest.raises(RecipeError, match="age at 9") as caught:
        looks(EditAttribute(direction="age", strength=9), [0])
    assert "-3 to 4" in caught.value.hint
    with pytest.raises(RecipeError, match="age at 6"):
        looks(EditAttribute(direction="age", strength=2, ramp="0:3"), [0, 1])
    assert looks(EditAttribute(direction="age", strength=9), [0], family("stylegan2")) == [{"age": 9}]


def test_a_direction_that_only_other_weights_have_names_what_these_have():
    with pytest.raises(RecipeError, match="no direction pose") as caught:
        looks(EditAttribute(direction="pose"), [0])
    assert "smile" in caught.value.hint
    with pytest.raises(RecipeError, match="no direction grey"):
        looks(EditAttribute(direction="grey"), [0], family("stylegan2"))


def test_a_file_of_a_recipe_starts_from_the_recipes_folder(tmp_path):
    content = {"source": "a.jpg", "steps": [{"op": "edit", "direction": ["mine/tan.safetensors", "age"]}]}
    recipe = build(content, folder=tmp_path, where=Where("r.yaml", {}))
    assert recipe.steps[0].inputs() == (tmp_path / "mine" / "tan.safetensors",)
    attribute = recipe.steps[0].apply(shot_of([0]), family(), Scope()).attributes[0]
    assert (attribute.name, attribute.file) == ("tan", tmp_path / "mine" / "tan.safetensors")


@pytest.mark.parametrize("op", ["edit", "edit-attribute"])
def test_both_names_are_one_operation(op):
    recipe = build({"source": "a.jpg", "steps": [{"op": op, "direction": "age"}]}, where=Where("r.yaml", {}))
    assert isinstance(recipe.steps[0], EditAttribute) and recipe.as_data()["steps"][0]["op"] == op


@pytest.fixture(scope="module")
def photo(tmp_path_factory):
    path = tmp_path_factory.mktemp("looks") / "astronaut.png"
    Image.fromarray(data.astronaut()).save(path)
    return path


@pytest.fixture(scope="module")
def engine():
    from styleheat_cli.engine import Engine

    return Engine("default", device="cpu")


def run(photo, output, engine, **step):
    recipe = Recipe(source=Source(path=photo), steps=(EditAttribute(**step),), render=Render(), output=output)
    execute.run(recipe, engine, overwrite=True)
    return np.asarray(Image.open(output))


def test_no_strength_gives_the_photo_back_to_the_bit(photo, tmp_path, engine):
    made = run(photo, tmp_path / "same.png", engine, direction=["age", "smile", "beard", "lips", "grey"], strength=0)
    assert np.array_equal(made, data.astronaut())


def test_a_photo_stays_what_it_is_outside_the_head(photo, tmp_path, engine):
    made, was = run(photo, tmp_path / "old.png", engine, direction=["age", "grey"], strength=[3, 3]), data.astronaut()
    changed = (made != was).any(-1)
    assert changed[60:180, 170:270].mean() > 0.5  # her face
    assert not changed[300:].any() and not changed[:, 400:].any()  # suit, flag, shuttle
    assert np.array_equal(np.asarray(Image.open(tmp_path / "old.png")), made)


def test_a_sweep_writes_one_sheet(photo, tmp_path, engine):
    sheet = run(photo, tmp_path / "sheet.png", engine, direction="lips", sweep="0:3:3")
    third = sheet.shape[1] // 3
    red = [float(sheet[30:, n * third : (n + 1) * third].astype(int)[..., 0].mean() - sheet[30:, n * third : (n + 1) * third, 1].mean()) for n in range(3)]
    assert red[0] < red[1] < red[2]


def test_a_sweep_is_of_a_photo_and_becomes_a_picture(photo, tmp_path, engine):
    with pytest.raises(RecipeError, match="one sheet of one photo"):
        run(photo, tmp_path / "sheet.mp4", engine, direction="lips", sweep="0:3:3")
    with pytest.raises(OutputError, match="one picture only"):
        run(photo, tmp_path / "moving.png", engine, direction="lips", ramp="0:1")


def test_a_shot_keeps_its_looks_when_its_motion_is_another():
    shot = shot_of([0.0, 1.0]).with_(attributes=(Attribute("age", (0.0, 2.0), (0.0, 2.0)),))
    later = shot.with_(motion=replace(shot.motion, times=np.array([1.0, 2.0])))
    assert [later.looks(row) for row in (0, 1)] == [{"age": 1.0}, {"age": 2.0}]
