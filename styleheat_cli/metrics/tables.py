"""An evaluation as tables: published rows, the still photo, other tools and ours, one line a method."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from .published import BESIDE, Published
from .report import ARROWS, number

SHOWN = {
    "same-id": (
        "psnr", "ssim", "lpips-alex", "fid", "csim", "aed", "apd", "f-lmd", "m-lmd", "cpbd", "sharpness", "shake",
        "mouth-opening-corr", "mouth-width-gain", "lids",
    ),
    "cross-id": (
        "fid", "csim", "aed", "apd", "yaw-corr", "yaw-gain", "pitch-corr", "pitch-gain", "roll-corr", "roll-gain", "shake",
        "mouth-opening-corr", "mouth-width-corr", "mouth-width-gain", "blinks-found", "blinks-invented", "likeness",
        "likeness:real", "likeness-driver", "likeness-driver:real", "likeness-leak", "sharpness", "background", "background-changed",
        "background-touched",
    ),
    "dub": (
        "mouth-opening-aligned", "mouth-width-aligned", "mouth-opening-corr", "mouth-width-corr", "mouth-opening-lag",
        "mouth-width-lag", "lips-at-rest", "m-lmd", "f-lmd",
        "ssim", "cpbd", "sync-conf", "sync-dist", "voice-corr", "voice-lag", "sharpness", "mouth-sharpness", "csim",
    ),
    "edit": (
        *(f"{name}-{what}" for name in ("age", "beard", "lips", "smile", "grey") for what in ("rises", "slope", "likeness", "nearer", "outside")),
        "strangers", "csim", "older", "likeness", "shake", "jitter", "warp-error", "pose-distance", "mouth-opening-corr", "sharpness",
        "mouth-sharpness", "background", "background-changed",
    ),
    "edit-3dmm": (
        "yaw-slope", "pitch-slope", "roll-slope", "smile-over-others", "jaw_open-over-others", "mouth_wide-over-others",
        "pucker-over-others", "brows_up-over-others", "brows_down-over-others", "blink_left-over-others", "blink_right-over-others",
        "squint-over-others", "gaze_x-over-others", "gaze_y-over-others",
    ),
    "ablation": ("psnr", "ssim", "f-lmd", "m-lmd", "sharpness", "shake", "jitter", "mouth-opening-corr", "lids"),
    "inversion": ("psnr", "ssim", "psnr-without-detail", "ssim-without-detail"),
}  # fmt: skip
"""Columns of each task's table, by the metrics' names without protocol, `:real` for the same on real pictures; all others are in
the JSON."""


HERE = {"lpips": "lpips-alex", "aed": "aed-deep3d", "apd": "apd-deep3d"}
"""What stands below a paper's column of another name."""


def as_text(content: Mapping[str, Any]) -> str:
    """The tables of an evaluation's JSON, for people."""
    return "\n\n".join(_task(task, result) for task, result in content["tasks"].items())


def _task(task: str, result: Mapping[str, Any]) -> str:
    methods = result["methods"]
    columns = [name for name in SHOWN[task] if any(reading_of(name, method["metrics"]) for method in methods.values())]
    lines = [f"{task}: {result['cases']} cases"]
    lines += aligned([_header(columns, methods), *(row(name, each, columns) for name, each in methods.items())])
    lines += _not_measured(SHOWN[task], columns, methods)
    if result.get("failed"):
        lines += [f"failed: {case}: {why}" for case, why in result["failed"].items()]
    return "\n\n".join(["\n".join(lines), *beside(task, methods)])


def beside(task: str, methods: Mapping[str, Any]) -> list[str]:
    """The papers' tables of a task, ours below their rows, as text."""
    return ["\n".join(_published(table, methods)) for table in BESIDE.get(task, ())]


def _header(columns: Sequence[str], methods: Mapping[str, Any]) -> list[str]:
    marks = {name: next(reading for each in methods.values() if (reading := reading_of(name, each["metrics"]))) for name in columns}
    return ["method", *(f"{name}{ARROWS[marks[name]['better']]}" for name in columns), "n"]


def row(name: str, method: Mapping[str, Any], columns: Sequence[str]) -> list[str]:
    """The name, a value for each column, and the number of samples, in brackets of cases; with a value where it is another."""
    readings = [reading_of(column, method["metrics"]) for column in columns]
    counts = Counter((reading["samples"], reading["pairs"]) for reading in readings if reading)
    usual = counts.most_common(1)[0][0] if counts else (0, 0)
    return [name, *(_cell(reading, usual[0]) for reading in readings), f"{usual[0]} ({usual[1]})"]


