"""Operations: each described once, a file each; importing them imports no torch."""

from importlib import import_module
from pkgutil import iter_modules

from .operation import (
    Description,
    Edit,
    FilePath,
    Flag,
    Operation,
    Scope,
    Task,
    Typed,
    by_every_name,
    catalogue,
    edits,
    operation,
    seconds,
    tasks,
)
from .render import Render
from .source import Source

for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")

__all__ = [
    "Description",
    "Edit",
    "FilePath",
    "Flag",
    "Operation",
    "Render",
    "Scope",
    "Source",
    "Task",
    "Typed",
    "by_every_name",
    "catalogue",
    "edits",
    "operation",
    "seconds",
    "tasks",
]
