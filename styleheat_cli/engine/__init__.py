"""Engine: the method. Pure functions on arrays and tensors, plus Engine, which alone loads weights."""

from .engine import Engine

__all__ = ["Engine"]
