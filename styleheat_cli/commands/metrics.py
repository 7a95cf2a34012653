"""`styleheat metrics`: how good is a generated clip, by the papers' measures and ours."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer
from pydantic import Field

from ..ops import Description, Flag
from .console import Talk, result, result_json, talking
from .edits import help_of, with_listing
from .options import command


class Metrics(Description):
    """Measure generated clips against real ones; works on the output of any tool.

    Frames are compared by time, as far as the shorter clip reaches; pictures of one shape at the size of the smaller, others are
    refused. Where a rule was needed, the result says so, as it says what was not measured and why.
    """

    generated: Annotated[Path, Flag(unit="file")]
    """Clip to judge; or a folder of clips, or a .csv with columns generated, reference, driving, source, audio."""
    reference: Annotated[Path | None, Flag(unit="file")] = None
    """The real frames of the same moments; or a folder with the same names."""
    driving: Annotated[Path | None, Flag(unit="file")] = None
    """Clip whose motion it should have; the reference unless told otherwise."""
    source: Annotated[Path | None, Flag(unit="file")] = None
    """Picture or clip that was edited: for identity, sharpness and background."""
    audio: Annotated[Path | None, Flag(unit="file")] = None
    """Sound that it should speak; its own unless told otherwise."""
    only: Annotated[tuple[str, ...], Flag(unit="metric")] = ()
    """Measure only this metric, as --list names them; may be given many times."""
    region: Literal["frame", "face"] = "frame"
    """Which pixels are compared: the whole frame, or the square round the reference's face that is the papers' crop."""
    offset: Annotated[float, Field(ge=-3600, le=3600), Flag(unit="seconds")] = 0.0
    """Time of the other clips at which the generated one begins."""
    csv: Annotated[Path | None, Flag(unit="csv")] = None
    """Also write the table to this CSV, each pair's numbers below the set's."""
    per_frame: Annotated[Path | None, Flag(unit="csv")] = None
    """Also write each frame's values to this CSV."""
    plot: Annotated[Path | None, Flag(unit="png")] = None
    """Also draw each frame's values as curves over time."""
    overwrite: Annotated[bool, Flag(short="-y")] = False
    """Overwrite files that exist."""


EXAMPLE = "styleheat metrics --generated out.mp4 --reference real.mp4 --per-frame out.csv"


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("metrics", help=help_of(Metrics, EXAMPLE))(with_listing(command(Metrics, Talk, run=metrics), listing))


def listing() -> str:
    """Every metric: its name and protocol, where the ideal lies, what it needs, and what it is."""
    from ..metrics import CATALOGUE
    from ..metrics.report import ARROWS

    specs = [entry.spec for entry in CATALOGUE.values()]
    heads = [f"{spec.printed} {ARROWS[spec.better]} {spec.unit}".rstrip() for spec in specs]
    judges = [f"; asks {spec.judge}" if spec.judge else "" for spec in specs]
    return "\n".join(f"{head}\n    {spec.says}{judge}" for head, spec, judge in zip(heads, specs, judges, strict=True))


def metrics(given: Metrics, talk: Talk) -> None:
    """Measure and print: a table, or one JSON object."""
    from ..media.output import check_output
    from ..metrics.compare import needed_names
    from ..metrics.measure import measure
    from ..metrics.moments import How
    from ..metrics.pairs import COLUMNS, pairs_of

    files = {role: getattr(given, role) for role in COLUMNS}
    needed_names(given.only)
    pairs = pairs_of(files)
    for path in (given.csv, given.per_frame, given.plot):
        if path is not None:
            check_output(path, overwrite=given.overwrite, inputs=[p for p in files.values() if p], needed_bytes=1 << 20)
    with talking(talk) as progress:
        how = How(given.only, given.region, given.offset)
        made = measure(pairs, how, per_frame=given.per_frame, picture=given.plot, progress=progress)
    if given.csv:
        made.write_csv(given.csv)
    if talk.json_:
        result_json(made.as_content())
    else:
        result(made.as_text())
