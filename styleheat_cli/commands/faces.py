"""`styleheat faces`: who is in a file, and when."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic import Field

from ..errors import FaceError, RecipeError
from ..ops import Description, Flag, seconds
from ..ops.operation import FilePath, Time
from .console import Talk, result, result_json, table, talking
from .options import command

if TYPE_CHECKING:
    from ..face.census import Appearance
    from ..shot import Clip

SHOWN = 6  # thumbnails of a person in a row of the sheet


class Faces(Description):
    """List the people in a photo or video: the number that --face takes, when each is seen, and how large."""

    path: FilePath
    """The photo or video."""
    thumbnails: Annotated[Path | None, Flag(unit="png")] = None
    """Also write a picture with a row of small faces for each person."""
    every: Annotated[float, Field(gt=0, le=60), Flag(unit="seconds")] = 0.5
    """Seconds between two looks."""
    start: Annotated[Time | None, Flag(unit="time")] = None
    """Begin here: 10, 2.5, 00:00:02.5 or 120f."""
    end: Annotated[Time | None, Flag(unit="time")] = None
    """End here; this moment itself is left out."""
    overwrite: Annotated[bool, Flag(short="-y")] = False
    """Overwrite a picture that exists."""


EXAMPLE = "styleheat faces party.mp4 --thumbnails people.png"


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("faces", help=f"{Faces.__doc__}\n\nExample: {EXAMPLE}")(
        command(Faces, Talk, run=_run, arguments={"path": "FILE"})
    )


def _run(given: Faces, talk: Talk) -> None:
    from ..face.census import find_faces
    from ..media.ahead import ahead
    from ..media.reader import frames, probe

    clip = probe(given.path)
    _check_thumbnails(given)
    start, end = seconds(given.start, clip.fps), seconds(given.end, clip.fps)
    with talking(talk) as progress:
        people = find_faces(ahead(frames(clip, start, end)), given.every, total=clip.frames, progress=progress)
    if not people:
        raise FaceError(f"{given.path.name}: no face of 16 pixels or more in {clip.width}x{clip.height} pictures",
                        file=given.path, hint="a face must be visible, not from behind and not covered")  # fmt: skip
    if given.thumbnails:
        _write_thumbnails(given.thumbnails, people)
    rows = [content_of(person, clip, given.every) for person in people]
    if talk.json_:
        return result_json({"file": str(given.path), "thumbnails": given.thumbnails, "faces": rows})
    lines = [(row["face"], _words(row, clip), "x".join(map(str, row["size"])), "x".join(map(str, row["at"]))) for row in rows]
    result(table(lines, ("face", "seen", "pixels", "centre")))


def _check_thumbnails(given: Faces) -> None:
    from ..media.formats import is_photo
    from ..media.output import check_output

    if given.thumbnails and not is_photo(given.thumbnails):
        raise RecipeError(f"{given.thumbnails.name}: thumbnails are a picture", hint="name a .png or .jpg")
    if given.thumbnails:
        check_output(given.thumbnails, overwrite=given.overwrite, inputs=[given.path])


def content_of(person: Appearance, clip: Clip, every_s: float) -> dict[str, Any]:
    """A person as JSON data: spans of seconds, and the median of size and centre in pixels."""
    import numpy as np

    boxes = np.array(person.boxes)  # [N 4]
    x0, y0, x1, y1 = np.median(boxes, axis=0)
    step = 0.0 if clip.still else max(every_s, float(1 / clip.fps))
    return {
        "face": person.id,
        "spans_s": spans(person.times, step),
        "seen": len(person.times),
        "size": [round(float(x1 - x0)), round(float(y1 - y0))],
        "at": [round(float(x0 + x1) / 2), round(float(y0 + y1) / 2)],
    }


def spans(times: list[float], step_s: float) -> list[list[float]]:
    """[begin, end] of every stretch in which looks follow each other; one look missed in between does not part them."""
    found: list[list[float]] = []
    for time in times:
        if found and time - found[-1][1] <= 1.5 * step_s + 1e-6:
            found[-1][1] = time + step_s
        else:
            found.append([time, time + step_s])
    return [[round(begin, 3), round(end, 3)] for begin, end in found]


def _words(row: dict[str, Any], clip: Clip) -> str:
    if clip.still:
        return "in the picture"
    length = float(clip.duration_s)
    return ", ".join(f"{begin:.1f}–{min(end, length):.1f} s" for begin, end in row["spans_s"])


def _write_thumbnails(path: Path, people: list[Appearance]) -> None:
    from ..media.output import part_of
    from ..media.sheet import contact_sheet
    from ..media.still import save_image

    rows = [person.thumbnails[:SHOWN] for person in people]
    with part_of(path) as file:
        save_image(file, contact_sheet(rows, [f"face {person.id}" for person in people], height=128), path.suffix, {})