def _cell(reading: Mapping[str, Any] | None, samples: int) -> str:
    """The value; with the number of its samples, unless it is the usual one."""
    if reading is None:
        return "–"
    return number(reading["value"]) + ("" if reading["samples"] == samples else f" ({reading['samples']})")


def reading_of(name: str, metrics: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The reading of a metric, or of `NAME:real`, whatever its protocol; nothing where it was not measured."""
    bare, _, real = name.partition(":")
    key = real or "value"
    found = next((r for full, r in metrics.items() if full.partition("[")[0] == bare and r.get(key) is not None), None)
    return found and {**found, "value": found[key]}


def _not_measured(wanted: Sequence[str], columns: Sequence[str], methods: Mapping[str, Any]) -> list[str]:
    absent = {}
    for name in wanted:
        if name in columns:
            continue
        for each in methods.values():
            for full, reading in each["metrics"].items():
                if _is(full, name) and reading["value"] is None:
                    absent.setdefault(full, reading["why"])
    return [f"not measured: {full}: {why}" for full, why in absent.items()]


def _is(full: str, name: str) -> bool:
    bare = full.partition("[")[0]
    return bare == name or name.startswith(bare + "-")


def _published(table: Published, methods: Mapping[str, Any]) -> list[str]:
    """A paper's table as it was printed, what was measured here below it, and what is different there."""
    head = ["method", *table.columns, "n"]
    rows = [[method, *(number(value) for value in values), ""] for method, values in table.rows.items()]
    here = [row(f"here: {name}", each, [HERE.get(c, c) for c in table.columns]) for name, each in methods.items()]
    return [f"published: {table.source}", *aligned([head, *rows, *here]), f"there: {table.differs}"]


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows with columns under each other, the first to the left, the others to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join([row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))]).rstrip()
            for row in rows]  # fmt: skip


def as_markdown(content: Mapping[str, Any]) -> str:
    """The tables of an evaluation's JSON for a README: a line a measure, with date, commit, machine and data below."""
    parts = [_upright(task, result) for task, result in content["tasks"].items() if result["methods"]]
    parts.append(
        "n: frames or portraits, in brackets cases; → the ideal. Measured by `make evaluate` on files held out by identity: "
        f"{content['date'][:10]}, commit {(content.get('commit') or 'unknown')[:10]}, {content['machine']}, "
        f"data `{content['data']}`, weights `{content['weights']}`." + _elsewhen(content)
    )
    return "\n\n".join(parts) + "\n"


def _elsewhen(content: Mapping[str, Any]) -> str:
    """What was measured by another run than the rest."""
    runs = {task: f"{task}: {run['date'][:10]}, commit {(run['commit'] or 'unknown')[:10]}"
            for task, result in content["tasks"].items() if (run := result.get("measured"))}  # fmt: skip
    return f" But {'; '.join(runs.values())}." if runs else ""


def _upright(task: str, result: Mapping[str, Any]) -> str:
    """One task as Markdown, methods side by side."""
    methods = result["methods"]
    rows = [("measure", *methods, "n"), ("---", *["---:"] * (len(methods) + 1))]
    for name in SHOWN[task]:
        readings = [reading_of(name, method["metrics"]) for method in methods.values()]
        known = next((reading for reading in reversed(readings) if reading), None)
        if known:
            label = f"{name} {ARROWS[known['better']]} {known['unit']}".strip()
            cells = [_cell(reading, known["samples"]) for reading in readings]
            rows.append((label, *cells, f"{known['samples']} ({known['pairs']})"))
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return f"**{task}**, {result['cases']} cases\n\n" + "\n".join(lines)


def summary(content: Mapping[str, Any]) -> dict[str, Any]:
    """An evaluation's JSON without single cases: what is kept beside the recipe and shown in the README."""
    tasks = {}
    for task, result in content["tasks"].items():
        methods = {name: {"metrics": _valued(method)} for name, method in result["methods"].items()}
        tasks[task] = {
            "cases": result["cases"],
            "region": result["region"],
            "methods": methods,
            "failed": result["failed"],
        }
    return {**content, "tasks": tasks}


def merged(content: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    """A summary with the tasks of an earlier one that were not measured now, where data and weights are the same."""
    if any(content[name] != before.get(name) for name in ("data", "weights")):
        return dict(content)
    run = {"date": before["date"], "commit": before.get("commit")}
    kept = {task: {"measured": run, **result} for task, result in before["tasks"].items()}
    return {**content, "tasks": {**kept, **content["tasks"]}}


def _valued(method: Mapping[str, Any]) -> dict[str, Any]:
    return {name: reading for name, reading in method["metrics"].items() if reading["value"] is not None}
