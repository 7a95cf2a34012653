"""`styleheat bench`: how fast this machine is, from file to file, and where the time goes."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic import Field

from ..ops import Description, Flag, Render, Source, edits
from ..recipe import Recipe
from . import bench_chain, bench_published
from .allocator import keep_freed_memory
from .console import Talk, result, table, talking, tell
from .demo import portrait, recipes_folder
from .edits import Compiled, Device, Dtype, help_of
from .options import command

if TYPE_CHECKING:
    from ..engine.engine import Engine
    from ..execute import Result
    from ..progress import Progress


class Bench(Description):
    """Measure frames a second, decoding and encoding included, on a portrait and a clip made from it.

    With the published weights: seconds, operations and memory of each stage of a frame at 1024, with weights drawn from a
    seed where the real ones are absent.
    """

    frames: Annotated[int, Field(ge=2, le=175)] = 100
    """Frames of each case, 2 to 175."""
    size: Annotated[int, Field(ge=64, le=2048), Flag(unit="pixels")] = 512
    """Side of the square of the cases with --crop."""
    minutes: Annotated[float, Field(ge=0, le=120), Flag(unit="minutes")] = 0
    """Also drive the portrait for ten seconds, then for so many minutes: memory must not grow with the length."""
    device: Device = "auto"
    """Where to compute: auto, cpu, cuda, cuda:1 or mps."""
    weights: str = "default"
    """Family of weights: default, styleheat, or the path of a manifest."""
    dtype: Dtype = "auto"
    """Float type of the published networks: auto is float32 on a CPU and bf16 on a GPU that has it."""
    compiled: Compiled = False
    """Compile the published networks first; the first frame's time tells what that takes."""


HEADER = ("case", "frames", "seconds", "frames/s", "peak MB")
PUBLISHED_HEADER = ("case", "frames", "gigaflop", "cpu_s", "wall_s", "frames/s", "of matrix rate", "peak MB")


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("bench", help=help_of(Bench, "styleheat bench --frames 100"))(
        command(Bench, Talk, run=_run)
    )


def _run(given: Bench, talk: Talk) -> None:
    from ..engine.engine import Engine

    engine = Engine(given.weights, device=given.device, dtype=given.dtype, compiled=given.compiled)
    published = bench_published.is_published(engine)
    with tempfile.TemporaryDirectory() as folder, talking(talk) as progress:
        if published:
            keep_freed_memory()
            rows = list(bench_published.measured(engine, given.frames, Path(folder), progress))
        else:
            rows = list(measured(given, engine, Path(folder), progress))
    if talk.json_:
        return result("\n".join(json.dumps(row) for row in rows))
    header = PUBLISHED_HEADER if published else HEADER
    result(table([tuple(row.get(name, "") for name in header) for row in rows], header))
    if published and not talk.quiet:
        tell("weights: {weights}, dtype: {dtype}, device: {device}, compiled: {compiled}; times are a frame's".format_map(rows[0]))


def measured(given: Bench, engine: Engine, folder: Path, progress: Progress) -> Iterator[dict[str, Any]]:
    """A row for each case and each stage: its frames, seconds, frames a second, and memory at its highest so far."""
    motion, clip = recipes_folder() / "motions" / "demo.safetensors", folder / "driving.mp4"
    end = given.frames / 25
    cases = {
        f"photo, motion file, crop {given.size}": (motion, Render(crop=True, size=given.size, end=end), clip),
        f"photo, video, crop {given.size}": (clip, Render(crop=True, size=given.size), folder / "crop.mp4"),
        "photo, video, full frame": (clip, Render(), folder / "full.mp4"),
    }
    for name, (driving, render, output) in cases.items():
        done = made(engine, portrait(), driving, render, output, progress)
        yield row(name, done.frames, done.seconds["total"])
        for stage in ("track", "render"):
            yield row(f"  {stage}", done.frames, done.seconds[stage])
    yield from _stage_rows(engine, motion, given)
    yield from _media_rows(folder / "crop.mp4", folder / "again.mp4")
    chain = list(bench_chain.costs(engine, clip, end, given.size, progress))
    yield from (row(*each) for each in bench_chain.rows_of(chain))
    if given.minutes:
        yield from _length_rows(engine, clip, given, folder, progress)


