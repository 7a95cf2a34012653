"""Golden outputs of the official implementation: where they are, and how near ours have to come.

The files are not part of the repository. They are looked for in $STYLEHEAT_SHARED/parity and in ../shared/parity beside
the repository; PARITY_GOLDEN=FILE.npz names another file of the same structure, with golden_index.json beside it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

REPOSITORY = Path(__file__).parents[2]
WINDOWS = ((0.0, 0.0), (0.49, 0.49), (0.999, 0.999), (0.31, 0.68), (0.76, 0.12))
"""Where the five 16 x 16 windows `crop0` … `crop4` of a picture lie, as shares of its side."""


def parity_folder() -> Path | None:
    """The folder of fixtures, or nothing where there is none."""
    shared = os.environ.get("STYLEHEAT_SHARED")
    folder = Path(shared) if shared else REPOSITORY.parent / "shared"
    return folder / "parity" if (folder / "parity" / "manifests").is_dir() else None


def golden_file() -> Path | None:
    """The golden file to compare with, or nothing where there is none."""
    if os.environ.get("PARITY_GOLDEN"):
        return Path(os.environ["PARITY_GOLDEN"])
    folder = parity_folder()
    return folder / "golden.npz" if folder and (folder / "golden.npz").is_file() else None


def windows(array: np.ndarray, number: int) -> np.ndarray:
    """One 16 x 16 window of (N, C, H, W)."""
    (height, width), (down, right) = array.shape[2:], WINDOWS[number]
    top, left = min(int(down * height), height - 16), min(int(right * width), width - 16)
    return array[:, :, top : top + 16, left : left + 16]


def blocks(array: np.ndarray) -> np.ndarray:
    """(N, C, H, W) -> (N, C, 64, 64): means of equal blocks."""
    n, channels, height, width = array.shape
    return array.astype(np.float64).reshape(n, channels, 64, height // 64, 64, width // 64).mean((3, 5))


RELATIVE = ("optimise/loss", "optimise/run2/losses")

REDUCTIONS = {
    "": lambda x: x,
    "block64": blocks,
    **{f"crop{i}": lambda x, i=i: windows(x, i) for i in range(len(WINDOWS))},
    "mean": lambda x: x.astype(np.float64).mean((2, 3)),
    "std": lambda x: x.astype(np.float64).std((2, 3)),
    "slice": lambda x: x[:, ::128],
    "slice64": lambda x: x[:, ::64],
    "corner": lambda x: x[:, :: max(1, x.shape[1] // 4), :6, :6],
}


@dataclass(frozen=True)
class Limit:
    """How far an entry may be off at one place, and as a root mean square."""

    largest: float
    rms: float


@dataclass(frozen=True)
class Margin:
    """One entry compared: what was found, as a share of what is allowed. Above 1 fails."""

    entry: str
    largest: float
    rms: float

    @property
    def passes(self) -> bool:
        return self.largest <= 1 and self.rms <= 1

    def __str__(self) -> str:
        verdict = "ok  " if self.passes else "FAIL"
        return f"{verdict} {self.entry:60} largest {self.largest:8.4f}  rms {self.rms:8.4f}"


class Golden:
    """The stored outputs and their limits (README of the fixtures, section 3)."""

    def __init__(self, path: Path):
        self.arrays = np.load(path)
        own = path.with_name(f"{path.stem}_index.json")
        index_file = own if own.is_file() else path.with_name("golden_index.json")
        index = json.loads(index_file.read_text("utf-8"))
        self.seed: int = index["seed"]
        self.index: dict[str, dict[str, Any]] = index["entries"]

    def stored(self, name: str) -> dict[str, str]:
        """Entries of a name: reduction -> entry."""
        found = {}
        for reduction in REDUCTIONS:
            entry = f"{name}/{reduction.removesuffix('64') if reduction == 'slice64' else reduction}".rstrip("/")
            if entry in self.index and (reduction.startswith("slice") is False or reduction == self._slice(name)):
                found[reduction] = entry
        return found

    @staticmethod
    def _slice(name: str) -> str:
        return "slice64" if name == "stylegan2/trace/4/feature" else "slice"

    def limit(self, entry: str) -> Limit:
        """What a difference in this entry may be."""
        info = self.index[entry]
        size = max(info["rms"], 0.01)
        if entry.startswith("optimise/"):  # Adam's first step is a sign, which rounding flips where a gradient is small
            share = 0.01 if entry.startswith("optimise/run2/") else 1e-4
            return Limit(share * (size if entry in RELATIVE else info["max_abs"]), share * size)
        if info["dtype"] == "uint8":  # grey levels differ between versions of the imaging library
            return Limit(2.0, 1.0)
        noise = info.get("noise", 0.0)
        return Limit(20 * noise + 1e-4 * size, noise + 2e-5 * size)

    def margins(self, name: str, array: Any) -> Iterator[Margin]:
        """Every stored reduction of an output, compared."""
        ours = np.asarray(array)
        found = self.stored(name)
        if not found:
            raise KeyError(f"nothing is stored for {name}")
        for reduction, entry in found.items():
            want = self.arrays[entry].astype(np.float64)
            got = REDUCTIONS[reduction](ours).astype(np.float64)
            if want.shape != got.shape:
                raise ValueError(f"{entry}: shape {got.shape}, stored {want.shape}")
            off, limit = np.abs(want - got), self.limit(entry)
            if entry in RELATIVE:  # numbers of different size, each held to its own
                off = off / np.maximum(np.abs(want), 1e-12) * max(self.index[entry]["rms"], 0.01)
            yield Margin(entry, float(off.max()) / limit.largest, float(np.sqrt((off**2).mean())) / limit.rms)
