"""The command line, called as a person calls it."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest

from styleheat_cli.app import run


@dataclass(frozen=True)
class Called:
    """What a command line gave: its exit code, stdout and stderr."""

    code: int
    out: str
    err: str

    @property
    def json(self):
        """stdout as the one JSON object that it must then be."""
        return json.loads(self.out)


@pytest.fixture
def cli(capfd):
    """Calls styleheat in this process."""

    def call(*arguments) -> Called:
        capfd.readouterr()
        code = run([str(argument) for argument in arguments])
        return Called(code, *capfd.readouterr())

    return call
