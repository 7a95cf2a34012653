"""Which file belongs to which: two files, two folders, or a list of pairs in a CSV."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from ..errors import InputError
from .moments import Pair

COLUMNS = ("generated", "reference", "driving", "source", "audio")
HIDDEN = "."


def pairs_of(given: Mapping[str, Path | None]) -> list[Pair]:
    """The pairs that these files, folders or list stand for.

    Args:
        given: paths by role (`generated` and any of `reference`, `driving`, `source`, `audio`). Where `generated` is a
            folder, other folders are matched by the name without its ending, and a file serves all pairs. Where it is a
            `.csv`, its columns name the roles and its rows the files, relative to the list.

    Raises:
        InputError: nothing is there, or a file of the generated folder has no counterpart.
    """
    generated = given["generated"]
    others = {role: path for role, path in given.items() if path is not None and role != "generated"}
    if generated is None or not generated.exists():
        raise InputError(f"no such file or folder: {generated}", hint="name a clip, a folder or a .csv of pairs")
    if generated.is_dir():
        return _matched(generated, others)
    if generated.suffix.lower() == ".csv":
        return [
            replace(pair, **{k: v for k, v in others.items() if getattr(pair, k) is None}) for pair in listed(generated)
        ]
    for role, path in others.items():
        if path.is_dir():
            raise InputError(f"--{role} is a folder, --generated a file", hint="give two files or two folders")
    return [Pair(generated, name=generated.stem, **others)]


def _matched(folder: Path, others: Mapping[str, Path]) -> list[Pair]:
    found = [path for path in sorted(folder.iterdir()) if path.is_file() and not path.name.startswith(HIDDEN)]
    found = [path for path in found if path.suffix.lower() not in (".json", ".csv", ".txt", ".yaml", ".md")]
    if not found:
        raise InputError(f"{folder} holds no clips", hint="name the folder that the results lie in")
    by_stem = {role: _by_stem(path) for role, path in others.items() if path.is_dir()}
    pairs = []
    for path in found:
        counterparts = {role: files.get(path.stem) for role, files in by_stem.items()}
        for role, counterpart in counterparts.items():
            if counterpart is None:
                raise InputError(f"{others[role]} holds nothing that is called {path.stem}",
                                 hint="counterparts have the same name, up to the ending; or list pairs in a .csv")  # fmt: skip
        pairs.append(Pair(path, name=path.stem, **{**others, **counterparts}))
    return pairs


def _by_stem(folder: Path) -> dict[str, Path]:
    return {path.stem: path for path in sorted(folder.iterdir()) if path.is_file()}


def listed(path: Path) -> list[Pair]:
    """The pairs of a CSV whose first line names the columns.

    Raises:
        InputError: a column is unknown or missing, or a file is not there; names the line.
    """
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = csv.DictReader(file)
        unknown = [name for name in rows.fieldnames or () if name not in (*COLUMNS, "name")]
        if unknown or "generated" not in (rows.fieldnames or ()):
            what = f"no column is called {unknown[0]}" if unknown else "the column generated is missing"
            raise InputError(f"{path.name}:1: {what}", hint="columns: name, " + ", ".join(COLUMNS))
        pairs = [_row(path, line, row) for line, row in enumerate(rows, start=2)]
    if not pairs:
        raise InputError(f"{path.name} lists no pair", hint="one row a pair below the names of the columns")
    return pairs


def _row(path: Path, line: int, row: Mapping[str, str]) -> Pair:
    files = {role: path.parent / row[role] for role in COLUMNS if row.get(role)}
    for role, file in files.items():
        if not file.is_file():
            raise InputError(f"{path.name}:{line}: {role}: no such file: {file}", hint="paths are relative to the list")
    if "generated" not in files:
        raise InputError(f"{path.name}:{line}: generated is empty", hint="name a clip in every row")
    return Pair(name=row.get("name") or files["generated"].stem, **files)
