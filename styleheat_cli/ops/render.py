"""Render: how the edited shot becomes a file."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from .operation import Description, FilePath, Flag, Time

_NTSC = {"23.976": "24000/1001", "29.97": "30000/1001", "59.94": "60000/1001"}
_RATE = re.compile(r"\d+(\.\d+)?|\d+/\d+")


def _as_text(value: Any) -> Any:
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _check_rate(text: str) -> str:
    if text == "source":
        return text
    rate = Fraction(_NTSC.get(text, text)) if _RATE.fullmatch(text) and not text.endswith("/0") else Fraction(0)
    if not 1 <= rate <= 240:
        raise ValueError(f"{text!r} is not a frame rate: write source, or 1 to 240 such as 25, 29.97 or 30000/1001")
    return str(rate)


def _check_even(side: int | None) -> int | None:
    if side is not None and side % 2:
        raise ValueError(f"{side} is odd: give an even number of pixels")
    return side


Rate = Annotated[
    str,
    BeforeValidator(_as_text),
    AfterValidator(_check_rate),
    WithJsonSchema({"type": ["string", "number"], "description": "source, or frames per second"}),
]


class Render(Description):
    """How the result is made."""

    crop: bool = False
    """Write the aligned square round the face instead of the source's full frame."""
    size: Annotated[int | None, Field(ge=64, le=4096), AfterValidator(_check_even), Flag(unit="pixels")] = None
    """With --crop the side of the square in pixels (512); else the picture's longer side (its own). 64 to 4096."""
    fps: Annotated[Rate, Flag(unit="source|rate")] = "source"
    """Frames per second: source keeps every frame time of the clip that sets the time; a number resamples."""
    start: Annotated[Time | None, Flag(unit="time")] = None
    """Begin here, in the clip that sets the time: a video source, or what drives a photo. 10, 0:02.5 or 120f."""
    end: Annotated[Time | None, Flag(unit="time")] = None
    """End here, in the same clip; this moment itself is left out."""
    audio_from: Literal["driving", "source", "none"] = "driving"
    """Whose sound the result carries, copied without loss where the container allows; of a dub, driving is the speech; where nothing drives, the source's."""
    codec: Literal["auto", "h264", "hevc", "vp9", "ffv1"] = "auto"
    """How the picture is compressed; auto takes what the output's ending is known for."""
    crf: Annotated[int, Field(ge=0, le=51)] = 18
    """Quality, 0 to 51: 0 is lossless, 18 looks like the original, 28 is small."""
    sheet: Annotated[FilePath | None, Flag(unit="png")] = None
    """Also write a contact sheet: six moments, the driving clip above, the result below."""
    side_by_side: bool = False
    """Also write a video of the driving clip beside the result, named after the output."""

    @property
    def rate(self) -> Fraction | None:
        """Frames per second to resample to, or nothing where the timeline's own times are kept."""
        return None if self.fps == "source" else Fraction(self.fps)
