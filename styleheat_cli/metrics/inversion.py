"""Inversion: how exactly the weights hold a portrait, with the detail residual and without."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import StyleheatError
from ..progress import Event, Progress, silent
from .fidelity import psnr
from .metric import Reading, luma
from .report import average, content_of
from .ssim import ssim

SIDE = 512
Reconstruct = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
"""(S, S, 3) uint8 -> the same picture inverted and synthesised, with detail and without."""


def inversion(
    portraits: Iterable[Path], reconstruct: Reconstruct, ours: str, progress: Progress = silent
) -> dict[str, Any]:
    """Every portrait's head, cut to 512 px, inverted and compared with itself: JSON data as of other tasks."""
    portraits, pairs, failed = list(portraits), {}, {}
    for count, path in enumerate(portraits, start=1):
        progress(Event("invert", count, len(portraits), "portraits"))
        try:
            pairs[path.name] = _measured(head_of(path), reconstruct)
        except StyleheatError as error:
            failed[path.name] = str(error)
    names = list(dict.fromkeys(name for readings in pairs.values() for name in readings))
    means = [average([readings[name] for readings in pairs.values()]) for name in names]
    method = {
        "pairs": {path: {r.name: content_of(r) for r in readings.values()} for path, readings in pairs.items()},
        "notes": {},
        "metrics": {r.name: content_of(r) for r in means},
    }
    return {"cases": len(portraits), "region": "head", "methods": {ours: method} if pairs else {}, "failed": failed}


def head_of(path: Path) -> np.ndarray:
    """(512, 512, 3) uint8: the aligned square round the largest face of a photo."""
    from ..face.align import crop_image
    from ..face.track import track
    from ..media.reader import frames, probe

    clip = probe(path)
    found = track(frames(clip), height=clip.height, width=clip.width, file=path)
    return crop_image(next(iter(frames(clip))).image, found.crop[0], SIDE)


def _measured(head: np.ndarray, reconstruct: Reconstruct) -> dict[str, Reading]:
    readings = {}
    for made, suffix in zip(reconstruct(head), ("", "-without-detail"), strict=True):
        for name, value, unit in (
            ("psnr", psnr(made, head), "dB"),
            ("ssim", ssim(luma(made), luma(head)), ""),
        ):
            full = f"{name}{suffix}[head, {SIDE} px]"
            readings[full] = Reading(full, value, unit, "higher", 1, of="portraits")
    return readings
