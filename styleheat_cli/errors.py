"""What can go wrong, by kind: each kind has its exit code, each message its next step."""

from pathlib import Path


class StyleheatError(Exception):
    """A failure that a person can act on: what happened and where; `hint` says what to do next.

    `file` is the file that it happened in, `time_s` the second of it, for programs that read the error.
    """

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "", file: Path | None = None, time_s: float | None = None):
        super().__init__(message)
        self.hint, self.file, self.time_s = hint, file, time_s


class RecipeError(StyleheatError):
    """An option or a recipe is wrong: names file, line, key and the allowed values."""

    exit_code = 2


class InputError(StyleheatError):
    """The user's media cannot be used: unreadable, empty, no video stream, too short."""

    exit_code = 3


class FaceError(StyleheatError):
    """No usable face where one is needed: names file, time span and what was seen."""

    exit_code = 4


class CheckpointError(StyleheatError):
    """Weights are missing, damaged or of another family: names the component and the remedy."""

    exit_code = 5


class MachineError(StyleheatError):
    """The machine lacks something: device, memory, encoder."""

    exit_code = 6


class OutputError(StyleheatError):
    """The result cannot be written: exists already, no permission, disk full."""

    exit_code = 7


class PartialError(StyleheatError):
    """Some jobs of a batch failed: says how many and where the list is."""

    exit_code = 8
