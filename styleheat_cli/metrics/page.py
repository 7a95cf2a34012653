"""An evaluation as one page to look at: each task's table, every case's numbers, the sheet of what came out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from .report import ARROWS
from .tables import SHOWN, beside, reading_of, row

STYLE = """
body { font: 14px/1.4 sans-serif; margin: 2em; max-width: 100em }
table { border-collapse: collapse; margin: 1em 0; font-variant-numeric: tabular-nums }
th, td { padding: .2em .6em; text-align: right; border-bottom: 1px solid #ddd; white-space: nowrap }
th:first-child, td:first-child { text-align: left }
img { max-width: 100% }
"""


def write_page(folder: Path, content: Mapping[str, Any]) -> Path:
    """`report.html` in the folder of an evaluation, from its JSON; sheets are shown from where they lie."""
    parts = [_task(folder, task, result) for task, result in content["tasks"].items()]
    measured = f"{content['date'][:16]}, commit {(content.get('commit') or 'unknown')[:10]}, {content['machine']}, weights {content['weights']}"
    page = (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>styleheat: evaluation</title><style>{STYLE}</style>"
        f"<h1>Evaluation</h1><p>{escape(measured)}</p>{''.join(parts)}</html>\n"
    )
    path = folder / "report.html"
    path.write_text(page, encoding="utf-8")
    return path


def _task(folder: Path, task: str, result: Mapping[str, Any]) -> str:
    methods = result["methods"]
    columns = [name for name in SHOWN[task] if any(reading_of(name, each["metrics"]) for each in methods.values())]
    head = ["", *(f"{name} {_arrow(name, methods)}" for name in columns), "n"]
    means = [row(name, each, columns) for name, each in methods.items()]
    parts = [f"<h2>{escape(task)}</h2><p>{result['cases']} cases</p>", _table(head, means)]
    for name, each in methods.items():
        rows = [row(case, {"metrics": metrics}, columns) for case, metrics in each.get("pairs", {}).items()]
        parts.append(f"<h3>{escape(name)}, case by case</h3>{_table(head, rows)}" if rows else "")
    parts += [f"<pre>{escape(text)}</pre>" for text in beside(task, methods)]
    failed = "".join(f"<li>{escape(case)}: {escape(why)}" for case, why in result.get("failed", {}).items())
    parts.append(f"<h3>Failed</h3><ul>{failed}</ul>" if failed else "")
    sheets = sorted((folder / task).glob("*.png"))
    return "".join([*parts, *(f'<p><img src="{escape(task)}/{escape(sheet.name)}" alt="{escape(sheet.stem)}">' for sheet in sheets)])


def _arrow(name: str, methods: Mapping[str, Any]) -> str:
    known = next(reading for each in methods.values() if (reading := reading_of(name, each["metrics"])))
    return f"{ARROWS[known['better']]} {known['unit']}".strip()


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["".join(f"<th>{escape(cell)}" for cell in head), *("".join(f"<td>{escape(cell)}" for cell in row) for row in rows)]
    return "<table>" + "".join(f"<tr>{line}" for line in lines) + "</table>"
