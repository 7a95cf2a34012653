"""What was measured, for people and for programs: averages over pairs, a table, JSON."""

from __future__ import annotations

import csv
import math
import os
import platform
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import fmean, pstdev
from typing import Any

from .compare import Comparison
from .metric import CATALOGUE, Reading
from .moments import How

ARROWS = {"higher": "↑", "lower": "↓", "near 1": "→1", "near 0": "→0"}

CELLS = ("name", "value", "unit", "better", "samples", "of", "pairs", "spread", "real", "why")
"""Columns of a CSV after the pair."""
EVENTS = ("blinks",)
"""What is rare enough to be counted over all pairs."""


@dataclass(frozen=True)
class Report:
    """Readings averaged over pairs, and each pair's own."""

    readings: list[Reading]
    pairs: list[Comparison]
    how: How = field(default_factory=How)

    def as_content(self) -> dict[str, Any]:
        """The report as JSON data: what was measured, how, when and by which version."""
        return {
            **provenance(),
            "region": self.how.region,
            "metrics": {r.name: content_of(r) for r in self.readings},
            "protocols": {name: CATALOGUE[name].spec.says for name in self._names()},
            "pairs": [_pair_content(comparison) for comparison in self.pairs],
        }

    def as_text(self) -> str:
        """A table for people; what was not measured stands below it, with the reason."""
        measured = [r for r in self.readings if r.value is not None]
        rows = [("metric", "", "value", "±", "real", "n", "")]
        rows += [_row(r) for r in measured]
        lines = _aligned([row if len(self.pairs) > 1 else (*row[:3], *row[4:]) for row in rows])
        lines += [""] + [f"not measured: {r.name}: {r.why}" for r in self.readings if r.value is None]
        notes = dict.fromkeys(f"{c.pair.name}: {note}" for c in self.pairs for note in c.notes)
        return "\n".join([*lines, *(["", *notes] if notes else [])]).rstrip()

    def write_csv(self, path: Path) -> None:
        """One line a metric: first of the set, where `pair` is empty, then of each pair."""
        part = path.with_name(path.name + ".part")
        try:
            with part.open("w", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, ["pair", *CELLS])
                writer.writeheader()
                for name, readings in (("", self.readings), *((c.pair.name, c.readings) for c in self.pairs)):
                    writer.writerows({"pair": name, **{cell: getattr(r, cell) for cell in CELLS}} for r in readings)
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)

    def _names(self) -> list[str]:
        """Catalogue names of what stands in the report, in its order."""
        return [name for name in CATALOGUE if not self.how.only or name in self.how.only]


def report(comparisons: list[Comparison], pooled: Iterable[Reading] = (), how: How | None = None) -> Report:
    """The report of some pairs and of the metrics that were pooled over all of them."""
    by_name: dict[str, list[Reading]] = {}
    for comparison in comparisons:
        for reading in comparison.readings:
            by_name.setdefault(reading.name, []).append(reading)
    for reading in pooled:
        by_name[reading.name] = [replace(reading, pairs=len(comparisons))]
    pool = {reading.name for reading in pooled}
    averaged = [rs[0] if name in pool else average(rs) for name, rs in by_name.items()]
    return Report(sorted(averaged, key=_place), comparisons, how or How())


def average(readings: list[Reading]) -> Reading:
    """The mean over pairs; pairs without a value are left out and not counted.

    Each pair has the same weight, but for shares of events: there each event has.
    """
    measured = [r for r in readings if r.value is not None]
    if not measured:
        return readings[0]
    values, reals = [r.value for r in measured], [r.real for r in measured if r.real is not None]
    return replace(
        measured[0], value=fmean(values, [r.samples for r in measured] if measured[0].of in EVENTS else None), samples=sum(r.samples for r in measured), pairs=len(measured),
        spread=pstdev(values) if len(values) > 1 else None, real=fmean(reals) if reals else None,
    )  # fmt: skip


def content_of(reading: Reading) -> dict[str, Any]:
    """One reading as JSON data; without a value it says why."""
    content = {"value": reading.value, "unit": reading.unit, "better": reading.better}
    if reading.value is None:
        return {"value": None, "why": reading.why}
    content |= {"samples": reading.samples, "of": reading.of, "pairs": reading.pairs}
    content |= {key: getattr(reading, key) for key in ("real", "spread") if getattr(reading, key) is not None}
    return content


def provenance() -> dict[str, Any]:
    """Version, date and machine."""
    from .. import __version__

    return {
        "styleheat": __version__,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
    }


def machine() -> str:
    """Kind of processor and how many of them, without the machine's name."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{platform.system()} {platform.machine()}, {cores} cores, Python {platform.python_version()}"


def _pair_content(comparison: Comparison) -> dict[str, Any]:
    files = {role: getattr(comparison.pair, role) for role in ("generated", "reference", "driving", "source", "audio")}
    return {
        "name": comparison.pair.name,
        **{role: path.name for role, path in files.items() if path is not None},
        "frames": comparison.frames,
        "frames_per_second": round(comparison.frames / comparison.seconds, 1) if comparison.seconds else None,
        "notes": comparison.notes,
        "metrics": {r.name: content_of(r) for r in comparison.readings},
    }


def _place(reading: Reading) -> tuple[bool, int]:
    """Measured ones first, in the order of the catalogue."""
    name = reading.name.partition("[")[0]
    names = list(CATALOGUE)
    at = next((names.index(known) for known in (name, name.rpartition("-")[0], *_family(name)) if known in names), 99)
    return reading.value is None, at


def _family(name: str) -> tuple[str, ...]:
    return ("pose",) if name.split("-")[0] in ("yaw", "pitch", "roll") else (name.split("-")[0],)


def _row(reading: Reading) -> tuple[str, ...]:
    count = f"{reading.samples} {reading.of}" + (f", {reading.pairs} pairs" if reading.pairs > 1 else "")
    spread = "" if reading.spread is None else number(reading.spread)
    real = "" if reading.real is None else number(reading.real)
    value = f"{number(reading.value)} {reading.unit}".rstrip()
    return reading.name, ARROWS[reading.better], value, spread, real, count, ""


def number(value: float) -> str:
    """Four significant digits at most, at most four decimals."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    digits = max(0, min(4, 3 - math.floor(math.log10(abs(value)))))
    text = f"{value:.{digits}f}"
    return text if float(text) else text.removeprefix("-")


def _aligned(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
