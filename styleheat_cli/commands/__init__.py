"""Commands: what the user types; the only code that knows Typer, rich and stdout."""

from collections.abc import Callable
from importlib import import_module
from pkgutil import iter_modules

import typer


def all_commands() -> list[Callable[[typer.Typer], None]]:
    """What adds each command to the program: the `register` of every module here that has one."""
    modules = [import_module(f"{__name__}.{module.name}") for module in iter_modules(__path__)]
    return [module.register for module in modules if hasattr(module, "register")]
