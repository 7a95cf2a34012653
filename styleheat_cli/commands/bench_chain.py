"""What a chain of four operations costs beside each of them alone: one pass renders them all."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ..ops import Edit, Render, Source, edits
from ..recipe import Recipe
from .demo import portrait

if TYPE_CHECKING:
    from ..engine.engine import Engine
    from ..progress import Progress

WARM_UP_S = 0.12  # a chain so long first, as what is loaded once does not count


def steps_of(driving: Path, speech: Path) -> dict[str, Edit]:
    """The four operations: following a clip, speaking, ageing, and moved by hand."""
    known = edits()
    return {
        "reenact": known["reenact"](driving=driving),
        "dub": known["dub"](audio=speech, fit="trim"),
        "edit": known["edit"](direction="age", strength=2, ramp=(0, 1)),
        "edit-3dmm": known["edit-3dmm"](tour=True),
    }


def costs(engine: Engine, driving: Path, seconds: float, size: int, progress: Progress) -> Iterator[tuple[str, int, float, float]]:
    """(case, frames, wall seconds, seconds of computing) of each operation alone on a portrait, then of all four in one recipe.

    driving: a clip that lasts so many seconds at least; silence of as many is spoken.
    """
    from ..media.audio import write_silence

    speech, output = driving.with_name("silence.wav"), driving.with_name("chain.mp4")
    write_silence(speech, seconds)
    steps = steps_of(driving, speech)
    chains = {name: (step,) for name, step in steps.items()} | {"all four": tuple(steps.values())}
    _made(engine, chains["all four"], output, WARM_UP_S, size, progress)
    for name, chain in chains.items():
        began, computed = time.monotonic(), time.process_time()
        frames = _made(engine, chain, output, seconds, size, progress)
        yield name, frames, time.monotonic() - began, time.process_time() - computed


def _made(engine: Engine, chain: tuple[Edit, ...], output: Path, seconds: float, size: int, progress: Progress) -> int:
    """How many frames a recipe of these steps made of the portrait."""
    from .. import execute

    render = Render(crop=True, size=size, end=seconds)
    recipe = Recipe(source=Source(path=portrait()), steps=chain, render=render, output=output)
    return execute.run(recipe, engine, progress, overwrite=True).frames


def over_slowest(found: list[tuple[str, int, float, float]]) -> float:
    """How many times the computing of the slowest operation alone the chain takes."""
    *alone, chain = [computed for *_, computed in found]
    return chain / max(alone)


def rows_of(found: list[tuple[str, int, float, float]]) -> Iterator[tuple[str, int, float]]:
    """(case, frames, wall seconds) for the table; the last says how the chain compares."""
    for name, frames, wall, _ in found:
        told = f"all four in one pass: {over_slowest(found):.2f} times the slowest alone" if name == "all four" else f"{name} alone"
        yield told, frames, wall

