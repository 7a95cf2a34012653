"""`styleheat run`: do what a recipe file says."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..ops import Description, Flag, Task
from ..ops.evaluate import Evaluate
from ..recipe import Recipe, read_recipe
from .console import Talk, result_json, talking
from .edits import Running, perform
from .evaluate import Evaluating, evaluate
from .options import command


class Run(Description):
    """Do what a recipe file says: the same as the command it was written for, and repeatable."""

    recipe: Path
    """Recipe (.yaml); the files it names are relative to its own folder."""
    set_: Annotated[tuple[str, ...], Flag(long="--set", unit="key=value")] = ()
    """Change a value of the recipe, such as steps.0.pose_gain=0.5 or output=out.mp4; may be given many times."""


EXAMPLE = "styleheat run recipes/edit/reenact.yaml --set source=alice.jpg --set steps.0.driving=bob.mp4"


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("run", help=f"{Run.__doc__}\n\nExample: {EXAMPLE}")(
        command(Run, Running, Talk, run=_run, arguments={"recipe": "RECIPE"})
    )


def _run(given: Run, running: Running, talk: Talk) -> None:
    recipe = read_recipe(given.recipe, given.set_)
    if isinstance(recipe, Recipe):
        return perform(recipe, running, talk)
    if running.dry_run:
        return result_json(recipe.model_dump(mode="json"))
    if isinstance(recipe, Evaluate):
        return evaluate(Evaluating(recipe=given.recipe, set_=given.set_, device=running.device), talk)
    do_task(recipe, running.device, talk)


def do_task(task: Task, device: str, talk: Talk) -> None:
    """Runs a job of training; prints what it returns."""
    from ..engine.engine import Engine

    with talking(talk) as progress:
        engine = Engine(getattr(task, "weights", "default"), device=device, seed=getattr(task, "seed", 0))
        made = task.run(engine, progress)
    if made is not None:
        result_json(made)
