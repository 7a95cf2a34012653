"""How long each stage of the pass takes, one frame after the other on one thread."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from ..face.align import crop_image, paste
from ..face.landmarks import Landmarker, region_of
from ..face.morphable import fit_frames
from ..shot import Frame, Shot
from .heal import heal, heal_lids, invert_mouth
from .performance import make_stage, picture, place_of, response_of, rim, target_of
from .plate import make_plate
from .retarget import opening_rows
from .synthesis import warped
from .teeth import show

if TYPE_CHECKING:
    from .engine import Engine

WARM_UP = 2


def stage_seconds(engine: Engine, shot: Shot, frame: Frame, side: int, count: int) -> Iterator[tuple[str, float]]:
    """(stage, seconds a frame) of a shot whose source is this frame, means over `count` rows of its motion."""
    model, stage = engine.morphable, make_stage(engine, shot, frame, 0, shot.face.crop[0].astype(np.float64), side)
    plate, rows = stage.plate, range(min(count, len(shot.motion.times)))
    targets = [target_of(engine, shot, stage, row) for row in rows]
    made = [warped(plate, target, engine.triangles) for target in targets[:1]]
    moving = np.concatenate([shot.motion.expression[0], shot.motion.angles[0]]).astype(np.float32)
    fitted = fit_frames(model, plate.landmarks[None], shot.person.identity, shot.person.own)
    image, changed = picture(engine, shot, stage, 0)
    widest = int((shot.motion.expression @ opening_rows(model)[2]).argmax())
    parted = target_of(engine, shot, stage, widest)
    with Landmarker() as landmarker:
        yield "landmarks of a driver's frame", _mean(rows, lambda row: landmarker.at(frame.image, region_of(shot.face.landmarks[0])))
        yield "fit of the morphable model", _mean(rows, lambda row: fit_frames(
            model, plate.landmarks[None], shot.person.identity, shot.person.own))  # fmt: skip
    yield "source: crop", _mean(rows, lambda row: crop_image(frame.image, stage.crop, side))
    yield "source: layers", _mean(rows, lambda row: make_plate(model, plate.image, plate.landmarks, fitted))
    yield "source: inversion", _mean(rows, lambda row: invert_mouth(engine.healing, plate.image, plate.landmarks))
    yield "source: response", _mean(range(1), lambda row: response_of(engine, shot, stage))
    yield "target mesh", _mean(rows, lambda row: target_of(engine, shot, stage, row))
    yield "flow and warp", _mean(rows, lambda row: warped(plate, targets[row], engine.triangles))
    yield "calibration and synthesis", _mean(rows, lambda row: heal(
        engine.healing, stage.feature, image, parted, made[0].source_at, moving))  # fmt: skip
    yield "a lid that comes down", _mean(rows, lambda row: heal_lids(
        engine.healing, stage.eyes(0), image, parted, made[0].source_at, moving, 0, 1.0))  # fmt: skip
    yield "teeth", _mean(rows, lambda row: show(stage.teeth, image, parted, place_of(shot, stage, widest), plate.landmarks))
    yield "paste back", _mean(rows, lambda row: paste(frame.image, image, changed * rim(side), stage.crop))


def _mean(rows: range, work: Callable[[int], object]) -> float:
    for row in rows[:WARM_UP]:
        work(row)
    began = time.monotonic()
    for row in rows:
        work(row)
    return (time.monotonic() - began) / len(rows)
