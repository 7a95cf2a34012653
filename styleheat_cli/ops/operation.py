"""What an operation is, and the catalogue of all of them.

An operation is described once, as a frozen pydantic model: its fields are the options of its command, the keys of its
recipe step, its JSON schema and its page of the reference. Importing this package imports nothing heavy.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from inspect import cleandoc
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, TypeVar, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, WithJsonSchema

from ..progress import Progress, silent

if TYPE_CHECKING:
    from ..engine.engine import Engine
    from ..shot import Shot


class Description(BaseModel):
    """A frozen set of named settings; the docstring under a field is its help."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, defer_build=True)

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:
        for name, text in _docstrings(cls.__module__).get(cls.__qualname__, {}).items():
            if name in cls.model_fields:
                cls.model_fields[name].description = text


@cache
def _docstrings(module: str) -> dict[str, dict[str, str]]:
    """What stands under the fields of a module's classes. (pydantic can do this too, at three times the cost.)"""
    file = sys.modules[module].__file__
    classes = [node for node in ast.parse(Path(file or "").read_bytes()).body if isinstance(node, ast.ClassDef)]
    return {node.name: dict(_described(node.body)) for node in classes}


def _described(body: list[ast.stmt]) -> Iterator[tuple[str, str]]:
    for field, text in pairwise(body):
        match field, text:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(words))):
                yield name, cleandoc(words)


@dataclass(frozen=True)
class Flag:
    """How a field is spelled at the prompt, where its name alone does not say it.

    `short` is one letter with its dash, `long` another name, `off` the option that says no, `unit` what is counted.
    """

    short: str = ""
    long: str = ""
    off: str = ""
    unit: str = ""


class Typed(str):
    """A value typed at the prompt, not read from a file: a path in it starts from the current folder."""


def beside_the_recipe(value: Any, info: ValidationInfo) -> Any:
    """A file's name as read from a recipe: it starts from the recipe's folder, unless it was typed."""
    folder = (info.context or {}).get("folder")
    if folder is None or isinstance(value, Typed) or not isinstance(value, str):
        return value
    return folder / Path(value).expanduser()


FilePath = Annotated[Path, BeforeValidator(beside_the_recipe)]
"""A file named in a recipe: relative to the recipe's own folder."""

_CLOCK = re.compile(r"(?:(?:(\d+):)?(\d{1,2}):)?(\d+(?:\.\d*)?|\.\d+)")
_COUNT = re.compile(r"(\d+)f")


def _parse_time(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    text = value.strip()
    if _COUNT.fullmatch(text):
        return text
    clock = _CLOCK.fullmatch(text)
    if not clock:
        raise ValueError(f"{value!r} is not a time: write 10, 2.5, 00:00:02.5, or a count of frames such as 120f")
    hours, minutes, seconds = clock.groups(default="0")
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)


Time = Annotated[
    Annotated[float, Field(ge=0, allow_inf_nan=False)] | Annotated[str, Field(pattern=r"^\d+f$")],
    BeforeValidator(_parse_time),
    WithJsonSchema({"type": ["number", "string"], "description": "seconds, clock time (00:00:02.5) or frames (120f)"}),
]
"""Seconds; at the prompt also a clock time, or a count of frames such as `120f`."""


def seconds(time: float | str | None, fps: Fraction) -> float | None:
    """A time in seconds; counts of frames are divided by the clip's rate."""
    if isinstance(time, str):
        return int(time.removesuffix("f")) / float(fps) if fps else 0.0
    return time


def _parse_face(value: Any) -> Any:
    return int(value) if isinstance(value, str) and value.isdecimal() else value


Face = Annotated[
    Literal["largest", "left", "right"] | Annotated[int, Field(ge=1)],
    BeforeValidator(_parse_face),
    Flag(unit="which"),
]
"""Which face of a clip: the largest, the leftmost, the rightmost, or its number from the left, from 1."""

OnMissingFace = Literal["keep", "hold", "fail"]

Gain = Annotated[float, Field(ge=0, le=3)]


def is_motion(path: Path) -> bool:
    """Whether this is a motion file, by its name."""
    return path.suffix.lower() == ".safetensors"


@dataclass(frozen=True)
class Scope:
    """What the recipe says of all its steps: the stretch of the timeline to make, and what a missing face means.

    `start` and `end` are times of the timeline: of the source clip, or of the clip that drives a still. `still`: a
    photo need not be made to last, as one picture is wanted, or another step sets the time. `rate`: frames per second
    that the result shall have, where the recipe says.
    """

    start: float | str | None = None
    end: float | str | None = None
    on_missing_face: OnMissingFace = "keep"
    progress: Progress = silent
    still: bool = False
    rate: Fraction | None = None


class Operation(Description):
    """Something the tool can do, by name."""

    example: ClassVar[str] = ""
    """A command line that does it, for the help."""

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """What its `op` (edits) or `kind` (tasks) may be: its own name, then the others that it goes by."""
        return get_args(cls.model_fields["op" if issubclass(cls, Edit) else "kind"].annotation)

    def inputs(self) -> tuple[Path, ...]:
        """Files it reads."""
        return ()


class Edit(Operation):
    """A step of a recipe: rewrites how the shot moves, never its pixels."""

    @classmethod
    def listing(cls) -> dict[str, Any]:
        """What `--list` tells, by family of weights: names, each with what it says, its step, low, high and usual value."""
        return {}

    def labels(self) -> tuple[str, ...]:
        """What stands over the pictures of its result, where that is one sheet of many pictures."""
        return ()

    def driver(self) -> Path | None:
        """The file that sets the time of a photo and may end a clip, where there is one."""
        return None

    def voice(self) -> Path | None:
        """The file whose speech is spoken, and heard with the result, where there is one."""
        return None

    def moves(self) -> bool:
        """Whether its result changes with time, so that a photo becomes a clip."""
        return True

    def lasts(self) -> float:
        """Seconds of the clip that it makes of a photo that nothing drives; 0 where it makes none by itself.

        Raises:
            RecipeError: for a score that cannot be read.
        """
        return 0.0

    def apply(self, shot: Shot, engine: Engine, scope: Scope) -> Shot:
        """The shot, edited."""
        raise NotImplementedError


class Task(Operation):
    """A job of its own: training, evaluation. Its `kind` is the recipe's."""

    def run(self, engine: Engine, progress: Progress = silent) -> Any:
        """Do the job; what it returns is printed as JSON."""
        raise NotImplementedError


catalogue: dict[str, type[Operation]] = {}
"""Every operation by the name of its command."""

Kind = TypeVar("Kind", bound=type[Operation])


def operation(described: Kind) -> Kind:
    """Enter an operation in the catalogue under its own name."""
    name = described.names()[0]
    if name in catalogue:
        raise ValueError(f"two operations are called {name}")
    catalogue[name] = described
    return described


def edits() -> dict[str, type[Edit]]:
    """The operations that can be steps of a recipe."""
    return {name: kind for name, kind in catalogue.items() if issubclass(kind, Edit)}


def tasks() -> dict[str, type[Task]]:
    """The operations that are jobs of their own."""
    return {name: kind for name, kind in catalogue.items() if issubclass(kind, Task)}


def by_every_name(known: Mapping[str, Kind]) -> dict[str, Kind]:
    """Operations by all names that they go by."""
    return {name: described for described in known.values() for name in described.names()}
