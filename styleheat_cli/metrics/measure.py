"""Many pairs measured as one set: pair by pair, pooled where a metric wants it, rows and curves on the way."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path

from ..progress import Progress, silent
from .compare import compare, named
from .curves import Curves, plot, rows_to
from .judges import Judges
from .metric import Metric
from .moments import How, Pair
from .report import Report, report


def measure(
    pairs: Iterable[Pair],
    how: How | None = None,
    *,
    judges: Judges | None = None,
    per_frame: Path | None = None,
    picture: Path | None = None,
    progress: Progress = silent,
) -> Report:
    """Compare all pairs.

    Args:
        per_frame: a CSV to write each moment's values to.
        picture: a PNG to plot them in.

    Raises:
        StyleheatError: for the first pair that cannot be compared.
    """
    how, judges = how or How(), judges or Judges()
    pooled: dict[str, Metric] = {}
    curves: dict[str, Curves] = {}
    comparisons = []
    with ExitStack() as held:
        write = held.enter_context(rows_to(per_frame)) if per_frame else None
        for pair in pairs:
            mine = Curves()

            def row(time_s, values, pair=pair, mine=mine):
                if write:
                    write(pair.name, time_s, values)
                if picture:
                    mine.add(time_s, values)

            comparisons.append(compare(pair, how, judges=judges, pooled=pooled, row=row, progress=progress))
            curves[pair.name] = mine
    if picture:
        plot(picture, curves)
    over_all = [named(reading, how.region) for metric in pooled.values() for reading in metric.readings()]
    return report(comparisons, over_all, how)