def _stage_rows(engine: Engine, motion: Path, given: Bench) -> Iterator[dict[str, Any]]:
    """The stages inside tracking and rendering, each alone on one thread."""
    from ..engine.retarget import Controls
    from ..engine.stages import stage_seconds
    from ..media.reader import frames, probe

    shot, driving = engine.shot(portrait()), engine.motion_of(motion)
    shot = shot.with_(motion=engine.retarget(shot, driving, driving.times, Controls()))
    frame = next(iter(frames(probe(portrait()))))
    for stage, seconds in stage_seconds(engine, shot, frame, given.size, min(given.frames, 50)):
        yield row(f"  {stage}", 1, seconds)


def _length_rows(engine: Engine, clip: Path, given: Bench, folder: Path, progress: Progress) -> Iterator[dict[str, Any]]:
    """Ten seconds, then minutes, of the same clip to and fro."""
    for name, seconds in (("ten seconds", 10.0), (f"{given.minutes:g} minutes", 60 * given.minutes)):
        driving = looped(clip, folder / "long.mp4", round(25 * seconds))
        output = folder / "made.mp4"
        done = made(engine, portrait(), driving, Render(crop=True, size=given.size), output, progress)
        yield row(f"photo, video of {name}, crop {given.size}", done.frames, done.seconds["total"])
        driving.unlink()
        output.unlink()


def looped(clip: Path, longer: Path, count: int) -> Path:
    """A clip played forth and back until it has `count` frames."""
    from ..media.reader import frames, probe
    from ..media.writer import VideoWriter

    info = probe(clip)
    pictures = [frame.image for frame in frames(info)]
    order = [*range(len(pictures)), *range(len(pictures) - 2, 0, -1)]
    with VideoWriter(longer, info.height, info.width, fps=info.fps, time_base=1 / info.fps) as writer:
        for index in range(count):
            writer.write(pictures[order[index % len(order)]], index)
    return longer


def made(engine: Engine, source: Path, driving: Path, render: Render, output: Path, progress: Progress) -> Result:
    """One reenactment, from file to file."""
    from .. import execute

    step = edits()["reenact"](driving=driving)
    recipe = Recipe(source=Source(path=source), steps=(step,), render=render, output=output)
    return execute.run(recipe, engine, progress)


def _media_rows(path: Path, again: Path) -> Iterator[dict[str, Any]]:
    """Decoding alone, and encoding alone."""
    from ..media.reader import frames, probe
    from ..media.writer import VideoWriter

    clip = probe(path)
    began = time.monotonic()
    pictures = list(frames(clip))
    yield row("decode alone", len(pictures), time.monotonic() - began)
    began = time.monotonic()
    with VideoWriter(again, clip.height, clip.width, fps=clip.fps, time_base=clip.time_base) as writer:
        for picture in pictures:
            writer.write(picture.image, picture.pts)
    yield row("encode alone", len(pictures), time.monotonic() - began)


def row(case: str, frames: int, seconds: float) -> dict[str, Any]:
    """A measurement as JSON data."""
    speed = round(frames / seconds, 1) if seconds > 1e-3 else None
    return {"case": case, "frames": frames, "seconds": round(seconds, 4 if seconds < 0.1 else 2), "frames/s": speed or "", "peak MB": peak_mb()}


def peak_mb() -> int | str:
    """Memory that this process held at its highest, in millions of bytes; nothing where the system does not say."""
    try:
        status = Path("/proc/self/status").read_text()  # getrusage would count what its parent held, too
        return round(int(status.partition("VmHWM:")[2].split()[0]) * 1024 / 1e6)
    except (OSError, IndexError, ValueError):
        pass
    try:
        import resource
    except ImportError:  # not on Windows
        return ""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6)
