"""What makes a frame, compiled by torch where a user asks for it: for batches of one size; any other runs as it is.

On CUDA the graphs are recorded and replayed (CUDA graphs), elsewhere a C++ compiler makes them. Where neither can be
had, that is said once, and everything runs as it is.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree as tree

from ..checkpoints.store import cache_folder

log = logging.getLogger(__name__)

Compile = Callable[[Callable], Callable]
FOLDER = "TORCHINDUCTOR_CACHE_DIR"


def as_it_is(function: Callable) -> Callable:
    """The function, not compiled."""
    return function


class Compiler:
    """Compiles functions whose first argument is a batch.

    Args:
        batch: its size. Graphs have fixed shapes: a smaller rest, or batches halved because memory ran out, run uncompiled.
        options: of torch.compile, beyond the shapes.
    """

    def __init__(self, batch: int, options: Mapping[str, Any]):
        self.batch, self.options, self.off = batch, options, False

    @classmethod
    def of(cls, device: torch.device, batch: int) -> Compiler:
        """The compiler for a device; what it makes is kept in the user's cache for the next run."""
        os.environ.setdefault(FOLDER, str(cache_folder().parent / "compiled"))
        return cls(batch, {"mode": "reduce-overhead"} if device.type == "cuda" else {})

    def __call__(self, function: Callable) -> Callable:
        compiled = torch.compile(function, dynamic=False, **self.options)

        def run(x: Tensor, *others: Tensor) -> Any:
            if self.off or len(x) != self.batch:
                return function(x, *others)
            try:
                return _own(compiled(x, *others))
            except torch.OutOfMemoryError:
                self.off = True
                torch.compiler.reset()  # recorded graphs hold memory that smaller batches need
                raise
            except _failures() as error:
                self._give_up(error)
                return function(x, *others)

        return run

    def _give_up(self, error: Exception) -> None:
        self.off = True
        why = str(getattr(error, "inner_exception", error)).strip().split("\n")[0]
        log.warning("the networks cannot be compiled here and run as they are: %s; install a C++ compiler (such as g++), "
                    "for a GPU Triton too, or leave --compile out", why)  # fmt: skip


def _failures() -> tuple[type[Exception], ...]:
    """What is raised where nothing can be compiled; AssertionError by CUDA graphs of older versions outside the main thread."""
    from torch._dynamo.exc import TorchDynamoException

    return TorchDynamoException, AssertionError


def _own(made: Any) -> Any:
    """On CUDA a replay writes over what the one before it gave: a copy stays."""
    return tree.tree_map(lambda x: x.clone() if isinstance(x, Tensor) and x.is_cuda else x, made)
