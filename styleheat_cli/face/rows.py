"""Rows of numbers that live in an unnamed temporary file: a long clip costs no more memory than a short one."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence

import numpy as np

BLOCK = 256


class Rows(Sequence):
    """A growing (T, *shape) float32 array on disk. Slices and index arrays give arrays; the file has no name."""

    def __init__(self, shape: tuple[int, ...]):
        self.row = tuple(shape)
        self._bytes = int(np.prod(shape)) * 4
        self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 (open as long as the rows live)
        self._length = 0

    @property
    def shape(self) -> tuple[int, ...]:
        return (self._length, *self.row)

    dtype = np.dtype(np.float32)

    def append(self, row: np.ndarray) -> None:
        """Add one row at the end."""
        self.extend(np.asarray(row)[None])

    def extend(self, rows: np.ndarray) -> None:
        """Add (N, *shape) rows at the end."""
        self._write(self._length, rows)
        self._length += len(rows)

    def __setitem__(self, where: int | slice, rows: np.ndarray) -> None:
        """Replace one row or a contiguous stretch of rows."""
        start, stop = self._stretch(where)
        self._write(start, np.broadcast_to(rows, (stop - start, *self.row)))

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, where: int | slice | np.ndarray) -> np.ndarray:
        if isinstance(where, (int, np.integer)):
            start, stop = self._stretch(where)
            return self._read(start, stop)[0]
        if isinstance(where, slice):
            start, stop, step = where.indices(self._length)
            if step == 1:
                return self._read(start, max(stop, start))
            where = np.arange(start, stop, step)
        where = np.arange(self._length)[where]
        return np.stack([self[int(i)] for i in where]) if len(where) else np.empty((0, *self.row), np.float32)

    def __iter__(self) -> Iterator[np.ndarray]:
        for start in range(0, self._length, BLOCK):
            yield from self[start:start + BLOCK]

    def __array__(self, dtype=None, copy=None) -> np.ndarray:
        return self[:].astype(dtype or np.float32, copy=False)

    def close(self) -> None:
        self._file.close()

    def _stretch(self, where: int | slice) -> tuple[int, int]:
        if isinstance(where, slice):
            start, stop, step = where.indices(self._length)
            if step != 1:
                raise IndexError("rows are replaced in contiguous stretches")
            return start, max(stop, start)
        at = range(self._length)[where]
        return at, at + 1

    def _read(self, start: int, stop: int) -> np.ndarray:
        raw = os.pread(self._file.fileno(), (stop - start) * self._bytes, start * self._bytes)
        return np.frombuffer(bytearray(raw), np.float32).reshape(stop - start, *self.row)

    def _write(self, start: int, rows: np.ndarray) -> None:
        raw = memoryview(np.ascontiguousarray(rows, np.float32).reshape(len(rows), *self.row)).cast("B")
        done = 0
        while done < len(raw):
            done += os.pwrite(self._file.fileno(), raw[done:], start * self._bytes + done)
