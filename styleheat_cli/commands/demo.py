"""`styleheat demo`: the main job on input that every installation has."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..checkpoints.store import own_folder
from ..errors import InputError, OutputError
from ..ops import Description, Flag, Render, Source, edits
from ..recipe import Recipe
from .console import Talk, result, result_json, talking
from .edits import Device
from .options import command


class Demo(Description):
    """Let a portrait nod, turn, speak, blink and smile: writes demo.mp4 and a contact sheet, demo.png."""

    output_dir: Annotated[Path, Flag(unit="folder")] = Path("out")
    """Folder for the two files; made where it is missing."""
    overwrite: Annotated[bool, Flag(short="-y")] = False
    """Overwrite the files of an earlier demo."""
    device: Device = "auto"
    """Where to compute: auto, cpu, cuda, cuda:1 or mps."""


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("demo", help=f"{Demo.__doc__}\n\nExample: styleheat demo --output-dir out")(
        command(Demo, Talk, run=_run)
    )
    app.command("demo-motion", help=f"{DemoMotion.__doc__}\n\nExample: styleheat demo-motion", hidden=True)(
        command(DemoMotion, Talk, run=_write_motion)
    )


class DemoMotion(Description):
    """Write the demo's motion anew, for the morphable model of the embedded family."""

    output: Annotated[Path, Flag(short="-o", unit="file")] = Path("recipes/motions/demo.safetensors")
    """The motion file; written over."""


def _write_motion(given: DemoMotion, talk: Talk) -> None:
    from ..engine.engine import Engine
    from ..media.motion_file import write_motion
    from ..training.choreography import choreograph

    write_motion(given.output, choreograph(Engine().morphable))
    result(given.output)


def _run(given: Demo, talk: Talk) -> None:
    from .. import execute

    try:
        given.output_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{given.output_dir} cannot be made: {error.strerror}", hint="choose another --output-dir") from None
    recipe = demo_recipe(given.output_dir / "demo.mp4", sheet=given.output_dir / "demo.png")
    with talking(talk) as progress:
        made = execute.run(recipe, progress=progress, overwrite=given.overwrite, device=given.device)
    if talk.json_:
        return result_json(made.as_content())
    for path in made.outputs:
        result(path)


def demo_recipe(output: Path, *, sheet: Path | None = None, end: float | None = None, weights: str = "default") -> Recipe:
    """The portrait of the astronaut Eileen Collins (NASA, public domain) driven by our own motion."""
    return Recipe(
        source=Source(path=portrait()),
        steps=(edits()["reenact"](driving=recipes_folder() / "motions" / "demo.safetensors"),),
        render=Render(end=end, sheet=sheet),
        output=output,
        weights=weights,
    )


def recipes_folder() -> Path:
    """The recipes that came with the package."""
    return own_folder().parent / "recipes"


def portrait() -> Path:
    """The portrait that scikit-image carries; nothing is downloaded."""
    import skimage.data

    found = Path(skimage.data.__file__).with_name("astronaut.png")
    if not found.is_file():
        raise InputError("this scikit-image has no astronaut.png", hint="pip install --force-reinstall scikit-image")
    return found
