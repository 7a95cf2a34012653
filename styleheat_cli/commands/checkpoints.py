"""`styleheat checkpoints`: which weights are here, and how published ones come and go."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..checkpoints import family_names, load_family
from ..errors import CheckpointError
from ..ops import Description, Flag
from .console import Talk, result, result_json, table, talking, tell
from .options import command

if TYPE_CHECKING:
    from ..checkpoints.install import Standing

FAMILY = "FAMILY"


class Listing(Description):
    """List families of weights, or the parts of one: where each lies, and whether it is what it was."""

    family: str = ""
    """Family to look into; all of them where none is named."""
    thorough: bool = False
    """Also read every tensor: names, shapes and finite values."""


class Fetch(Description):
    """Fetch published weights, check and convert them; what is there already is not fetched again."""

    family: str
    """Family to fetch, such as styleheat."""
    role: tuple[str, ...] = ()
    """Only what this role needs; may be given many times."""
    accept_license: bool = False
    """Accept the publisher's terms, which are shown without this."""
    folder: Annotated[Path | None, Flag(unit="folder")] = None
    """Folder to keep them in, the user's cache unless told otherwise."""


class Import(Description):
    """Take published weights from a folder that has them, check and convert them; the originals stay as they are."""

    original: Path
    """Folder with the published files, in it or further down."""
    family: str = "styleheat"
    """Family that they belong to."""
    accept_license: bool = False
    """Accept the publisher's terms, which are shown without this."""
    folder: Annotated[Path | None, Flag(unit="folder")] = None
    """Folder to keep them in, the user's cache unless told otherwise."""


class Verify(Description):
    """Check weights to the last number: digests, names, shapes and finite values of every part that is here."""

    family: str = "default"
    """Family to check."""


class Convert(Description):
    """Convert one published file, whatever folder it lies in; it is checked as `fetch` does and stays as it is."""

    original: Path
    """The published file, under a name that its family knows."""
    family: str = "styleheat"
    """Family that it belongs to."""
    accept_license: bool = False
    """Accept the publisher's terms, which are shown without this."""
    folder: Annotated[Path | None, Flag(unit="folder")] = None
    """Folder to keep the result in, the user's cache unless told otherwise."""


class Where(Description):
    """Print where a family's files lie, a line each; those that are not here are left out."""

    family: str = "default"
    """Family to look for."""
    role: tuple[str, ...] = ()
    """Only the file of this role, which has to be there; may be given many times."""


class Remove(Description):
    """Delete weights that were fetched or imported."""

    family: str
    """Family to delete."""
    forget: bool = False
    """Also forget what the files were, so that others of the same names may come."""
    folder: Annotated[Path | None, Flag(unit="folder")] = None
    """Folder that they are in, the user's cache unless told otherwise."""


def register(app: typer.Typer) -> None:
    """Adds the commands under `checkpoints`."""
    group = typer.Typer(help="Weights: which are here, and how published ones come and go.", no_args_is_help=True)
    for name, described, run, argument, example in (
        ("list", Listing, _list, {"family": FAMILY}, "styleheat checkpoints list default"),
        ("fetch", Fetch, _fetch, {"family": FAMILY}, "styleheat checkpoints fetch styleheat --accept-license"),
        ("import", Import, _import, {"original": "FOLDER"}, "styleheat checkpoints import downloads/"),
        ("verify", Verify, _verify, {"family": FAMILY}, "styleheat checkpoints verify styleheat"),
        ("convert", Convert, _convert, {"original": "FILE"}, "styleheat checkpoints convert StyleHEAT_visual.pt"),
        ("path", Where, _where, {"family": FAMILY}, "styleheat checkpoints path styleheat --role generator"),
        ("rm", Remove, _remove, {"family": FAMILY}, "styleheat checkpoints rm styleheat"),
    ):
        doc = f"{described.__doc__}\n\nExample: {example}"
        group.command(name, help=doc)(command(described, Talk, run=run, arguments=argument))
    app.add_typer(group, name="checkpoints")


def _list(given: Listing, talk: Talk) -> None:
    from ..checkpoints.install import standings

    names = [given.family] if given.family else list(family_names())
    found = {name: list(standings(load_family(name), given.thorough)) for name in names}
    if talk.json_:
        result_json({name: [asdict(row) for row in rows] for name, rows in found.items()})
    else:
        rows = [(name, row.role, row.state, row.file, row.detail) for name, rows in found.items() for row in rows]
        result(table(rows, ("family", "role", "state", "file", "")))
    if given.family:
        _check_complete(given.family, found[given.family])


def _check_complete(family: str, rows: list[Standing]) -> None:
    """A family that was asked for by name and cannot be used is a failure."""
    poor = [row for row in rows if row.state == "damaged" or (row.state == "missing" and not row.optional)]
    if poor:
        raise CheckpointError(f"{len(poor)} of {len(rows)} parts of {family} are missing or damaged",
                              hint=f"styleheat checkpoints fetch {family}, or styleheat checkpoints import FOLDER")  # fmt: skip


def _accepting(accepted: bool) -> Callable[[str], bool]:
    """Shows the terms; they count as accepted where the command line says so, or a person who is asked."""

    def accept(terms: str) -> bool:
        tell(terms.strip())
        return accepted or (sys.stdin.isatty() and typer.confirm("Do you accept these terms?", err=True))

    return accept


def _fetch(given: Fetch, talk: Talk) -> None:
    from ..checkpoints.install import fetch_family

    family = load_family(given.family)
    with talking(talk) as progress:
        made = fetch_family(family, given.folder, given.role, _accepting(given.accept_license), progress)
    _tell_made(made, talk)


def _import(given: Import, talk: Talk) -> None:
    from ..checkpoints.install import import_family

    family = load_family(given.family)
    with talking(talk) as progress:
        accept = _accepting(given.accept_license)
        made, missing = import_family(family, given.original, given.folder, accept, progress)
    if missing and not talk.quiet:
        tell(f"not in {given.original}: {', '.join(missing)}")
    _tell_made(made, talk)


def _verify(given: Verify, talk: Talk) -> None:
    _list(Listing(family=given.family, thorough=True), talk)


def _convert(given: Convert, talk: Talk) -> None:
    from ..checkpoints.install import convert_file

    family = load_family(given.family)
    with talking(talk) as progress:
        made = convert_file(family, given.original, given.folder, _accepting(given.accept_license), progress)
    _tell_made(made, talk)


def _where(given: Where, talk: Talk) -> None:
    family = load_family(given.family)
    if given.role:
        found = {role: family.component(role).path() for role in given.role}
    else:
        found = {role: path for role, component in family.components.items() if (path := component.find())}
    if talk.json_:
        return result_json({role: str(path) for role, path in found.items()})
    for path in dict.fromkeys(found.values()):
        result(path)


def _tell_made(made: list[Path], talk: Talk) -> None:
    if talk.json_:
        return result_json({"made": [str(path) for path in made]})
    for path in made:
        result(path)
    if not made and not talk.quiet:
        tell("everything was there already")


def _remove(given: Remove, talk: Talk) -> None:
    from ..checkpoints.install import remove_family

    freed = remove_family(load_family(given.family), given.folder, given.forget)
    result_json({"freed_bytes": freed}) if talk.json_ else result(f"{freed / 1e6:.1f} MB freed")
