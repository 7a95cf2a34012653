"""Each moment's values: as rows of a CSV, and as curves over time."""

from __future__ import annotations

import csv
import os
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from .metric import CATALOGUE

PICTURE_ROWS = 3000
"""A plot needs no more moments than it has pixels; of longer clips it shows every second, third, … one."""


class Curves:
    """Collects what is plotted: some thousand moments at most, evenly spread."""

    def __init__(self) -> None:
        self.every, self.count = 1, 0
        self.times: array = array("d")
        self.values: dict[str, array] = {}

    def add(self, time_s: float, values: dict[str, float]) -> None:
        """Take a moment in."""
        if self.count % self.every == 0:
            for name in {*self.values, *values}:
                curve = self.values.setdefault(name, array("d", [np.nan] * len(self.times)))
                curve.append(values.get(name, np.nan))
            self.times.append(time_s)
        self.count += 1
        if len(self.times) > PICTURE_ROWS:
            self._thin()

    def _thin(self) -> None:
        self.times = self.times[::2]
        self.values = {name: curve[::2] for name, curve in self.values.items()}
        self.every *= 2


@contextmanager
def rows_to(path: Path) -> Iterator:
    """A function that writes rows (pair, time, values) to a CSV, one metric a column; the name appears at the end."""
    part = path.with_name(path.name + ".part")
    names = list(CATALOGUE)
    try:
        with part.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["pair", "time_s", *(CATALOGUE[name].spec.printed for name in names)])

            def write(pair: str, time_s: float, values: dict[str, float]) -> None:
                cells = (f"{values[name]:.6g}" if name in values else "" for name in names)
                writer.writerow([pair, f"{time_s:.4f}", *cells])

            yield write
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def plot(path: Path, curves: dict[str, Curves]) -> None:
    """A PNG with one panel a metric, one line a pair, over the seconds of the generated clips."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    names = [name for name in CATALOGUE if any(name in each.values for each in curves.values())]
    figure, axes = pyplot.subplots(
        max(len(names), 1), 1, figsize=(10, 1.8 * max(len(names), 1)), sharex=True, squeeze=False
    )
    for axis, name in zip(axes[:, 0], names, strict=False):
        for pair, each in curves.items():
            if name in each.values:
                axis.plot(each.times, each.values[name], linewidth=0.8, label=pair)
        spec = CATALOGUE[name].spec
        axis.set_ylabel(f"{name}\n{spec.unit}" if spec.unit else name, fontsize=8)
        axis.grid(alpha=0.3)
    axes[-1, 0].set_xlabel("seconds")
    if 1 < len(curves) <= 12:
        axes[0, 0].legend(fontsize=7)
    figure.tight_layout()
    part = path.with_name(path.name + ".part")
    try:
        figure.savefig(part, dpi=100, format="png")
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
        pyplot.close(figure)
