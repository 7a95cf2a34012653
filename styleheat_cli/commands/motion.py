"""`styleheat motion`: a clip's motion as a file, extracted once and used many times."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from pydantic import Field

from ..errors import RecipeError
from ..ops import Description, Flag, seconds
from ..ops.operation import Face, FilePath, OnMissingFace, Time
from .console import Talk, result, result_json, talking
from .edits import Device
from .options import command


class Motion(Description):
    """Extract how a face moves into a small motion file, to drive with it later or elsewhere."""

    path: FilePath
    """The video."""
    output: Annotated[Path | None, Flag(short="-o", unit="file")] = None
    """File to write (.safetensors); beside the video unless told otherwise."""
    face: Face = "largest"
    """Which face: largest, left, right, or its number as `styleheat faces` lists it."""
    start: Annotated[Time | None, Flag(unit="time")] = None
    """Begin here: 10, 2.5, 00:00:02.5 or 120f."""
    end: Annotated[Time | None, Flag(unit="time")] = None
    """End here; this moment itself is left out."""
    on_missing_face: OnMissingFace = "keep"
    """Where no face is seen: bridge the gap between its neighbours, hold the last pose, or fail."""
    smooth: Annotated[float, Field(ge=0, le=2), Flag(unit="seconds")] = 0.0
    """Width in seconds, 0 to 2, over which the motion is smoothed; 0 leaves it raw."""
    weights: str = "default"
    """Family of weights that reads the motion: default, styleheat, or the path of a manifest."""
    overwrite: Annotated[bool, Flag(short="-y")] = False
    """Overwrite an output that exists."""
    skip_existing: Annotated[bool, Flag(short="-n")] = False
    """Do nothing where the output exists already."""
    device: Device = "auto"
    """Where to compute: auto, cpu, cuda, cuda:1 or mps."""


EXAMPLE = "styleheat motion bob.mp4 -o bob.safetensors"


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("motion", help=f"{Motion.__doc__}\n\nExample: {EXAMPLE}")(
        command(Motion, Talk, run=_run, arguments={"path": "VIDEO"})
    )


def _run(given: Motion, talk: Talk) -> None:
    output = _checked_output(given)
    if not (given.skip_existing and output.exists()):
        content = _extract(given, output, talk)
    else:
        content = {"skipped": True}
    result_json({"output": str(output), **content}) if talk.json_ else result(output)


def _checked_output(given: Motion) -> Path:
    from ..media.container import check_readable
    from ..media.output import check_output

    check_readable(given.path)
    output = given.output or given.path.with_suffix(".safetensors")
    if output.suffix.lower() != ".safetensors":
        raise RecipeError(f"{output.name}: a motion file ends in .safetensors", hint="-o bob.safetensors")
    check_output(output, overwrite=given.overwrite or given.skip_existing, inputs=[given.path], needed_bytes=1 << 20)
    return output


def _extract(given: Motion, output: Path, talk: Talk) -> dict:
    from ..media.motion_file import write_motion
    from ..media.reader import probe

    fps = probe(given.path).fps
    with talking(talk) as progress:
        from ..engine.engine import Engine

        engine = Engine(given.weights, device=given.device)
        motion = engine.motion_of(
            given.path,
            face=given.face,
            start_s=seconds(given.start, fps),
            end_s=seconds(given.end, fps),
            on_missing_face=given.on_missing_face,
            smooth_s=given.smooth,
            progress=progress,
        )
        write_motion(output, motion)
    gaps = [{"start_s": gap.start_s, "end_s": gap.end_s, "frames": gap.frames} for gap in motion.gaps]
    return {"frames": len(motion.times), "duration_s": float(motion.times[-1] - motion.times[0]), "gaps": gaps}
