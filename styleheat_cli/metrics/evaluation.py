"""Evaluating: make every case, measure it, keep what is finished, and lay the methods side by side."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ..errors import CheckpointError, OutputError, StyleheatError
from ..progress import Event, Progress, silent
from .cases import Case, outputs_of
from .compare import Comparison, compare, named, needed_names
from .judges import Judges
from .metric import Metric, Reading
from .moments import How, Pair
from .report import content_of, report

STILL = "still photo"
NOTHING: Mapping[str, Any] = MappingProxyType({})
Make = Callable[[Case, Path, Path], None]
"""Makes a case's result: called with the case, its source file and the file to write."""


@dataclass
class Bench:
    """Where an evaluation works.

    folder: results and what was measured of them, one pair of files a case, so that a second run goes on where the first
    stopped. key: what the results depend on besides the case; another key makes them anew.
    """

    folder: Path
    how: How
    key: str
    judges: Judges = field(default_factory=Judges)
    progress: Progress = silent
    failed: dict[str, str] = field(default_factory=dict)


def evaluate(
    task: str, cases: list[Case], bench: Bench, *, ours: str, make: Make | None, others: Mapping[str, Path],
    beside: Mapping[str, list[Case]] = NOTHING,
) -> dict[str, Any]:  # fmt: skip
    """Every method on every case: JSON data with `cases`, `methods` and `failed`.

    Args:
        ours: what our row is called. make: how our results are made; without it only others are measured.
        others: folders of finished results by the name of their method. beside: what else we make of other cases, to hold
            ours against, by the name of its row.
    """
    methods: dict[str, dict[str, Any]] = {}
    if task in ("same-id", "cross-id", "dub"):
        stills = [(case, source_of(case, bench)) for case in cases]
        methods[STILL] = _measured(STILL, [(case, path) for case, path in stills if case.reference], bench)
    for name, folder in others.items():
        methods[name] = _measured(name, outputs_of(name, folder, cases), bench)
    if make:
        for name, other in beside.items():
            methods[name] = _measured(name, _made(other, bench, make, name), bench)
        results = list(_made(cases, bench, make))
        methods[ours] = _measured(ours, results, bench)
        for whose, theirs in _shared(methods, others, len(cases)).items():
            methods[f"{ours}, cases of {whose}"] = _measured(ours, [r for r in results if r[0].name in theirs], bench)
    methods = {name: each for name, each in methods.items() if each["pairs"]}
    return {"cases": len(cases), "region": bench.how.region, "methods": methods, "failed": dict(bench.failed)}


def _shared(methods: Mapping[str, Any], others: Iterable[str], count: int) -> dict[str, frozenset[str]]:
    """Which cases other tools have results of, by the tools' names, where that is not all: there ours is averaged over those too."""
    whose: dict[frozenset[str], list[str]] = {}
    for name in others:
        whose.setdefault(frozenset(methods[name]["pairs"]), []).append(name)
    return {", ".join(names): cases for cases, names in whose.items() if 0 < len(cases) < count}


def source_of(case: Case, bench: Bench) -> Path:
    """The case's source; where it has none, the driving clip's first frame as a PNG."""
    if case.source is not None:
        return case.source
    path = bench.folder / "sources" / f"{case.name}.png"
    if not path.is_file():
        from PIL import Image

        from ..media.reader import frames, probe

        first = next(iter(frames(probe(case.driving))))
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(path.name + ".part")
        Image.fromarray(first.image).save(part, "PNG")
        os.replace(part, path)
    return path


def _made(cases: list[Case], bench: Bench, make: Make, folder: str = "ours") -> Iterable[tuple[Case, Path]]:
    """Our results, made where they are not there yet; what fails is noted and left out."""
    for count, case in enumerate(cases, start=1):
        bench.progress(Event("evaluate", count, len(cases), "cases"))
        output = bench.folder / folder / f"{case.name}.mp4"
        try:
            if not _kept(output, bench.key):
                output.parent.mkdir(parents=True, exist_ok=True)
                _mark(output).unlink(missing_ok=True)
                make(case, source_of(case, bench), output)
                _mark(output).write_text(bench.key, "utf-8")
            yield case, output
        except (CheckpointError, OutputError):  # no case's own fault: the next one would fail, too
            raise
        except StyleheatError as error:
            bench.failed[case.name] = str(error)


def _kept(output: Path, key: str) -> bool:
    return output.is_file() and _mark(output).is_file() and _mark(output).read_text("utf-8") == key


