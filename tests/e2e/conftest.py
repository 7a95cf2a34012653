"""End to end: the real engine, real files, no network."""

from __future__ import annotations

import socket

import pytest

from styleheat_cli import execute
from tests.cli.conftest import Called, cli

__all__ = ["Called", "cli"]


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    """Whatever opens a connection fails the test."""

    def refused(self, *_):
        raise AssertionError("something tried to reach the network")

    monkeypatch.setattr(socket.socket, "connect", refused)
    monkeypatch.setattr(socket.socket, "connect_ex", refused)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: refused(None))


@pytest.fixture
def one_engine(monkeypatch):
    """The weights are loaded once for all tests that ask for this."""
    loaded = execute._loaded
    monkeypatch.setattr(execute, "_loaded", lambda *how: _engines.setdefault(how[0].recipe.weights, loaded(*how)))


_engines: dict = {}
