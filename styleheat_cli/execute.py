"""Execute: the one place that orders the work of a recipe.

Preflight, then the source becomes a shot, the steps rewrite its motion, and one streaming pass renders and writes:
the engine renders in one thread, the encoder works in another, a few frames apart.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import FaceError, MachineError
from .ops import Scope
from .outputs import FRAMES_AHEAD, length_of, scaled, takers
from .preflight import Plan, prepare
from .progress import Progress, counted, silent
from .recipe import Recipe

if TYPE_CHECKING:
    from .engine.engine import Engine
    from .shot import Frame, Shot, Span

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Result:
    """What was made. `motion_from` tells what read the motion, `landmarks` or `deep3d`; `lips_from` what moves lips that speak,
    `coefficients` or `audio-warper`; `gaps` are the spans without a face, `seconds` the wall time of each stage."""

    output: Path
    outputs: tuple[Path, ...]
    frames: int = 0
    duration_s: float = 0.0
    size: tuple[int, int] = (0, 0)
    sound_from: str | None = None
    skipped: bool = False
    motion_from: str | None = None
    lips_from: str | None = None
    gaps: tuple[Span, ...] = ()
    seconds: dict[str, float] = field(default_factory=dict)

    def as_content(self) -> dict[str, Any]:
        """The result as JSON data."""
        total = self.seconds.get("total", 0)
        return {
            "output": str(self.output),
            "outputs": [str(path) for path in self.outputs],
            "skipped": self.skipped,
            "frames": self.frames,
            "duration_s": round(self.duration_s, 4),
            "size": list(self.size),
            "sound_from": self.sound_from,
            "motion_from": self.motion_from,
            "lips_from": self.lips_from,
            "gaps": [{"start_s": g.start_s, "end_s": g.end_s, "why": g.why, "frames": g.frames} for g in self.gaps],
            "seconds": {stage: round(value, 3) for stage, value in self.seconds.items()},
            "frames_per_second": round(self.frames / total, 2) if total else None,
        }


def run(
    recipe: Recipe,
    engine: Engine | None = None,
    progress: Progress = silent,
    *,
    overwrite: bool = False,
    skip_existing: bool = False,
    device: str = "auto",
    dtype: str = "auto",
    compiled: bool = False,
    checkpoints: Path | None = None,
) -> Result:
    """Do what a recipe says.

    Args:
        engine: the loaded weights; without one they are loaded after everything else was found to be in order.
        skip_existing: an output that is there already is the result, and nothing is done.

    Raises:
        StyleheatError: of the kind that fits; the output's name is then as it was before.
    """
    began = time.monotonic()
    plan = prepare(recipe, overwrite=overwrite or skip_existing, checkpoints=checkpoints, with_weights=engine is None)
    if skip_existing and plan.output.exists():
        return Result(plan.output, (plan.output,), skipped=True)
    for note in plan.notes:
        log.warning("%s", note)
    try:
        return _made(plan, engine or _loaded(plan, device, dtype, compiled, checkpoints), progress, began)
    except MemoryError:
        raise _too_large(plan) from None
    except RuntimeError as error:
        if "out of memory" not in str(error).lower():
            raise
        raise _too_large(plan) from error


def _too_large(plan: Plan) -> MachineError:
    return MachineError(f"{plan.width}x{plan.height} pictures do not fit into the memory of this machine",
                        hint="pass a smaller --size, or --device cpu")  # fmt: skip


def _loaded(plan: Plan, device: str, dtype: str, compiled: bool, checkpoints: Path | None) -> Engine:
    from .engine.engine import Engine

    recipe = plan.recipe
    return Engine(recipe.weights, device=device, seed=recipe.seed, checkpoints=checkpoints, dtype=dtype, compiled=compiled)


def _made(plan: Plan, engine: Engine, progress: Progress, began: float) -> Result:
    """The stages, timed."""
    recipe = plan.recipe
    loaded = time.monotonic()
    shot = _edited(plan, engine, progress)
    tracked = time.monotonic()
    gaps = _report_gaps(shot, recipe)
    pictures = engine.render(shot, size=_crop_side(recipe), crop=recipe.render.crop)
    count = _write(plan, shot, pictures, progress)
    done = time.monotonic()
    stages = {"load": loaded - began, "track": tracked - loaded, "render": done - tracked, "total": done - began}
    timeline = shot.timeline or shot.clip
    length = length_of(shot.motion, timeline)
    sound = plan.sound.name if plan.sound else None
    return Result(
        plan.output, plan.outputs, count, length, (plan.width, plan.height), sound,
        motion_from=shot.motion.read_by, lips_from=shot.lips_from, gaps=gaps, seconds=stages,
    )  # fmt: skip


def _crop_side(recipe: Recipe) -> int | None:
    return recipe.render.size if recipe.render.crop else None


def _edited(plan: Plan, engine: Engine, progress: Progress) -> Shot:
    """The source as a shot that has gone through all steps, at the frame times of the output."""
    from .media.formats import is_photo

    recipe = plan.recipe
    render, source = recipe.render, recipe.source
    start = plan.start_s if not plan.source.still else 0.0
    end = start + plan.duration_s if not plan.source.still and render.end is not None else None
    shot = engine.shot(
        source.path,
        face=source.face,
        start_s=start or None,
        end_s=end,
        on_missing_face=source.on_missing_face,
        progress=progress,
    )
    lasting = is_photo(plan.output) or bool(plan.drivers or plan.voice)
    scope = Scope(render.start, render.end, source.on_missing_face, progress, still=lasting, rate=render.rate)
    if source.inversion:
        shot = shot.with_(inversion=engine.inversion(source.inversion, shot))
    for step in recipe.steps:
        shot = step.apply(shot, engine, scope)
    return at_rate(shot, render.rate) if render.rate else shot


def at_rate(shot: Shot, rate: Fraction) -> Shot:
    """The shot on a grid of `rate` frames per second: its motion can be asked at any time, its source shows the picture then on screen."""
    import numpy as np

    motion, timeline = shot.motion, shot.timeline or shot.clip
    first = float(motion.times[0])
    times = first + np.arange(max(1, round(length_of(motion, timeline) * float(rate)))) / float(rate)
    shows = shot.shows
    if shows is not None:
        shows = shows[(np.searchsorted(motion.times, times + 1e-6, side="right") - 1).clip(0)]
    motion = motion.sampled(times)
    timeline = replace(timeline, fps=rate, time_base=1 / rate, frames=len(times))
    return shot.with_(motion=motion, timeline=timeline, shows=shows)


def _report_gaps(shot: Shot, recipe: Recipe) -> tuple[Span, ...]:
    """Tells of the stretches without a face; says what was done there."""
    done = {"keep": "kept the original there", "hold": "held the last pose there"}.get(
        recipe.source.on_missing_face, ""
    )
    driver = tuple(gap for gap in shot.motion.gaps if gap not in shot.own.gaps)
    for clip, gaps in ((shot.clip, shot.face.gaps), (shot.driving, driver)):
        for gap in gaps:
            name = clip.path.name if clip else "the driving motion"
            log.warning("%s %s: %s for %d frames; %s. --on-missing-face fail stops instead",
                        name, clock(gap.start_s), gap.why, gap.frames, done)  # fmt: skip
    if not len(shot.motion.times):
        raise FaceError(f"no face in {shot.clip.path.name}", file=shot.clip.path, hint="give a clip with a face of 64 pixels or more")
    return (*shot.face.gaps, *driver)


def clock(time_s: float) -> str:
    """Seconds as 00:00:12.480."""
    minutes, rest = divmod(time_s, 60)
    return f"{int(minutes) // 60:02d}:{int(minutes) % 60:02d}:{rest:06.3f}"


def _write(plan: Plan, shot: Shot, pictures: Iterable[Frame], progress: Progress) -> int:
    """Pass all pictures to the files they go to; returns how many there were."""
    from .media.ahead import ahead

    timeline = shot.timeline or shot.clip
    total = len(shot.motion.times)
    count = 0
    with ExitStack() as files, closing(ahead(pictures, FRAMES_AHEAD)) as ready:
        wanting = [files.enter_context(taker) for taker in takers(plan, shot, timeline, total)]
        for frame in counted(ready, "render", total, progress):
            image = scaled(frame.image, plan.height, plan.width)
            for taker in wanting:
                taker.take(image, frame)
            count += 1
    return count
