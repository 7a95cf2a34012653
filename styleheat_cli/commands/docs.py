"""`make docs`: the README's reference and the schema of recipes, written from the descriptions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import typer

from ..errors import OutputError
from ..ops import Description
from ..recipe import schema_text
from .console import Talk, result
from .options import NOT_OPTIONS, command, prompt_type, spelling

BEGIN, END = "<!-- reference: begin -->", "<!-- reference: end -->"
MEASURED = ("held-out", "dub", "edit")  # evaluations whose tables the README shows, in this order
RESULTS_BEGIN, RESULTS_END = "<!-- results: begin -->", "<!-- results: end -->"


class Docs(Description):
    """Write the README's reference and recipes/schema.json anew."""

    folder: Path = Path()
    """The repository."""


def register(app: typer.Typer) -> None:
    """Adds the command, unlisted: it is for those who work on styleheat itself."""

    def run(given: Docs, talk: Talk) -> None:
        for path, text in documents(app, given.folder).items():
            path.write_text(text, "utf-8")
            result(path)

    app.command("docs", help=f"{Docs.__doc__}\n\nExample: make docs", hidden=True)(command(Docs, Talk, run=run))


def documents(app: typer.Typer, folder: Path) -> dict[Path, str]:
    """The generated files as they should be."""
    readme = folder / "README.md"
    if not readme.is_file():
        raise OutputError(f"{readme} is not there", hint="run this in the repository")
    text = _between(readme.read_text("utf-8"), BEGIN, END, reference(app))
    measured = [path for name in MEASURED if (path := folder / "recipes" / "evaluate" / f"{name}.json").is_file()]
    if measured:
        from ..metrics.tables import as_markdown

        tables = [as_markdown(json.loads(path.read_text("utf-8"))) for path in measured]
        text = _between(text, RESULTS_BEGIN, RESULTS_END, "\n".join(tables))
    return {
        readme: text,
        folder / "recipes" / "schema.json": schema_text(),
    }


def _between(text: str, begin: str, end: str, content: str) -> str:
    """The text with what stands between two marks replaced."""
    before, mark, rest = text.partition(begin)
    if not mark:
        return text
    return f"{before}{begin}\n{content}{end}{rest.partition(end)[2]}"


def reference(app: typer.Typer) -> str:
    """Every command and option as Markdown."""
    parts, common = [], []
    for path, listed in commands_of(app):
        described = getattr(listed.callback, "described", ())
        arguments = getattr(listed.callback, "arguments", {})
        common = [model for model in described if model is Talk] or common
        text, _, example = (listed.help or "").partition("\n\nExample: ")
        usage = " ".join(["styleheat", path, *arguments.values(), "[options]"])
        parts.append(f"### {path}\n\n{text}\n\n```\n{usage}\n{example}\n```\n")
        rows = [row for model in described if model is not Talk for row in _rows(model, arguments)]
        parts.append(_markdown(rows))
    parts.append("### Every command\n\n" + _markdown([row for model in common for row in _rows(model, {})]))
    return "\n".join(parts)


def commands_of(app: typer.Typer, prefix: str = "") -> list[tuple[str, Any]]:
    """(words after `styleheat`, command) of all that are listed."""
    own = [(f"{prefix}{listed.name}", listed) for listed in app.registered_commands if not listed.hidden]
    groups = [commands_of(group.typer_instance, f"{prefix}{group.name} ") for group in app.registered_groups]
    return own + [found for group in groups for found in group]


def _rows(model: type, arguments: dict[str, str]) -> list[tuple[str, str, str]]:
    """(how it is typed, default, help) of every option of a description."""
    rows = []
    for name, field in model.model_fields.items():
        if name in NOT_OPTIONS:
            continue
        long, short, opposite = spelling(name, field)
        typed = arguments.get(name) or ", ".join(part for part in (long, opposite, short) if part)
        default = "" if field.is_required() else field.get_default(call_default_factory=True)
        shown = "" if default in (None, (), "") or prompt_type(field.annotation) is bool else f"{default}"
        rows.append((f"`{typed}`", shown or ("needed" if field.is_required() else ""), " ".join((field.description or "").split())))
    return rows


def _markdown(rows: list[tuple[str, str, str]]) -> str:
    lines = ["| option | default | |", "| --- | --- | --- |"]
    return (
        "\n".join([*lines, *(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows)])
        + "\n"
    )
