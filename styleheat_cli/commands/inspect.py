"""`styleheat inspect`: how a file was made, from the record inside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import InputError
from ..ops import Description, Flag
from ..ops.operation import is_motion
from ..recipe import LARGEST_BYTES, Where, build, to_yaml
from .console import Talk, result, result_json, tell
from .options import command


class Inspect(Description):
    """Show the recipe, the weights and the version that made a file."""

    path: Path
    """A video or picture that styleheat made, or a motion file."""
    save_recipe: Annotated[Path | None, Flag(unit="yaml")] = None
    """Write the recipe to this file; `styleheat run` does it again beside the same inputs."""
    overwrite: Annotated[bool, Flag(short="-y")] = False
    """Overwrite a recipe that exists."""


EXAMPLE = "styleheat inspect alice-as-bob.mp4 --save-recipe again.yaml"


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("inspect", help=f"{Inspect.__doc__}\n\nExample: {EXAMPLE}")(
        command(Inspect, Talk, run=_run, arguments={"path": "FILE"})
    )


def _run(given: Inspect, talk: Talk) -> None:
    record = _motion_record(given.path) if is_motion(given.path) else record_of(given.path)
    if given.save_recipe:
        _save(record, given)
    if talk.json_:
        return result_json(record)
    text = to_yaml({key: value for key, value in record.items() if key != "recipe"})
    result((text + (to_yaml({"recipe": record["recipe"]}) if "recipe" in record else "")).rstrip())


def record_of(path: Path) -> dict[str, Any]:
    """The record in a file that styleheat made."""
    from ..media.metadata import read_metadata
    from ..outputs import RECORD

    text = read_metadata(path).get(RECORD, "")
    try:
        record = json.loads(text) if 0 < len(text) <= LARGEST_BYTES else None
    except (ValueError, RecursionError):
        record = None
    if not isinstance(record, dict):
        raise InputError(f"{path.name} holds no record of styleheat",
                         file=path, hint="it was made by something else, or another program dropped its metadata")  # fmt: skip
    return record


def _motion_record(path: Path) -> dict[str, Any]:
    from ..media.motion_file import motion_notes, read_motion

    motion = read_motion(path)
    return {**motion_notes(path), "frames": len(motion.times), "duration_s": float(motion.times[-1] - motion.times[0])}


def _save(record: dict[str, Any], given: Inspect) -> None:
    from ..media.output import check_output, part_of

    target = given.save_recipe
    if "recipe" not in record:
        raise InputError(f"{given.path.name} holds no recipe", file=given.path, hint="only results of an edit do")
    build(record["recipe"], where=Where(given.path.name, {}))
    check_output(target, overwrite=given.overwrite, inputs=[given.path])
    with part_of(target) as part:
        part.write_text(to_yaml(record["recipe"]), "utf-8")
    tell(f"recipe written to {target}")
