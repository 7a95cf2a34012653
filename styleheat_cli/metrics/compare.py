"""One generated clip against what it should be: every metric that can be measured, fed in one pass over the moments."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from ..errors import RecipeError
from ..progress import Event, Progress, silent
from .judges import Judges
from .metric import CATALOGUE, Metric, Moment, Reading, Setting, Spec, blank
from .moments import Clips, How, Pair, moments

REMEDY = {
    "reference": "needs --reference, the real frames of the same moments",
    "driving": "needs --driving (or --reference), the clip whose motion it should have",
    "source": "needs --source, the picture or clip that was edited",
    "real": "needs --source or --reference",
    "audio": "needs sound: --audio, or a generated clip that has some",
}


@dataclass(frozen=True)
class Comparison:
    """What was measured of one pair: readings, notes on how it was aligned, and how fast it went."""

    pair: Pair
    readings: list[Reading]
    notes: list[str]
    frames: int
    seconds: float


Row = Callable[[float, dict[str, float]], None]
"""Receives each moment's time and values by metric."""


def compare(
    pair: Pair,
    how: How | None = None,
    *,
    judges: Judges | None = None,
    pooled: dict[str, Metric] | None = None,
    row: Row | None = None,
    progress: Progress = silent,
) -> Comparison:
    """Measure one pair.

    Args:
        pooled: metrics that are fed with all pairs of a set; read them after the last one. Without it they are read here.
        row: called at each moment with its values.

    Raises:
        InputError: a file cannot be read, or pictures that should lie over each other have different shapes.
        FaceError: pixels are to be compared round a face that no frame shows.
    """
    how, judges = how or How(), judges or Judges()
    clips = Clips.open(pair)
    chosen, absent = _chosen(how, clips, judges)
    setting = Setting(float(clips.rate), float(clips.rate_of_driving), clips.heard, judges)
    metrics = [_made(entry, setting, pooled) for entry in chosen]
    looks = any("faces" in entry.spec.needs for entry in chosen) or how.region == "face"
    begins, count, seen = time.monotonic(), 0, _Seen()
    for moment in moments(clips, how, looks):
        seen.count(moment)
        values = {m.spec.name: m.update(moment) for m in metrics}
        count += 1
        if row:
            row(moment.generated.time, {name: value for name, value in values.items() if value is not None})
        progress(Event(f"measure {pair.name or pair.generated.name}", count, clips.named[clips.leader].frames))
    readings = [reading for m in metrics if pooled is None or not m.spec.pooled for reading in m.readings()]
    readings = [named(reading, how.region) for reading in readings]
    return Comparison(
        pair, _explained(readings, seen) + absent, clips.notes(count, how), count, time.monotonic() - begins
    )


def needed_names(only: Iterable[str]) -> list[type]:
    """The catalogue's entries of these names, all where none is given.

    Raises:
        RecipeError: a name is unknown.
    """
    names = list(only) or list(CATALOGUE)
    for name in names:
        if name not in CATALOGUE:
            raise RecipeError(f"no metric is called {name}", hint="known: " + ", ".join(CATALOGUE))
    return [CATALOGUE[name] for name in names]


def pixel_metrics() -> frozenset[str]:
    """Names of the metrics that compare pixels in the chosen region."""
    return frozenset(name for name, entry in CATALOGUE.items() if "pixels" in entry.spec.needs)


def _chosen(how: How, clips: Clips, judges: Judges) -> tuple[list[type], list[Reading]]:
    """The metrics that can be measured, and why the others cannot."""
    chosen, absent = [], []
    for entry in needed_names(how.only):
        why = _why_not(entry.spec, clips, judges)
        if why:
            absent.append(named(blank(entry.spec, why), how.region))
        else:
            chosen.append(entry)
    return chosen, absent


def _why_not(spec: Spec, clips: Clips, judges: Judges) -> str:
    for need, remedy in REMEDY.items():
        if need in spec.needs and need not in clips.has:
            return remedy
    return judges.why_absent(spec.judge) if spec.judge else ""


def _made(entry: type, setting: Setting, pooled: dict[str, Metric] | None) -> Metric:
    if not entry.spec.pooled or pooled is None:
        return entry(setting)
    return pooled.setdefault(entry.spec.name, entry(setting))


def named(reading: Reading, region: str) -> Reading:
    """The reading, its name saying which pixels were compared where these are not the whole picture's."""
    name, _, protocol = reading.name.partition("[")
    if region == "frame" or name not in pixel_metrics():
        return reading
    return replace(reading, name=f"{name}[{protocol.removesuffix(']')}, {region}]")


@dataclass
class _Seen:
    """How many moments showed a face in which picture."""

    moments: int = 0
    generated: int = 0
    other: int = 0

    def count(self, moment: Moment) -> None:
        other = moment.reference or moment.driving or moment.source
        self.moments += 1
        self.generated += moment.generated.face is not None
        self.other += other is None or other.face is not None


def _explained(readings: list[Reading], seen: _Seen) -> list[Reading]:
    """Readings without a value because of absent faces say in which clip."""
    if seen.generated and seen.other:
        return readings
    which = "the generated clip" if not seen.generated else "the clip it is compared with"
    why = f"no face was found in {which} ({seen.moments} frames)"
    return [replace(r, why=why) if r.value is None and "face" in r.why else r for r in readings]
