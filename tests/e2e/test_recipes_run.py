"""Every recipe of the repository, run on a portrait or a short clip at small size; and what a chain costs."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from styleheat_cli.media.reader import frames, probe
from styleheat_cli.recipe import parse
from tests.synthetic import face, face_clip, photo, tone, write_sound

pytestmark = pytest.mark.slow

FOLDER = Path(__file__).parents[2] / "recipes" / "edit"
RECIPES = sorted(FOLDER.glob("*.yaml"))
SECONDS = 0.4


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Something for every input of a recipe, by its role and kind."""
    folder = tmp_path_factory.mktemp("inputs")
    write_sound(folder / "speech.wav", tone(SECONDS, 22050, hz=150), 22050)
    return {
        "photo": photo(folder / "alice.png", face(256)),
        "clip": face_clip(folder / "bob.mp4", SECONDS, size=192),
        "driving": folder / "bob.mp4",
        "audio": folder / "speech.wav",
    }


def settings_of(recipe, files, output):
    """`--set` for whatever the recipe names that is not there, and for a small result."""
    content, _ = parse(recipe.read_text("utf-8"), recipe.name)
    source = content["source"]
    key, name = ("source.path", source["path"]) if isinstance(source, dict) else ("source", source)
    given = {key: files["clip" if name.endswith(".mp4") else "photo"], "output": output}
    given |= {"render.crop": "true", "render.size": 64}
    given |= dict.fromkeys(["render.sheet"] if content.get("render", {}).get("sheet") else [], output.with_name("sheet.png"))
    for count, step in enumerate(content["steps"]):
        given |= {f"steps.{count}.{role}": files[role] for role in ("driving", "audio") if role in step and not (FOLDER / step[role]).exists()}
    begins = 0 if any("steps" in key for key in given) else 0.6  # our own motions rest before that
    given |= {"render.start": begins, "render.end": begins + SECONDS}
    return [part for key, value in given.items() for part in ("--set", f"{key}={value}")]


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_makes_a_clip_in_which_something_moves(cli, files, tmp_path, one_engine, recipe):
    output = tmp_path / "out.mp4"
    settings = settings_of(recipe, files, output)
    planned = cli("run", recipe, *settings, "--dry-run", "--json")
    assert planned.code == 0 and not output.exists(), planned.err
    assert cli("run", recipe, *settings).code == 0
    made = [frame.image.astype(int) for frame in frames(probe(output))]
    assert len(made) == planned.json["plan"]["frames"] and made[0].shape == (64, 64, 3)
    assert max(np.abs(b - a).mean() for a, b in pairwise(made)) > 0.1


def test_a_setting_reaches_into_a_chain(cli, files, tmp_path, one_engine):
    chain = FOLDER / "chain.yaml"
    settings = settings_of(chain, files, tmp_path / "out.mp4")
    planned = cli("run", chain, *settings, "--set", "steps.2.direction=beard", "--set", "steps.3.yaw=5", "--dry-run", "--json").json
    assert [step["op"] for step in planned["plan"]["recipe"]["steps"]] == ["reenact", "dub", "edit", "edit-3dmm"]
    assert planned["plan"]["recipe"]["steps"][3]["yaw"] == 5
    wrong = cli("run", chain, *settings, "--set", "steps.3.yew=5")
    assert wrong.code == 2 and "--set steps.3.yew: not an option" in wrong.err and "did you mean yaw" in wrong.err


@pytest.mark.timed
def test_four_operations_in_one_pass_cost_little_more_than_the_slowest_of_them(files, tmp_path):
    from styleheat_cli.commands.bench_chain import costs, over_slowest
    from styleheat_cli.engine import Engine
    from styleheat_cli.progress import silent

    driving = face_clip(tmp_path / "bob.mp4", 1, size=192)
    found = list(costs(Engine("default", device="cpu"), driving, 1.0, 256, silent))
    assert len(found) == 5 and {frames for _, frames, *_ in found} == {25}
    assert over_slowest(found) <= 1.3, found
