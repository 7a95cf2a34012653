"""A command for every job in the catalogue: `styleheat train NAME`, `styleheat evaluate`."""

from __future__ import annotations

import typer

from ..ops import Description, Task, tasks
from .console import Talk
from .edits import Device, help_of
from .options import command
from .run import do_task


class Computing(Description):
    """Where it computes."""

    device: Device = "auto"
    """Where to compute: auto, cpu, cuda, cuda:1 or mps."""


def register(app: typer.Typer) -> None:
    """Adds the commands; jobs whose kind begins with `train-` stand together under `train`.

    A job that has a command of its own is left to it.
    """
    taken = {listed.name for listed in app.registered_commands}
    training = typer.Typer(help="Make weights: the jobs that made the embedded family.", no_args_is_help=True)
    for kind, described in tasks().items():
        if kind in taken:
            continue
        group = training if kind.startswith("train-") else app
        name, *others = (each.removeprefix("train-") for each in described.names())
        made = command(described, Computing, Talk, run=_run)
        group.command(name, help=help_of(described))(made)
        for other in others:
            group.command(other, help=f"The same as {name}.", hidden=True)(made)
    if training.registered_commands:
        app.add_typer(training, name="train")


def _run(task: Task, computing: Computing, talk: Talk) -> None:
    do_task(task, computing.device, talk)
