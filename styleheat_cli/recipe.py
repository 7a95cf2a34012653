"""A recipe: what is to be made, as data. YAML in, YAML out; every error names the file, the line and the key."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, Union, get_args

import yaml
from pydantic import BaseModel, Field, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from .errors import RecipeError
from .ops import Description, Edit, FilePath, Flag, Render, Source, Task, Typed, by_every_name, edits, tasks

VERSION = 1
LARGEST_BYTES = 1 << 20
DEEPEST = 50  # levels; a recipe has three
LARGEST_NODES = 20_000  # once every alias is written out: what an anchor bomb is made of

Described = TypeVar("Described", bound=BaseModel)
_kinds = tuple(edits().values())
AnyEdit = _kinds[0] if len(_kinds) == 1 else Annotated[Union[_kinds], Field(discriminator="op")]  # noqa: UP007


class Recipe(Description):
    """What is edited, by which steps, and how the result is made."""

    version: Literal[1] = VERSION
    """Version of this format."""
    kind: Literal["edit"] = "edit"
    """What sort of recipe this is."""
    source: Source
    """The photo or video to edit: its name, or a table with path, face and on_missing_face."""
    steps: tuple[AnyEdit, ...] = ()  # type: ignore[valid-type]
    """The edits, in order."""
    render: Render = Field(default_factory=Render)
    """How the result is made."""
    output: Annotated[FilePath | None, Flag(short="-o", unit="file")] = None
    """File to write; {stem}, {op} and {ext} stand for the source's name, the last step and the source's ending."""
    weights: str = "default"
    """Family of weights: default (comes with the tool), styleheat (published), or the path of a manifest."""
    seed: int = 0
    """Where randomness starts; the same seed gives the same result."""

    def inputs(self) -> tuple[Path, ...]:
        """Every file it reads, each once, the source first."""
        inversion = [self.source.inversion] if self.source.inversion else []
        return tuple(dict.fromkeys([self.source.path, *inversion, *(path for step in self.steps for path in step.inputs())]))

    def as_data(self, *, names_only: bool = False) -> dict[str, Any]:
        """Plain data for YAML or JSON without the defaults; `names_only` leaves out the folders of all files."""
        content = self.model_dump(mode="python", exclude_defaults=True)
        content = {"version": VERSION, **content}
        for step, edit in zip(content.get("steps", ()), self.steps, strict=True):
            step["op"] = edit.op  # a default, and yet what the step is
        if "steps" in content:
            content["steps"] = [{"op": step.pop("op"), **step} for step in content["steps"]]
        return _plain(content, names_only)


def _plain(value: Any, names_only: bool) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item, names_only) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, names_only) for item in value]
    if isinstance(value, Path):
        return value.name if names_only else str(value)
    return value


def to_yaml(content: Mapping[str, Any]) -> str:
    """Plain data as YAML, in its own order."""
    return yaml.safe_dump(dict(content), sort_keys=False, allow_unicode=True)


def read_recipe(path: Path | str, settings: Iterable[str] = ()) -> Recipe | Task:
    """The recipe in a YAML file; `settings` are `key=value` from the prompt and win over the file.

    Raises:
        RecipeError: for anything that is not a recipe, with file, line and key.
    """
    path = Path(path)
    content, lines = parse(_text_of(path), path.name)
    given = frozenset(_set(content, setting) for setting in settings)
    return build(content, folder=path.parent, where=Where(path.name, lines, given))


def read_described(path: Path, described: type[Described]) -> Described:
    """What a YAML file says in the words of a description. Raises RecipeError with file, line and key."""
    content, lines = parse(_text_of(path), path.name)
    try:
        return described.model_validate(content)
    except ValidationError as error:
        raise _explained(error, content, described, Where(path.name, lines)) from None


@dataclass(frozen=True)
class Where:
    """Where the keys of a recipe were written: `lines` by the key's path, `given` those typed at the prompt."""

    name: str
    lines: Mapping[tuple, int]
    given: frozenset[tuple] = frozenset()

    def __call__(self, keys: tuple) -> str:
        """`recipe.yaml:7: steps.1.smooth`, or `--set steps.1.smooth`."""
        dotted = ".".join(map(str, keys))
        if any(keys[: len(known)] == known for known in self.given):
            return f"--set {dotted}"
        while keys and keys not in self.lines:
            keys = keys[:-1]
        at = f"{self.name}:{self.lines[keys]}" if keys in self.lines else self.name
        return f"{at}: {dotted}" if dotted else at


