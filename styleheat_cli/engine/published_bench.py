"""What a frame of the published method costs: seconds, operations and memory of each stage."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from ..networks.calibration import CalibrationNet
from ..networks.stylegan2 import Conditions, Generator
from ..networks.warper import VideoWarper, warp
from ..shot import FaceTrack, MotionTrack, Shot
from .inversion import Inversion
from .published import Animator, Method, animate
from .published_pass import Published

WARM_UP = 3
"""Rounds that are not counted: the first folds the generator and compiles it where asked, the others fill the allocator's
pools and record what is replayed later."""


@dataclass
class Cost:
    """One stage, a frame: operations (a multiply-add is two), seconds of all cores together, seconds on the clock."""

    stage: str
    gigaflop: float = 0.0
    cpu_s: list[float] = field(default_factory=list)
    wall_s: list[float] = field(default_factory=list)

    def row(self) -> dict[str, str | float]:
        """Medians, ready to be printed."""
        return {
            "stage": self.stage,
            "gigaflop": round(self.gigaflop, 1),
            "cpu_s": round(statistics.median(self.cpu_s), 3),
            "wall_s": round(statistics.median(self.wall_s), 3),
        }


def frame_costs(animator: Animator, windows: Tensor, rounds: int = 3) -> list[Cost]:
    """The cost of each stage and of the whole, a frame of the batch that `windows` is; the first batch apart."""
    first, costs = Cost("whole"), {name: Cost(name) for name in ("motion", "calibration", "synthesis", "whole")}
    for number in range(WARM_UP + rounds):
        measured = costs if number >= WARM_UP else {"whole": first} if number == 0 else {}
        with torch.inference_mode(), _timed(measured, "whole", len(windows)):
            _staged(animator, windows, lambda name: _timed(measured, name, len(windows)))  # noqa: B023
    for name in costs:
        costs[name].gigaflop = _gigaflop(animator, windows, name)
    return [*costs.values(), replace(first, stage="first", gigaflop=costs["whole"].gigaflop)]


def _staged(animator: Animator, windows: Tensor, around: Callable) -> None:
    with around("motion"):
        motion = animator.moved(windows)
        f = warp(animator.source.f, motion.deformation)
    with around("calibration"):
        f = animator.healed(f, motion.descriptor)
    with around("synthesis"):
        animator.drawn(f)


def _gigaflop(animator: Animator, windows: Tensor, wanted: str) -> float:
    """Counted, not estimated: convolutions and matrix products of one stage, a frame."""
    counters: dict[str, FlopCounterMode] = {}

    @contextmanager
    def counted(name: str) -> Iterator[None]:
        with counters.setdefault(name, FlopCounterMode(display=False)):
            yield

    with torch.inference_mode():
        if wanted == "whole":
            with counted("whole"):
                animator(windows)
        else:
            _staged(animator, windows, counted)
    return counters[wanted].get_total_flops() / len(windows) / 1e9


@contextmanager
def _timed(costs: dict[str, Cost], name: str, frames: int) -> Iterator[None]:
    """Nothing is kept where `costs` is empty."""
    _settle()
    cpu, wall = _cpu_seconds(), time.perf_counter()
    yield
    _settle()
    if name in costs:
        costs[name].cpu_s.append((_cpu_seconds() - cpu) / frames)
        costs[name].wall_s.append((time.perf_counter() - wall) / frames)


def _settle() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def _cpu_seconds() -> float:
    times = os.times()
    return times.user + times.system


def reference_cost(method: Method, source: Inversion, window: Tensor) -> Cost:
    """The step-by-step method on one frame, intermediate picture included: what the fast path is compared with."""
    cost = Cost("step by step")
    with torch.inference_mode():
        with FlopCounterMode(display=False) as counter:
            animate(method, source, window, size=method.generator.size)
        with _timed({cost.stage: cost}, cost.stage, 1):
            animate(method, source, window, size=method.generator.size)
    cost.gigaflop = counter.get_total_flops() / 1e9
    return cost


def matrix_rate(device: torch.device, dtype: torch.dtype, side: int = 4096, rounds: int = 8) -> float:
    """Operations a second of square matrix products on a device: what a frame's work can be held against."""
    a, b = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))
    seconds = []
    for _ in range(WARM_UP + rounds):
        _settle()
        began = time.perf_counter()
        a @ b
        _settle()
        seconds.append(time.perf_counter() - began)
    return 2 * side**3 / statistics.median(seconds[WARM_UP:])


class Seeded(Published):
    """The painter with weights and source drawn from a seed, where the real ones are absent: the cost is the same."""

    def read(self, motion: MotionTrack, face: FaceTrack) -> MotionTrack:
        return motion

    @cached_property
    def method(self) -> Method:
        return seeded_method(self.engine.seed, self.engine.device)

    def inverted(self, shot: Shot, image: np.ndarray) -> Inversion:
        return seeded_source(self.method, self.engine.seed)


def seeded_method(seed: int = 0, device: torch.device | str = "cpu") -> Method:
    """The published architectures with weights drawn from a seed, where the real ones are absent."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        made = (Generator(), VideoWarper(), CalibrationNet())
    return Method(*(network.eval().requires_grad_(False).to(device) for network in made))


def seeded_source(method: Method, seed: int = 0) -> Inversion:
    """A source to go with it."""
    device = method.generator.input.input.device
    numbers = torch.Generator().manual_seed(seed)
    codes = torch.randn(1, method.generator.rows, method.generator.style_width, generator=numbers).to(device)
    image = (torch.rand(1, 3, 256, 256, generator=numbers) * 2 - 1).to(device)
    with torch.inference_mode():
        return Inversion(image, codes, method.generator(codes, Conditions()).f)


def seeded_windows(count: int, seed: int = 0, device: torch.device | str = "cpu") -> Tensor:
    """(count, 73, 27)."""
    return (0.6 * torch.randn(count, 73, 27, generator=torch.Generator().manual_seed(seed))).to(device)
