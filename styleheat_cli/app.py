"""The program: its commands, and the boundary at which every error becomes a message and an exit code."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from . import __version__
from .commands import all_commands, console
from .errors import MachineError, StyleheatError

BUG = 1
USAGE = 2
PIPE_CLOSED = 128 + 13

app = typer.Typer(
    name="styleheat",
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.", is_eager=True)] = False,
) -> None:
    """A video editor for talking faces."""
    if version:
        console.result(f"styleheat {__version__}")
    elif context.invoked_subcommand is None:
        console.result(context.get_help())


for register in all_commands():
    register(app)


class Stopped(BaseException):
    """Somebody asked the program to end."""

    def __init__(self, number: int):
        self.exit_code = 128 + number
        super().__init__(signal.Signals(number).name)


def main() -> NoReturn:
    """Run the command line; never shows a traceback unless asked to."""
    code = run(sys.argv[1:])
    with suppress(OSError, ValueError, AttributeError):
        sys.stdout.flush()
    sys.exit(code)


def run(arguments: Sequence[str]) -> int:
    """The exit code of a command line."""
    try:
        with _stops_raise():
            return app(list(arguments), prog_name="styleheat", standalone_mode=False) or 0
    except typer.TyperException as error:
        return _failed("RecipeError", USAGE, error.format_message(), "`styleheat COMMAND --help` lists its options", arguments)
    except StyleheatError as error:
        return _failed(type(error).__name__, error.exit_code, str(error), error.hint, arguments, error.file, error.time_s)
    except (Stopped, KeyboardInterrupt) as stop:
        code = getattr(stop, "exit_code", 128 + signal.SIGINT)
        return _failed("Stopped", code, f"stopped by {stop or 'SIGINT'}; no unfinished file is left", "", arguments)
    except typer.Abort:
        return 128 + signal.SIGINT
    except SystemExit as left:  # Typer leaves so when nobody reads stdout any more
        _close_stdout()
        return PIPE_CLOSED if isinstance(left.__context__, BrokenPipeError) else left.code
    except MemoryError:
        message = "the memory of this machine is full"
        return _failed("MachineError", MachineError.exit_code, message, "close other programs, or pass a smaller --size", arguments)
    except Exception as error:  # the boundary: whatever comes here is a bug of ours
        message = f"styleheat has a bug: {type(error).__name__}: {error}"
        return _failed(type(error).__name__, BUG, message, "--debug shows where; please report it with the command line", arguments)


def _failed(
    kind: str, code: int, message: str, hint: str, arguments: Sequence[str],
    file: Path | None = None, time_s: float | None = None,
) -> int:  # fmt: skip
    """Tells of a failure as the command line asked for."""
    if "--debug" in arguments:
        console.tell(traceback.format_exc().rstrip())
    console.tell_error(message, hint)
    if "--json" in arguments:
        with suppress(OSError):
            console.result_json(console.error_content(kind, code, message, hint, file, time_s))
    return code


@contextmanager
def _stops_raise() -> Iterator[None]:
    """SIGINT and SIGTERM end the work as an exception, so that everything is tidied up on the way out."""

    def stop(number: int, frame: object) -> None:
        raise Stopped(number)

    numbers = [signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]
    before = {number: signal.getsignal(number) for number in numbers}
    try:
        for number in numbers:
            if before[number] is not signal.SIG_IGN:
                signal.signal(number, stop)
    except ValueError:  # not the main thread: whoever runs us there handles signals
        before = {}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _close_stdout() -> None:
    """Nobody reads stdout any more: what is still buffered goes nowhere, without complaint."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