def build(content: Any, *, folder: Path | None = None, where: Where) -> Recipe | Task:
    """The recipe that plain data describes; paths in it start from `folder`, unless they were typed."""
    if not isinstance(content, dict):
        raise RecipeError(f"{where(())}: a recipe is a table of keys and values", hint="begin with source: and steps:")
    kind = content.get("kind", "edit")
    known = {"edit": Recipe, **by_every_name(tasks())}
    described = known.get(kind) if isinstance(kind, str) else None
    if described is None:
        raise RecipeError(f"{where(('kind',))}: {kind!r} is no kind of recipe", hint=_nearest(str(kind), known))
    try:
        return described.model_validate(content, context={"folder": folder})
    except ValidationError as error:
        raise _explained(error, content, described, where) from None


def _text_of(path: Path) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(LARGEST_BYTES + 1)
    except FileNotFoundError:
        raise RecipeError(f"no such recipe: {path}", hint="check the name and the folder") from None
    except OSError as error:
        raise RecipeError(f"{path} cannot be read: {error.strerror}", hint="name a YAML file") from None
    if len(raw) > LARGEST_BYTES:
        raise RecipeError(f"{path.name} is larger than 1 MB: no recipe is", hint="name a YAML file written by hand")
    try:
        return raw.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise RecipeError(f"{path.name}:{line}: not UTF-8 text", hint="save the file as UTF-8") from None


def parse(text: str, name: str) -> tuple[Any, dict[tuple, int]]:
    """YAML as plain data, and the line of every key; nothing in it can run code or grow without bound."""
    try:
        loader = _Loader(text)
        root = loader.get_single_node()
        if root is None:
            raise RecipeError(f"{name} is empty", hint="begin with source: and steps:")
        lines: dict[tuple, int] = {}
        _survey(root, (), lines, name)
        return loader.construct_document(root), lines
    except yaml.MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        raise RecipeError(f"{name}{line}: {_yaml_problem(error)}", hint="see recipes/edit for examples") from None
    except (yaml.YAMLError, ValueError) as error:
        raise RecipeError(f"{name}: {str(error).splitlines()[0]}", hint="see recipes/edit for examples") from None
    except RecursionError:
        raise RecipeError(f"{name} is nested too deeply", hint="a recipe has three levels") from None


class _Loader(yaml.SafeLoader):
    """Gives up at the first value that lies too deep, before thousands of open brackets cost their square in time."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node:
        self.depth += 1
        if self.depth > DEEPEST:
            raise RecursionError
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


def _yaml_problem(error: yaml.MarkedYAMLError) -> str:
    problem = error.problem or "not YAML"
    if "could not determine a constructor for the tag" in problem:
        return problem.replace("could not determine a constructor for the tag", "no recipe may hold") + ": data only"
    return problem


def _survey(node: yaml.Node, keys: tuple, lines: dict[tuple, int], name: str) -> None:
    """Notes the line of every key; refuses keys that come twice, and aliases that grow beyond measure."""
    lines.setdefault(keys, node.start_mark.line + 1)
    if len(lines) > LARGEST_NODES:
        raise RecipeError(f"{name} has more than {LARGEST_NODES} values once its aliases are written out",
                          hint="a recipe needs no anchors")  # fmt: skip
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            _survey(item, (*keys, index), lines, name)
    elif isinstance(node, yaml.MappingNode):
        for key, item in node.value:
            place = (*keys, str(key.value))
            if place in lines:
                raise RecipeError(f"{name}:{key.start_mark.line + 1}: {'.'.join(map(str, place))} comes twice",
                                  hint=f"the first is in line {lines[place]}")  # fmt: skip
            lines[place] = key.start_mark.line + 1
            _survey(item, place, lines, name)


def _set(content: Any, setting: str) -> tuple:
    """Puts `key=value` into the data; returns the key's path."""
    dotted, equals, text = setting.partition("=")
    keys = tuple(int(key) if key.isdecimal() else key for key in dotted.strip().split("."))
    if not equals or not all(key != "" for key in keys):
        raise RecipeError(f"--set {setting}: not key=value", hint="write for example --set steps.0.smooth=0.1")
    value, _ = parse(text or "''", f"--set {dotted}")
    _put(content, keys, Typed(value) if isinstance(value, str) else value, dotted)
    return keys


