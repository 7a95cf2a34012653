"""`make gallery`: the paper's functionality figure: one portrait, all that can be done to it, on one contact sheet."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..ops import Description, Edit, Flag, Render, Source, edits
from ..recipe import Recipe
from .console import Talk, result, talking
from .demo import portrait, recipes_folder
from .edits import Device
from .options import command

if TYPE_CHECKING:
    import numpy as np

    from ..engine.engine import Engine
    from ..progress import Progress

SECONDS = 6.4
COLUMNS = 8
HEIGHT = 148  # px of a picture on the sheet
QUALITY = 80  # of the JPEG
STOPS_S = (0.5, 3.5, 4.5, 5.5, 6.5, 9.5, 12.5, 15.5)
"""Moments of the tour: tilted, looking down, to the right, to the left, an open jaw, pursed lips, a wink, a glance."""


class Gallery(Description):
    """Draw the contact sheet of everything that can be done to one portrait."""

    output: Annotated[Path, Flag(short="-o", unit="file")] = Path("recipes/edit/gallery.jpg")
    """The sheet (.jpg or .png); written over."""
    source: Annotated[Path | None, Flag(unit="file")] = None
    """Another portrait than the astronaut's."""
    driving: Annotated[Path | None, Flag(unit="file")] = None
    """A video or motion file to follow, in place of our own motion."""
    audio: Annotated[Path | None, Flag(unit="file")] = None
    """Speech, in place of syllables made from numbers."""
    device: Device = "auto"
    """Where to compute: auto, cpu, cuda, cuda:1 or mps."""


@dataclass(frozen=True)
class Row:
    """One thing that can be done: its steps, and the moments shown, all over the clip unless told."""

    label: str
    steps: tuple[Edit, ...]
    moments_s: tuple[float, ...] = tuple(SECONDS * (column + 0.5) / COLUMNS for column in range(COLUMNS))


def register(app: typer.Typer) -> None:
    """Adds the command, unlisted: it is for those who work on styleheat itself."""
    app.command("gallery", help=f"{Gallery.__doc__}\n\nExample: make gallery", hidden=True)(command(Gallery, Talk, run=_run))


def rows(driving: Path, audio: Path) -> tuple[Row, ...]:
    """What the sheet shows."""
    reenact, dub, edit, by_hand = (edits()[name] for name in ("reenact", "dub", "edit", "edit-3dmm"))
    return (
        Row("driven by a motion", (reenact(driving=driving),)),
        Row("driven by speech", (dub(audio=audio, mouth=1.3),)),
        Row("driven by both: lips from the speech, all else from the motion", (dub(audio=audio, driving=driving, fit="trim", mouth=1.3),)),
        Row("driven, and edited in age: from twenty years younger to thirty older",
            (reenact(driving=driving), edit(direction="age", ramp=(-2, 3)))),
        Row("edited by the numbers of the morphable model: angles, jaw, lips, a wink, a glance", (by_hand(tour=True),), STOPS_S),
    )  # fmt: skip


def _run(given: Gallery, talk: Talk) -> None:
    from ..engine.engine import Engine
    from ..media.babble import write_babble
    from ..media.output import part_of
    from ..media.sheet import contact_sheet
    from ..media.still import save_image

    engine, source = Engine(device=given.device), given.source or portrait()
    with tempfile.TemporaryDirectory() as folder, talking(talk) as progress:
        audio = given.audio or Path(folder, "babble.wav")
        if given.audio is None:
            write_babble(audio, SECONDS)
        wanted = rows(given.driving or recipes_folder() / "motions" / "demo.safetensors", audio)
        pictures = [list(shown(engine, source, row, Path(folder), progress)) for row in wanted]
    sheet = contact_sheet(pictures, [row.label for row in wanted], height=HEIGHT)
    with part_of(given.output) as part:
        save_image(part, sheet, given.output.suffix, {}, QUALITY)
    result(given.output)


def shown(engine: Engine, source: Path, row: Row, folder: Path, progress: Progress) -> Iterator[np.ndarray]:
    """The pictures of a row, each (S, S, 3) uint8."""
    from .. import execute
    from ..media.reader import frames, probe

    recipe = Recipe(
        source=Source(path=source), steps=row.steps, output=folder / "row.mp4",
        render=Render(crop=True, size=2 * HEIGHT, end=max(*row.moments_s, SECONDS) + 0.1, crf=8),
    )  # fmt: skip
    wanted, clip = list(row.moments_s), probe(execute.run(recipe, engine, progress, overwrite=True).output)
    for frame in frames(clip):
        if wanted and float(frame.time) >= wanted[0] - 1e-6:
            wanted.pop(0)
            yield frame.image
