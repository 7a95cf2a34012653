"""Tensors made from a text: the weights and inputs of the parity tests.

A label and a shape give the same tensor on every machine. The label is hashed (BLAKE2b, 16 bytes, little-endian) to
the seed of a PCG64 generator, which gives one 64-bit word an element. A normal number is the standardised sum of a
word's four 16-bit parts; a uniform one its top 53 bits. The labels are told by the functions that use them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from math import prod, sqrt
from typing import Any

import numpy as np

Shape = tuple[int, ...]


def words(label: str, count: int) -> np.ndarray:
    """`count` raw 64-bit words of a label."""
    key = hashlib.blake2b(label.encode(), digest_size=16).digest()
    return np.random.PCG64(int.from_bytes(key, "little")).random_raw(count)


def normal(label: str, shape: Shape) -> np.ndarray:
    """float64, mean 0, standard deviation 1: an integer sum, then one subtraction and one division."""
    word = words(label, prod(shape))
    even = np.uint64(0x0000_FFFF_0000_FFFF)
    pairs = (word & even) + (word >> np.uint64(16) & even)  # two sums of two parts
    total = (pairs & np.uint64(0xFFFF_FFFF)) + (pairs >> np.uint64(32))
    return ((total.astype(np.float64) - 2 * 0xFFFF) / sqrt((2.0**32 - 1) / 3)).reshape(shape)


def uniform(label: str, shape: Shape) -> np.ndarray:
    """float64 in [0, 1)."""
    return (words(label, prod(shape)) >> np.uint64(11)).astype(np.float64).reshape(shape) * 2.0**-53


def tensor(label: str, entry: Mapping[str, Any]) -> np.ndarray:
    """One tensor of a manifest: its `shape`, `dtype` and the rule (`init`) of its values."""
    shape, init = tuple(entry["shape"]), entry["init"]
    match init["kind"]:
        case "normal":
            values = normal(label, shape) * init["std"] + init["mean"]
        case "fill":
            values = np.full(shape, init["value"])
        case "constant":
            values = np.array(init["values"]).reshape(shape)
        case "index":
            values = init["low"] + np.floor(uniform(label, shape) * (init["high"] - init["low"]))
        case other:
            raise ValueError(f"no rule is called {other!r}")
    return values.astype(entry["dtype"])


def sections(manifest: Mapping[str, Any], seed: int) -> Iterator[tuple[tuple[str, ...], dict[str, np.ndarray]]]:
    """Path and tensors of each section of a published file; a bare tensor is the only one, under the key ''."""
    start = f"{seed}:{manifest['name']}:"
    for section in manifest["sections"]:
        path = tuple(section["path"])
        if "tensor" in section:
            yield path, {"": tensor(start + "/".join(path), section["tensor"])}
        else:
            inside = "/".join([*path, ""])
            yield path, {key: tensor(start + inside + key, entry) for key, entry in section["entries"].items()}


def published(manifest: Mapping[str, Any], seed: int) -> Any:
    """The object that a published file holds: nested dictionaries, or a bare tensor."""
    root: dict[str, Any] = {}
    for path, tensors in sections(manifest, seed):
        bare = set(tensors) == {""}
        if not path:
            if bare:
                return tensors[""]
            root.update(tensors)
            continue
        node = root
        for part in path[:-1]:
            node = node.setdefault(part, {})
        node[path[-1]] = tensors[""] if bare else tensors
    return root


class Inputs:
    """The inputs of a golden file: every tensor by its name and the file's seed."""

    def __init__(self, seed: int):
        self.seed = seed

    def normal(self, name: str, shape: Shape, mean: float = 0.0, std: float = 1.0) -> np.ndarray:
        """float32 numbers of this mean and deviation."""
        return (normal(self._label(name), shape) * std + mean).astype(np.float32)

    def image(self, name: str, batch: int, size: int) -> np.ndarray:
        """(batch, 3, size, size) float32 in [-1, 1]: 16 x 16 coarse cells and a little fine noise."""
        return np.clip(self._cells(name, (batch, 3), size, 16, 0.5, 0.1), -1, 1).astype(np.float32)

    def flow(self, name: str, batch: int, size: int) -> np.ndarray:
        """(batch, 2, size, size) float32 pixels: 8 x 8 coarse cells and a little fine noise."""
        return self._cells(name, (batch, 2), size, 8, 3.0, 0.2).astype(np.float32)

    def _cells(self, name: str, lead: Shape, size: int, cells: int, coarse: float, fine: float) -> np.ndarray:
        blocks = normal(self._label(name) + "/coarse", (*lead, cells, cells))
        large = np.kron(blocks, np.ones((size // cells, size // cells)))
        return coarse * large + fine * normal(self._label(name) + "/fine", (*lead, size, size))

    def _label(self, name: str) -> str:
        return f"{self.seed}:input:{name}"


def to_bytes(image: np.ndarray) -> np.ndarray:
    """(3, H, W) in [-1, 1] -> (H, W, 3) uint8, half rounded up."""
    levels = np.floor((image.astype(np.float64) + 1) * 127.5 + 0.5)
    return levels.clip(0, 255).astype(np.uint8).transpose(1, 2, 0)