def _put(content: Any, keys: tuple, value: Any, dotted: str) -> None:
    for key in keys[:-1]:
        if isinstance(content, dict):
            content = content.setdefault(key, {})
        elif isinstance(content, list) and isinstance(key, int) and key < len(content):
            content = content[key]
        else:
            raise RecipeError(f"--set {dotted}: there is no {key} to set it in", hint="steps count from 0")
    last = keys[-1]
    if isinstance(content, dict) or (isinstance(content, list) and isinstance(last, int) and last < len(content)):
        content[last] = value
    else:
        raise RecipeError(f"--set {dotted}: there is no {last} to set", hint="steps count from 0")


def _explained(found: ValidationError, content: Any, described: type[BaseModel], where: Where) -> RecipeError:
    """What pydantic found first, in the words of the file; a mistyped key explains the rest."""
    error = min(found.errors(), key=lambda each: each["type"] != "extra_forbidden")
    keys = _keys_of(error["loc"], content)
    at = where(keys)
    if error["type"] == "extra_forbidden":
        return RecipeError(
            f"{at}: not an option", hint=_nearest(str(keys[-1]), options_at(keys[:-1], content, described))
        )
    if error["type"] == "missing":
        return RecipeError(f"{at}: is missing", hint=f"add {keys[-1]}: … to the recipe")
    if error["type"].startswith("union_tag"):
        given = error["ctx"].get("tag", "nothing")
        return RecipeError(f"{where((*keys, 'op'))}: {given!r} is no operation", hint=_nearest(given, edits()))
    return RecipeError(f"{at}: {in_words(error)}", hint="`styleheat COMMAND --help` lists every option and its range")


def in_words(error: ErrorDetails) -> str:
    """A pydantic error as the end of a sentence, with the value that was given."""
    message = error["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
    given = error.get("input")
    shown = given if isinstance(given, str | int | float) and error["type"] != "value_error" else None
    return message + (f", not {shown!r}" if shown is not None else "")


def _keys_of(loc: tuple, content: Any) -> tuple:
    """The part of a pydantic location that is in the file, without the tags of its unions."""
    keys: list = []
    for place, key in enumerate(loc):
        if (isinstance(content, dict) and key in content) or (isinstance(content, list) and isinstance(key, int) and key < len(content)):
            content = content[key]
        elif place < len(loc) - 1 and isinstance(content, dict):
            continue  # the tag of a union: its members are in the same table
        elif isinstance(content, dict):
            return (*keys, key)
        else:
            break
        keys.append(key)
    return tuple(keys)


def options_at(keys: tuple, content: Any, described: type[BaseModel]) -> list[str]:
    """Names that a table of the recipe may have."""
    if keys[:1] == ("steps",) and len(keys) == 2:
        kind = by_every_name(edits()).get(content["steps"][keys[1]].get("op", ""), _kinds[0])
        return list(kind.model_fields)
    field = described.model_fields.get(str(keys[0])) if keys else None
    return list(((field and _table_in(field.annotation)) or described).model_fields)


def _table_in(annotation: Any) -> type[BaseModel] | None:
    """The description inside a type, such as that of the tables of a list."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for inner in get_args(annotation) if (found := _table_in(inner))), None)


def _nearest(given: str, known: Iterable[str]) -> str:
    known = list(known)
    close = get_close_matches(given.replace("-", "_"), known, 1, 0.5) or get_close_matches(given, known, 1, 0.5)
    return f"did you mean {close[0]}?" if close else "known: " + ", ".join(known)


def json_schema() -> dict[str, Any]:
    """The JSON schema of every kind of recipe, for editors."""
    recipe = TypeAdapter(Union[(Recipe, *tasks().values())])
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "styleheat recipe",
        **recipe.json_schema(),
    }


def schema_text() -> str:
    """The schema as it lies in recipes/schema.json."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"


__all__ = ["AnyEdit", "Edit", "Recipe", "build", "json_schema", "parse", "read_recipe", "schema_text", "to_yaml"]
