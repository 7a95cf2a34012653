"""Checkpoints: from a name to a state dict. Only `fetch` opens a connection."""

from .manifest import Component, Family, Source, family_names, load_family

__all__ = ["Component", "Family", "Source", "family_names", "load_family"]
