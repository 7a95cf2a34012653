"""`styleheat invert`: a photo as the generator holds it, in a file."""

from __future__ import annotations

import typer

from ..ops.invert import Invert
from .allocator import keep_freed_memory
from .console import Talk, result, result_json, talking, tell
from .edits import Running, help_of
from .options import command, part

PLACE = part(Running, "device", "checkpoints")


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("invert", help=help_of(Invert))(
        command(Invert, PLACE, Talk, run=_run, arguments={"path": "PHOTO"})
    )


def _run(given: Invert, place, talk: Talk) -> None:
    from ..engine.engine import Engine

    if given.weights != "default":
        keep_freed_memory()
    with talking(talk) as progress:
        made = given.run(Engine(given.weights, device=place.device, checkpoints=place.checkpoints), progress)
    if talk.json_:
        return result_json(made)
    if not talk.quiet:
        tell(f"{made['method']}: PSNR {made['psnr']:.2f} dB, SSIM {made['ssim']:.4f} ({made['preview']})")
    result(made["output"])
