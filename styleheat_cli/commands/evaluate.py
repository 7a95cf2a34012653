"""`styleheat evaluate`: the papers' tables, ours beside them, from a recipe and a folder of clips."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import Field

from ..errors import RecipeError
from ..ops import Description, Flag
from ..ops.evaluate import Evaluate
from ..recipe import Recipe, read_recipe
from .console import Talk, result, result_json, talking, tell
from .edits import Device
from .options import command


class Evaluating(Description):
    """Run an operation over a set of clips, measure the results, and print them beside other tools and the papers."""

    recipe: Path
    """Recipe of an evaluation (.yaml)."""
    data: Annotated[Path | None, Flag(unit="folder")] = None
    """Folder with the clips and photos; a pairs.csv in it may say what belongs together."""
    outputs: Annotated[tuple[str, ...], Flag(unit="name=folder")] = ()
    """Finished results of another tool to stand in the same table, called CASE.* or CASE/NAME.*; NAME alone lies in the data.
    May be given many times."""
    ours: bool = True
    """Make and measure our own results; else only those of other tools."""
    output_dir: Annotated[Path | None, Flag(short="-o", unit="folder")] = None
    """Where results and tables go, out/evaluate/RECIPE unless told otherwise; a second run goes on where one stopped."""
    weights: str | None = None
    """Family of weights: default, styleheat, or the path of a manifest."""
    seconds: Annotated[float | None, Field(gt=0), Flag(unit="seconds")] = None
    """Only the beginning of each clip, so long."""
    only: Annotated[tuple[str, ...], Flag(unit="metric")] = ()
    """Measure only this metric; may be given many times."""
    save: Annotated[Path | None, Flag(unit="json")] = None
    """Also write the tables' numbers, without single cases, to this file; tasks in it that were not measured now stay."""
    set_: Annotated[tuple[str, ...], Flag(long="--set", unit="key=value")] = ()
    """Change a value of the recipe; may be given many times."""
    device: Device = "auto"
    """Where to compute: auto, cpu, cuda, cuda:1 or mps."""


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("evaluate", help=f"{Evaluating.__doc__}\n\nExample: {Evaluate.example}")(
        command(Evaluating, Talk, run=evaluate, arguments={"recipe": "RECIPE"})
    )


def evaluate(given: Evaluating, talk: Talk) -> None:
    """Run the evaluation and print its tables, or its JSON."""
    from ..engine import Engine

    task = _task(given)
    with talking(talk) as progress:
        content = task.run(Engine(task.weights, device=given.device, seed=task.seed), progress)
    if talk.json_:
        result_json(content)
    else:
        from ..metrics.tables import as_text

        result(as_text(content))
        tell(f"written: {task.output_dir / 'results.json'}")
    if given.save:
        from ..metrics.evaluation import write_json
        from ..metrics.tables import merged, summary

        before = json.loads(given.save.read_text("utf-8")) if given.save.is_file() else {}
        write_json(given.save, merged(summary(content), before))
    task.check_failures(content)


def _task(given: Evaluating) -> Evaluate:
    """The recipe, with what was typed at the prompt in place of its own."""
    task = read_recipe(given.recipe, given.set_)
    if isinstance(task, Recipe) or not isinstance(task, Evaluate):
        raise RecipeError(f"{given.recipe.name} is no evaluation", hint="its kind must be evaluate")
    typed: dict[str, Any] = {name: getattr(given, name) for name in ("data", "output_dir", "weights", "seconds")}
    typed |= {name: getattr(given, name) for name in ("outputs", "only") if getattr(given, name)}
    changes = {name: value for name, value in typed.items() if value is not None}
    if "output_dir" not in task.model_fields_set:
        changes.setdefault("output_dir", task.output_dir / given.recipe.stem)
    return task.model_copy(update={**changes, "ours": given.ours and task.ours})