def _mark(output: Path) -> Path:
    """The file beside a result that says what it was made of."""
    return output.with_name(output.name + ".key")


def _measured(name: str, results: Iterable[tuple[Case, Path]], bench: Bench) -> dict[str, Any]:
    """One method's readings, each case's and their means."""
    pooled: dict[str, Metric] = {}
    comparisons: list[Comparison] = []
    for case, path in results:
        try:
            comparisons.append(_compared(name, case, path, bench, pooled))
        except StyleheatError as error:
            bench.failed[f"{case.name} ({name})"] = str(error)
    over_all = [named(r, bench.how.region) for metric in pooled.values() for r in metric.readings()]
    made = report(comparisons, over_all, bench.how)
    return {
        "pairs": {c.pair.name: {r.name: content_of(r) for r in c.readings} for c in comparisons},
        "notes": {c.pair.name: c.notes for c in comparisons if c.notes},
        "metrics": {r.name: content_of(r) for r in made.readings},
    }


def _compared(name: str, case: Case, path: Path, bench: Bench, pooled: dict[str, Metric]) -> Comparison:
    """One case measured, from the file of a run before where clips, judges and the code that measures are the same."""
    pair = Pair(path, case.reference, case.driving, source_of(case, bench), case.audio, case.name)
    entries = needed_names(bench.how.only)
    absent = [entry.spec.name for entry in entries if entry.spec.judge and bench.judges.why_absent(entry.spec.judge)]
    pools = [entry.spec.name for entry in entries if entry.spec.pooled and entry.spec.name not in absent]
    record = bench.folder / "measured" / name.replace("/", "-") / f"{case.name}.json"
    files = [_state(file) for file in (path, pair.reference, pair.driving, pair.source)]
    sound = pair.audio and (pair.audio.name, pair.audio.stat().st_size)
    key = key_of(files, sound, asdict(bench.how), absent, code_digest("metrics", "face", "media"))
    known = _read(record, key, pair)
    if known and not pools:
        return known
    found = compare(pair, bench.how, judges=bench.judges, pooled=pooled, progress=bench.progress)
    _write(record, key, found)
    return found


def key_of(*parts: Any) -> str:
    """A digest of JSON data."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def _state(path: Path | None) -> tuple[str, int, int] | None:
    if path is None:
        return None
    stat = path.stat()
    return path.name, stat.st_size, stat.st_mtime_ns


def _read(record: Path, key: str, pair: Pair) -> Comparison | None:
    if not record.is_file():
        return None
    try:
        content = json.loads(record.read_text("utf-8"))
        if content["key"] != key:
            return None
        return Comparison(pair, [Reading(**r) for r in content["readings"]], content["notes"], content["frames"], 0.0)
    except (ValueError, KeyError, TypeError):
        return None


def _write(record: Path, key: str, found: Comparison) -> None:
    content = {
        "key": key,
        "frames": found.frames,
        "notes": found.notes,
        "readings": [asdict(r) for r in found.readings],
    }
    write_json(record, content)


def write_json(path: Path, content: Any) -> None:
    """JSON that appears under its name only when it is whole; numbers that are not finite are refused."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n", "utf-8")
    os.replace(part, path)


@cache
def code_digest(*packages: str) -> str:
    """A digest of the program's own code, in these packages: what is made or measured by other code is made anew."""
    root = Path(__file__).resolve().parents[1]
    files = sorted(path for package in packages for path in (root / package).rglob("*.py"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()


def commit() -> str | None:
    """The commit of the checkout that the program runs from; nothing in an installed copy."""
    folder = Path(__file__).resolve().parents[2] / ".git"
    if folder.is_file():  # a work tree of a checkout that lies elsewhere
        folder = Path(folder.read_text("utf-8").removeprefix("gitdir: ").strip())
    if not (folder / "HEAD").is_file():
        return None
    text = (folder / "HEAD").read_text("utf-8").strip()
    if (folder / "commondir").is_file():
        folder = folder / (folder / "commondir").read_text("utf-8").strip()
    if not text.startswith("ref: "):
        return text
    name = text.removeprefix("ref: ")
    if (folder / name).is_file():
        return (folder / name).read_text("utf-8").strip()
    packed = folder / "packed-refs"
    lines = packed.read_text("utf-8").splitlines() if packed.is_file() else []
    return next((line.split()[0] for line in lines if line.endswith(f" {name}")), None)
