"""A command for every edit in the catalogue: a recipe of one step."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import typer
from pydantic import AfterValidator

from ..ops import Description, Edit, Flag, Render, Source, edits
from ..recipe import Recipe, to_yaml
from .allocator import keep_freed_memory
from .console import Talk, result, result_json, table, talking, tell
from .options import command, part


def _check_device(name: str) -> str:
    kind, _, number = name.partition(":")
    if kind not in ("auto", "cpu", "cuda", "mps") or (":" in name and not (kind == "cuda" and number.isdecimal())):
        raise ValueError(f"{name!r} is no device: write auto, cpu, cuda, cuda:1 or mps")
    return name


Device = Annotated[str, AfterValidator(_check_device), Flag(unit="device")]
Dtype = Literal["auto", "float32", "bf16", "fp16"]
Compiled = Annotated[bool, Flag(long="--compile")]


class Running(Description):
    """How a run goes about it; nothing here is part of the recipe."""

    overwrite: Annotated[bool, Flag(short="-y")] = False
    """Overwrite an output that exists."""
    skip_existing: Annotated[bool, Flag(short="-n")] = False
    """Do nothing where the output exists already."""
    dry_run: bool = False
    """Show the plan (inputs, frames, weights and their licences, estimated time and memory); write nothing."""
    device: Device = "auto"
    """Where to compute: auto, cpu, cuda, cuda:1 or mps."""
    dtype: Dtype = "auto"
    """Float type of the published networks: auto is float32 on a CPU and bf16 on a GPU that has it."""
    compiled: Compiled = False
    """Compile the published networks first, which takes a minute the first time; meant for GPUs, on a CPU it gains nothing."""
    checkpoints: Annotated[Path | None, Flag(unit="folder")] = None
    """Folder to look for weights in first."""


MAKING = part(Recipe, "output", "weights", "seed")


def register(app: typer.Typer) -> None:
    """Adds a command for every edit."""
    for described in edits().values():
        name, *others = described.names()
        doc = help_of(described)
        run = _runner(described)
        made = command(Source, described, Render, MAKING, Running, Talk, run=run, arguments={"path": "SOURCE"})
        if described.listing():
            made = with_listing(made, partial(listing_of, described))
        app.command(name, help=doc)(made)
        for other in others:
            app.command(other, help=f"The same as {name}.", hidden=True)(made)


def with_listing(made: Callable[..., None], listing: Callable[[], str]) -> Callable[..., None]:
    """The command with `--list`, which tells what there is and needs nothing else."""

    def tell_all(wanted: bool) -> None:
        if wanted:
            result(listing())
            raise typer.Exit

    told = typer.Option("--list", is_eager=True, callback=tell_all, help="Tell what there is; do nothing else.")
    signature = made.__signature__  # type: ignore[attr-defined]
    asked = inspect.Parameter("list_", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=Annotated[bool, told])
    made.__signature__ = signature.replace(parameters=[*signature.parameters.values(), asked])  # type: ignore[attr-defined]
    return made


def listing_of(described: type[Edit]) -> str:
    """What an edit can change, family by family."""
    return "\n\n".join(
        f"--weights {family}\n" + table([
            (name, f"{each.low:g} to {each.high:g}, usually {each.usual:g}", f"1 is {each.step}", each.says)
            for name, each in directions.items()
        ])
        for family, directions in described.listing().items()
    )  # fmt: skip


def help_of(described: type, example: str = "") -> str:
    """What the help of a command says: the description, a line a paragraph, then an example, its own unless given."""
    paragraphs = inspect.cleandoc(described.__doc__ or "").split("\n\n")
    return "\n\n".join([*(" ".join(part.split()) for part in paragraphs), f"Example: {example or described.example}"])


def _runner(described: type[Edit]):
    def run(source: Source, step: Edit, render: Render, making, running: Running, talk: Talk) -> None:
        recipe = Recipe(source=source, steps=(step,), render=render, **dict(making))
        perform(recipe, running, talk)

    return run


def perform(recipe: Recipe, running: Running, talk: Talk) -> None:
    """Runs a recipe as a command: the plan if only that is wanted, else the work, then one line of result."""
    from .. import execute

    if running.overwrite and running.skip_existing:
        raise typer.BadParameter("--overwrite and --skip-existing exclude each other")
    if running.dry_run:
        return show_plan(recipe, running, talk)
    if recipe.weights != "default":
        keep_freed_memory()
    with talking(talk) as progress:
        made = execute.run(
            recipe,
            progress=progress,
            overwrite=running.overwrite,
            skip_existing=running.skip_existing,
            device=running.device,
            dtype=running.dtype,
            compiled=running.compiled,
            checkpoints=running.checkpoints,
        )
    if talk.json_:
        return result_json(made.as_content())
    if made.skipped and not talk.quiet:
        tell(f"{made.output.name} exists already: skipped")
    elif talk.verbose:
        speed = made.frames / made.seconds["total"]
        tell(f"{made.frames} frames, {made.duration_s:.2f} s, in {made.seconds['total']:.1f} s ({speed:.1f} frames/s)")
    result(made.output)


def show_plan(recipe: Recipe, running: Running, talk: Talk) -> None:
    """What a run would do, without doing it."""
    from ..preflight import prepare

    plan = prepare(recipe, overwrite=running.overwrite or running.skip_existing, checkpoints=running.checkpoints)
    content = plan.as_content()
    if talk.json_:
        return result_json({"plan": content})
    result(table(plan_rows(content)) + "\n\n" + to_yaml(content["recipe"]).rstrip())


def plan_rows(content: dict) -> list[tuple[str, str]]:
    """A plan as lines of a table."""
    estimate, (width, height) = content["estimate"], content["size"]
    picture = f"{width}x{height}, {content['frames']} frames at {float(Fraction(content['fps'])):.4g} fps, {content['duration_s']:.2f} s"
    needs = (
        f"{estimate['seconds']:.0f} s, {estimate['memory_bytes'] / 1e9:.1f} GB of memory, "
        f"{estimate['disk_bytes'] / 1e6:.0f} MB on disk"
    )
    return [
        ("source", _clip_line(content["source"])),
        *(("driving", _clip_line(driving)) for driving in content["driving"]),
        *([("speech", content["speech"])] if content["speech"] else []),
        ("sound", content["sound_from"] or "none"),
        *(("output", path) for path in content["outputs"]),
        ("picture", picture),
        *(("weights", _weights_line(row)) for row in content["weights"]),
        *(("terms", terms) for terms in dict.fromkeys(row["licence"] for row in content["weights"])),
        ("estimate", needs),
        *(("note", note) for note in content["notes"]),
    ]


def _weights_line(row: dict) -> str:
    return f"{row['role']}: {row['file']}, {row['bytes'] / 1e6:.1f} MB{'' if row['here'] else ', not here'}"


def _clip_line(content: dict) -> str:
    if content.get("motion"):
        return f"{content['file']} (motion)"
    width, height = content["size"]
    if content.get("still"):
        return f"{content['file']} (photo, {width}x{height})"
    return f"{content['file']} ({width}x{height}, {content['frames']} frames, {content['duration_s']:.2f} s)"
