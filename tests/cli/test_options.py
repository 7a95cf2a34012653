"""From a description to options: names, bounds, defaults and opposites come from the one place."""

from pathlib import Path
from typing import Annotated, Literal

import pytest
import typer
from pydantic import Field

from styleheat_cli.commands.options import command, part, prompt_type
from styleheat_cli.ops import Description, Flag


class Colour(Description):
    """A test's description."""

    path: Path
    """What to paint."""
    gain: Annotated[float, Field(ge=0, le=2)] = 1.0
    """How much."""
    tone: Literal["warm", "cold"] = "warm"
    """Which [tone]."""
    fresh: Annotated[bool, Flag(off="--stale")] = True
    """Whether new."""
    plain: bool = False
    """A switch."""
    size: Annotated[int | None, Field(ge=2), Flag(short="-s", unit="pixels")] = None
    """How large."""
    rate: Literal["own"] | float = "own"
    """Number or word."""
    names: tuple[str, ...] = ()
    """Many."""


class Shared(Description):
    """Another that shares a name."""

    size: int | None = None
    """How large, elsewhere."""


def called(*arguments):
    """What the function behind the options receives."""
    got = []
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command("a")(command(Colour, Shared, run=lambda *built: got.extend(built), arguments={"path": "FILE"}))
    app.command("b")(lambda: None)
    app(["a", *arguments], standalone_mode=False)
    return got


def test_defaults_are_the_description_s():
    colour, shared = called("x.png")
    assert colour == Colour(path=Path("x.png")) and shared == Shared()


def test_values_are_typed():
    colour, shared = called("x.png", "--gain", "1.5", "--tone", "cold", "--stale", "--plain", "-s", "8", "--rate", "25", "--names", "a", "--names", "b")
    assert (colour.gain, colour.tone, colour.fresh, colour.plain, colour.rate) == (1.5, "cold", False, True, 25.0)
    assert colour.names == ("a", "b") and colour.size == shared.size == 8


@pytest.mark.parametrize(
    ("arguments", "word"),
    [(["--gain", "3"], "--gain"), (["--tone", "blue"], "--tone"), (["--size", "1"], "--size"), (["--rate", "x"], "--rate")],
)
def test_what_is_out_of_range_names_the_option(arguments, word):
    with pytest.raises(typer.TyperException) as caught:
        called("x.png", *arguments)
    assert caught.value.exit_code == 2 and word in caught.value.format_message()


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [(int | None, int | None), (Annotated[Path, 1] | None, Path | None), (Literal["a"] | int, str), (tuple[str, ...], list[str]), (float, float)],
)
def test_the_prompt_gets_types_that_it_can_parse(annotation, expected):
    assert prompt_type(annotation) == expected


def test_a_part_of_a_description_keeps_bounds_and_spelling():
    some = part(Colour, "gain", "size")
    assert list(some.model_fields) == ["gain", "size"] and some(gain=2).gain == 2
    with pytest.raises(ValueError, match="less than or equal to 2"):
        some(gain=3)
