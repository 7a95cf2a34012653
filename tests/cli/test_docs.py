"""What is generated is up to date, and what it says is true."""

import json
from pathlib import Path

import pytest

from styleheat_cli.app import app
from styleheat_cli.commands.docs import commands_of, documents
from styleheat_cli.ops import catalogue
from styleheat_cli.recipe import parse, read_recipe, schema_text

ROOT = Path(__file__).parents[2]


def is_recipe(path):
    """Whether a file says what to do; other files beside recipes are lists that recipes name."""
    content, _ = parse(path.read_text("utf-8"), path.name)
    return path.parent.name == "edit" or "kind" in content or "source" in content


RECIPES = [path for path in sorted((ROOT / "recipes").rglob("*.yaml")) if is_recipe(path)]


def test_the_reference_and_the_schema_are_up_to_date():
    for path, text in documents(app, ROOT).items():
        assert path.read_text("utf-8") == text, f"{path.name}: run `make docs`"


@pytest.mark.parametrize("path", RECIPES, ids=[str(path.relative_to(ROOT)) for path in RECIPES])
def test_every_recipe_in_the_repository_is_valid(path):
    text = path.read_text("utf-8")
    assert read_recipe(path) is not None
    if path.parent.name == "edit":
        assert text.startswith("# yaml-language-server: $schema=../schema.json\n"), "editors complete it by this line"


def test_there_are_recipes():
    assert any(path.parent.name == "edit" for path in RECIPES)


def test_the_schema_knows_every_operation_and_forbids_the_rest():
    schema = json.loads(schema_text())
    definitions = schema["$defs"]
    for kind in catalogue.values():
        described = definitions[kind.__name__]
        assert described["additionalProperties"] is False
        assert set(described["properties"]) == set(kind.model_fields)
        assert all("description" in value for name, value in described["properties"].items() if name not in ("op", "kind"))


def test_the_reference_names_every_option_of_every_command():
    readme = (ROOT / "README.md").read_text("utf-8")
    for name, listed in commands_of(app):
        section = readme.partition(f"\n### {name}\n")[2].partition("\n### ")[0]
        assert "styleheat " + name in section
        for described in getattr(listed.callback, "described", ())[:1]:
            assert all((info.description or "").split("|")[0][:40] in section for info in described.model_fields.values() if info.description)
