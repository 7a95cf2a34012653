"""The part of `styleheat bench` that is about the published family: what a frame at 1024 costs, and where it goes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..ops import Render
from .demo import portrait, recipes_folder

if TYPE_CHECKING:
    from ..engine.engine import Engine
    from ..progress import Progress

SIDE = 1024
ON_GPU = (1, 4, 16)  # batches
ROUNDS = 3


def is_published(engine: Engine) -> bool:
    """Whether this is the family with StyleGAN2's generator."""
    return engine.family.component("generator").architecture == "stylegan2"


def seeded(engine: Engine) -> bool:
    """Whether its weights are drawn from a seed because some are absent; the engine then has such a painter."""
    from ..engine.published_bench import Seeded

    if all(component.find() for component in engine.family.components.values() if not component.optional):
        return False
    engine.painter = Seeded(engine)
    return True


def measured(engine: Engine, frames: int, folder: Path, progress: Progress) -> Iterator[dict[str, Any]]:
    """A row for each stage of a frame, in each batch, then for whole runs from file to file."""
    from ..engine.published_bench import matrix_rate

    weights = "seeded" if seeded(engine) else "published"
    dtype, compiled = str(engine.dtype).removeprefix("torch."), "yes" if engine.compiled else "no"
    about = {"weights": weights, "dtype": dtype, "device": engine.device.type, "compiled": compiled}
    rate = matrix_rate(engine.device, engine.dtype) if engine.device.type == "cuda" else None
    for batch in ON_GPU if rate else (1,):
        for row in _stage_rows(engine, batch, rate):
            yield {**row, **about, "peak MB": memory_mb(engine)}
    for row in _run_rows(engine, frames, folder, progress):
        yield {**row, **about, "peak MB": memory_mb(engine)}


def _stage_rows(engine: Engine, batch: int, rate: float | None) -> Iterator[dict[str, Any]]:
    from ..engine.compiled import Compiler, as_it_is
    from ..engine.published import Animator
    from ..engine.published_bench import frame_costs, seeded_source, seeded_windows

    method = engine.painter.method
    compiled = Compiler.of(engine.device, batch) if engine.compiled else as_it_is
    animator = Animator(method, seeded_source(method), engine.dtype, SIDE, compiled)
    for cost in frame_costs(animator, seeded_windows(batch, device=engine.device), ROUNDS):
        row = cost.row()
        case = f"{row.pop('stage')}, a frame of {SIDE}" + (f", batch {batch}" if batch > 1 else "")
        share = {"of matrix rate": f"{row['gigaflop'] * 1e9 / rate / row['wall_s']:.0%}"} if rate else {}
        yield {"case": case, **row, "frames/s": round(1 / row["wall_s"], 2), **share}


def _run_rows(engine: Engine, frames: int, folder: Path, progress: Progress) -> Iterator[dict[str, Any]]:
    """A photo that follows a motion file: from file to file, source inverted and video encoded."""
    from .bench import made

    motion = recipes_folder() / "motions" / "demo.safetensors"
    cases = {f"photo, motion file, crop {SIDE}": Render(crop=True, size=SIDE), "photo, motion file, full frame": Render()}
    for number, (name, render) in enumerate(cases.items()):
        render = render.model_copy(update={"end": frames / 25})
        done = made(engine, portrait(), motion, render, folder / f"{number}.mp4", progress)
        for stage in ("total", "track", "render"):
            seconds = done.seconds[stage] / done.frames
            yield {"case": name if stage == "total" else f"  {stage}", "frames": done.frames, "wall_s": round(seconds, 3),
                   "frames/s": round(1 / seconds, 2)}  # fmt: skip


def memory_mb(engine: Engine) -> int | str:
    """Memory at its highest: of the GPU where there is one, else of this process, in millions of bytes."""
    import torch

    from .bench import peak_mb

    return round(torch.cuda.max_memory_allocated() / 1e6) if engine.device.type == "cuda" else peak_mb()
