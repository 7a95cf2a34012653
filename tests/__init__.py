"""Tests: unit/ mirrors the package; the rest goes through several parts at once."""
