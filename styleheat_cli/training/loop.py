"""One training loop: step, log, save, show; resumable, seeded, on any device."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from ..engine.engine import has_bfloat16
from ..errors import InputError, MachineError
from ..progress import Event, Progress, silent

Losses = Mapping[str, Tensor]
Job = Callable[[int, float], Losses]
"""(step, share of the training that is done) -> named losses; the one called `total` is what goes down."""


@dataclass(frozen=True)
class Schedule:
    """steps in all; rate: learning rate after a warm-up of `warm` steps, falling to a fiftieth along a cosine."""

    steps: int
    rate: float
    warm: int = 100
    save_every: int = 200
    log_every: int = 50
    clip: float = 1.0


def run(
    job: Job, parts: Mapping[str, nn.Module], optimiser: torch.optim.Optimizer, schedule: Schedule, folder: Path,
    *, also: Mapping[str, Any] | None = None, samples: Callable[[], np.ndarray] | None = None, progress: Progress = silent,
) -> None:  # fmt: skip
    """Trains `parts` until the schedule ends; what was saved in `folder` before goes on from there.

    `also`: further things with `state_dict` that resume along (a critic and its optimiser). `samples`: draws the sheet (H, W, 3) uint8 that
    is laid into `folder`/samples whenever the training is saved.
    """
    folder.mkdir(parents=True, exist_ok=True)
    kept: dict[str, Any] = {**parts, "optimiser": optimiser, **(also or {})}
    base = [group["lr"] / schedule.rate for group in optimiser.param_groups]
    begun, began = _resume(folder, kept), time.monotonic()
    for step in range(begun, schedule.steps):
        for group, share in zip(optimiser.param_groups, base, strict=True):
            group["lr"] = share * rate_at(schedule, step)
        losses = job(step, step / schedule.steps)
        if not torch.isfinite(losses["total"]):
            raise MachineError(f"training diverged at step {step}: {_spelt(losses)}", hint=f"look at the data, then resume in {folder}")
        optimiser.zero_grad(set_to_none=True)
        losses["total"].backward()
        nn.utils.clip_grad_norm_([p for part in parts.values() for p in part.parameters()], schedule.clip)
        optimiser.step()
        progress(Event("train", step + 1, schedule.steps, "steps"))
        if (step + 1) % schedule.log_every == 0:
            _log(folder, step + 1, losses, time.monotonic() - began)
        if (step + 1) % schedule.save_every == 0 or step + 1 == schedule.steps:
            _save(folder, kept, step + 1)
            if samples is not None:
                _show(folder, samples(), step + 1)


def half(device: torch.device) -> torch.autocast:
    """Half precision where the device has it."""
    return torch.autocast(device.type, torch.bfloat16, enabled=has_bfloat16(device))


def rate_at(schedule: Schedule, step: int) -> float:
    """Learning rate of a step."""
    fall = 0.5 * (1 + math.cos(math.pi * step / schedule.steps))
    return schedule.rate * min(1.0, (step + 1) / schedule.warm) * (0.02 + 0.98 * fall)


def _spelt(losses: Losses) -> str:
    return ", ".join(f"{name} {value.item():.4g}" for name, value in losses.items())


def _resume(folder: Path, kept: Mapping[str, Any]) -> int:
    saved = folder / "train.pt"
    if not saved.exists():
        return 0
    state = torch.load(saved, map_location="cpu", weights_only=True)
    try:
        for name, thing in kept.items():
            thing.load_state_dict(state[name])
    except (KeyError, RuntimeError, ValueError) as error:
        raise InputError(f"{saved} is of another training than this one", hint=f"remove {folder} or name another --work folder") from error
    return int(state["step"])


def _save(folder: Path, kept: Mapping[str, Any], step: int) -> None:
    part = folder / "train.pt.part"
    torch.save({"step": step, **{name: thing.state_dict() for name, thing in kept.items()}}, part)
    part.replace(folder / "train.pt")


def _show(folder: Path, sheet: np.ndarray, step: int) -> None:
    (folder / "samples").mkdir(exist_ok=True)
    Image.fromarray(sheet).save(folder / "samples" / f"{step:06d}.png")


def _log(folder: Path, step: int, losses: Losses, seconds: float) -> None:
    row = {"step": step, "seconds": round(seconds, 1), **{k: round(v.item(), 5) for k, v in losses.items()}}
    with (folder / "log.jsonl").open("a", encoding="utf-8") as log:
        log.write(json.dumps(row) + "\n")
