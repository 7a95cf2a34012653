"""Source: the clip or photo that is edited."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import model_validator

from .operation import Description, Face, FilePath, Flag, OnMissingFace


class Source(Description):
    """What is edited."""

    path: FilePath
    """The photo (JPEG, PNG, WebP) or video to edit. It is never written to."""
    face: Face = "largest"
    """Which face of the source: largest, left, right, or its number as `styleheat faces` lists it."""
    on_missing_face: OnMissingFace = "keep"
    """Where no face is seen: keep the source's own picture and motion, hold the last pose, or fail."""
    inversion: Annotated[FilePath | None, Flag(unit="file")] = None
    """Inversion of the photo, written by `styleheat invert` (.safetensors), instead of making one."""

    @model_validator(mode="before")
    @classmethod
    def _from_a_name(cls, value: Any) -> Any:
        return value if isinstance(value, dict | Source) else {"path": value}
