"""How the tool talks: results on stdout, everything else on stderr; bars, plain lines, JSON, errors."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

from ..ops import Description, Flag
from ..progress import Event, Progress, silent

PLAIN_EVERY_S = 5.0
JSON_EVERY_S = 0.1


class Talk(Description):
    """How it tells of its work."""

    json_: Annotated[bool, Flag(long="--json")] = False
    """Print one JSON object on stdout instead of the path, for errors too."""
    progress: Literal["auto", "bar", "plain", "jsonl", "none"] = "auto"
    """How progress is shown on stderr: auto is a bar in a terminal and plain lines elsewhere."""
    quiet: Annotated[bool, Flag(short="-q")] = False
    """No progress and no notes, only errors."""
    verbose: Annotated[bool, Flag(short="-v")] = False
    """Also say what each stage does and how long it took."""
    debug: bool = False
    """Show where in the program an error arose."""

    @property
    def mode(self) -> str:
        """The progress that fits the terminal."""
        if self.quiet:
            return "none"
        if self.progress != "auto":
            return self.progress
        return "bar" if is_terminal() else "plain"


def is_terminal() -> bool:
    """Whether stderr is a terminal that can redraw a line."""
    return sys.stderr is not None and sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb"


def tell(text: str) -> None:
    """One line for the person, on stderr; a person who has gone is no failure."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        sys.stderr.write(_printable(text, sys.stderr) + "\n")
        sys.stderr.flush()


def result(text: str | Path) -> None:
    """One line of result, on stdout; a path keeps the bytes of its name."""
    sys.stdout.flush()
    sys.stdout.buffer.write(os.fsencode(text) + b"\n")
    sys.stdout.flush()


def result_json(content: Any) -> None:
    """A JSON object on stdout."""
    result(json.dumps(content, ensure_ascii=True, default=str))


def _printable(text: str, stream: Any) -> str:
    """The text with what the terminal cannot show, and what would command it, written as escapes."""
    shown = "".join(
        c if c == "\n" or c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text
    )
    return shown.encode(stream.encoding or "ascii", "backslashreplace").decode(stream.encoding or "ascii")


def tell_error(message: str, hint: str = "") -> None:
    """How an error looks: what, and under it what to do."""
    tell(f"error: {message}")
    if hint:
        tell(f"  {hint}")


def error_content(
    kind: str, code: int, message: str, hint: str = "", file: Path | None = None, time_s: float | None = None
) -> dict[str, Any]:
    """An error as the JSON object that `--json` promises; file and time are null where there is none."""
    where = {"file": str(file) if file else None, "time_s": time_s}
    return {"error": {"kind": kind, "code": code, "message": message, "hint": hint, **where}}


class Notes(logging.Handler):
    """Warnings, and with --verbose notes, as lines on stderr; each text once."""

    def __init__(self, talk: Talk):
        super().__init__(logging.INFO if talk.verbose else logging.ERROR if talk.quiet else logging.WARNING)
        self.told: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if text not in self.told:
            self.told.add(text)
            tell(f"warning: {text}" if record.levelno >= logging.WARNING else text)


@contextmanager
def talking(talk: Talk) -> Iterator[Progress]:
    """While it lasts, notes and progress are shown as the person asked; gives what work calls with its events."""
    log = logging.getLogger("styleheat_cli")
    notes = Notes(talk)
    before = log.level
    log.addHandler(notes)
    log.setLevel(notes.level)
    try:
        with {"bar": _bar, "plain": _plain, "jsonl": _jsonl, "none": _none}[talk.mode]() as progress:
            yield progress
    finally:
        log.removeHandler(notes)
        log.setLevel(before)


@contextmanager
def _none() -> Iterator[Progress]:
    yield silent


@contextmanager
def _jsonl() -> Iterator[Progress]:
    """One JSON object a line and an event, ten a second at most."""
    due: dict[str, float] = {}
    began = time.monotonic()

    def progress(event: Event) -> None:
        now = time.monotonic()
        if now >= due.get(event.stage, 0) or event.done == event.total:
            due[event.stage] = now + JSON_EVERY_S
            content = {"event": "progress", "stage": event.stage, "done": event.done, "total": event.total}
            tell(json.dumps({**content, "unit": event.unit, "elapsed_s": round(now - began, 2)}))

    yield progress


class Pace:
    """When each stage began; a stage that counts from the start again begins anew."""

    def __init__(self):
        self.began: dict[str, float] = {}
        self.done: dict[str, int] = {}

    def __call__(self, event: Event) -> tuple[float, bool]:
        """(seconds since the stage began, whether it begins now)."""
        now = time.monotonic()
        new = event.stage not in self.done or event.done <= self.done[event.stage]
        if new:
            self.began[event.stage] = now
        self.done[event.stage] = event.done
        return now - self.began[event.stage], new


@contextmanager
def _plain() -> Iterator[Progress]:
    """A line now and then: `render  312/750 frames  41 fps`."""
    pace, told = Pace(), {}

    def progress(event: Event) -> None:
        elapsed, new = pace(event)
        if new:
            told[event.stage] = 0.0
        if elapsed >= told[event.stage] + PLAIN_EVERY_S or (event.done == event.total and event.total > 1):
            told[event.stage] = elapsed
            tell(line_of(event, elapsed))

    yield progress


def line_of(event: Event, elapsed_s: float) -> str:
    """An event in words."""
    of = f"/{event.total}" if event.total else ""
    rate = (
        f"  {event.done / elapsed_s:.0f} {'fps' if event.unit == 'frames' else event.unit + '/s'}"
        if elapsed_s > 0.2
        else ""
    )
    return f"{event.stage}  {event.done}{of} {event.unit}{rate}"


@contextmanager
def _bar() -> Iterator[Progress]:
    """A bar for each stage, gone when the work is done."""
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[line]}"), TimeRemainingColumn())
    with Bars(*columns, console=Console(stderr=True, force_terminal=True), transient=True) as bars:
        tasks: dict[str, Any] = {}
        pace = Pace()

        def progress(event: Event) -> None:
            elapsed, _ = pace(event)
            if event.stage not in tasks:
                tasks[event.stage] = bars.add_task(event.stage, total=event.total or None, line="")
            line = line_of(event, elapsed).removeprefix(event.stage).strip()
            bars.update(tasks[event.stage], completed=event.done, total=event.total or None, line=line)

        yield progress


def table(rows: list[tuple[Any, ...]], header: tuple[str, ...] = ()) -> str:
    """Rows as aligned text; numbers stand to the right."""
    written = [[str(cell) for cell in row] for row in ([header] if header else []) + rows]
    if not written:
        return ""
    widths = [max(len(row[column]) for row in written) for column in range(len(written[0]))]
    right = [all(isinstance(row[column], int | float) for row in rows) for column in range(len(widths))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if r else cell.ljust(width) for cell, width, r in zip(row, widths, right, strict=True)
        ).rstrip()
        for row in written
    )
