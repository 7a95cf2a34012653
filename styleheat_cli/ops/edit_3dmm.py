"""Edit 3DMM: the head turned and the face moved by hand, by numbers that have names and units."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from math import log
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from ..errors import RecipeError
from .operation import Description, Edit, FilePath, Flag, Scope, Time, operation, seconds
from .reenact import DEFAULT_RATE as RATE

if TYPE_CHECKING:
    import numpy as np

    from ..engine.engine import Engine
    from ..shot import Shot

PLAIN_S, PLAIN_FADE_S = 3.0, 1.0
"""A photo with plain values, as a clip: the whole, and the part in which they come, and go again."""
FADE_S = 0.2
COEFFICIENTS = 64
NO_AXES = ("yaw", "pitch", "roll", "zoom", "shift", "coefficients")

Easing = Literal["linear", "smooth", "in", "out", "hold"]


def _parse_shift(value: Any) -> Any:
    return tuple(value.split(",")) if isinstance(value, str) else value


def _parse_coefficients(value: Any) -> Any:
    return tuple(f"{index}={amount}" for index, amount in value.items()) if isinstance(value, dict) else value


def _check_coefficients(given: tuple[str, ...]) -> tuple[str, ...]:
    for text in given:
        index, equals, amount = text.partition("=")
        if not (equals and index.strip().isdecimal() and int(index) < COEFFICIENTS and _is_number(amount)):
            raise ValueError(f"{text!r} is not INDEX=VALUE, such as 3=1.5; there are {COEFFICIENTS} coefficients, from 0")
        if abs(float(amount)) > 6:
            raise ValueError(f"{text!r}: no face is more than 6 standard deviations from the mean")
    return given


def _is_number(text: str) -> bool:
    try:
        return float(text) == float(text)
    except ValueError:
        return False


HeadSizes = Annotated[float, Field(ge=-2, le=2, allow_inf_nan=False)]
Shift = Annotated[
    tuple[HeadSizes, HeadSizes] | str | None,
    BeforeValidator(_parse_shift),
    WithJsonSchema({"type": ["array", "string", "null"], "items": {"type": "number"}}),
    Flag(unit="x,y"),
]
Coefficients = Annotated[
    tuple[str, ...],
    BeforeValidator(_parse_coefficients),
    AfterValidator(_check_coefficients),
    WithJsonSchema({"type": ["array", "object"], "items": {"type": "string"}, "additionalProperties": {"type": "number"}}),
    Flag(long="--coefficient", unit="index=value"),
]
Share = Annotated[float, Field(ge=0, le=1)]
Both = Annotated[float, Field(ge=-1, le=1)]


class Look(Description):
    """What head and face do, against what they do by themselves. Left and right are those of the picture."""

    yaw: Annotated[float, Field(ge=-40, le=40), Flag(unit="degrees")] = 0.0
    """Turn the head, -40 to 40 degrees: positive turns to the picture's right."""
    pitch: Annotated[float, Field(ge=-30, le=30), Flag(unit="degrees")] = 0.0
    """Nod, -30 to 30 degrees: positive looks up."""
    roll: Annotated[float, Field(ge=-45, le=45), Flag(unit="degrees")] = 0.0
    """Tilt the head, -45 to 45 degrees: positive tilts clockwise as seen."""
    zoom: Annotated[float, Field(ge=0.7, le=1.4)] = 1.0
    """Times the head's size, 0.7 to 1.4."""
    shift: Shift = None
    """Move the head right and down, X,Y in head sizes (a fifth of a face's height), -2 to 2."""
    smile: Annotated[float, Field(ge=-0.6, le=1)] = 0.0
    """Raise and spread the corners of the lips, -0.6 to 1: 1 by 4 % of the face's height; negative lowers them."""
    jaw_open: Both = 0.0
    """Open the jaw, -1 to 1: 1 parts the lips by 9 % of the face's height; -1 closes a mouth that is open."""
    mouth_wide: Both = 0.0
    """Stretch the mouth, -1 to 1: 1 widens it by a fifth; negative narrows it."""
    pucker: Share = 0.0
    """Purse the lips, 0 to 1: 1 narrows the mouth by a quarter and brings the lips forward."""
    brows_up: Share = 0.0
    """Raise the brows, 0 to 1: 1 by 4 % of the face's height."""
    brows_down: Share = 0.0
    """Lower and knit the brows, 0 to 1: 1 by 3 % of the face's height."""
    blink_left: Annotated[float, Field(ge=-0.4, le=1)] = 0.0
    """Close the eye on the picture's left, -0.4 to 1, in shares of its opening: 1 shuts it; negative widens it."""
    blink_right: Annotated[float, Field(ge=-0.4, le=1)] = 0.0
    """Close the eye on the picture's right, -0.4 to 1, in shares of its opening: 1 shuts it; negative widens it."""
    squint: Share = 0.0
    """Narrow both eyes, 0 to 1: 1 by two thirds, the lower lids rising."""
    gaze_x: Annotated[float, Field(ge=-30, le=30), Flag(unit="degrees")] = 0.0
    """Turn the eyes, -30 to 30 degrees: positive looks to the picture's right."""
    gaze_y: Annotated[float, Field(ge=-20, le=20), Flag(unit="degrees")] = 0.0
    """Raise the eyes, -20 to 20 degrees: positive looks up."""
    coefficients: Coefficients = ()
    """For experts: add to a coefficient of the expression, INDEX=VALUE in standard deviations; may be given many times."""


class Keyframe(Look):
    """A moment of a score, and what head and face do then."""

    time: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    """When, in seconds of the clip that sets the time."""
    easing: Easing = "smooth"
    """How values get here from the keyframe before: linear, smooth, in (slow start), out (slow end), or hold."""


def _check_order(frames: tuple[Keyframe, ...]) -> tuple[Keyframe, ...]:
    for sooner, later in pairwise(frames):
        if later.time <= sooner.time:
            raise ValueError(f"a keyframe at {later.time:g} s comes after one at {sooner.time:g} s: put them in order")
    return frames


class Score(Description):
    """Keyframes in order. A frame changes what it names; everything else stays as it was in the frame before, at first at rest."""

    frames: Annotated[tuple[Keyframe, ...], Field(min_length=1), AfterValidator(_check_order)]
    """The moments, each later than the one before."""


STOP_S = 0.5  # seconds from rest to a stop of the tour, and back
TOUR = (
    {"roll": 18}, {"roll": -18}, {"pitch": 18}, {"pitch": -18}, {"yaw": 22.5}, {"yaw": -22.5},
    {"jaw_open": 0.8}, {"smile": 1}, {"mouth_wide": 1}, {"pucker": 1}, {"brows_up": 1}, {"brows_down": 1},
    {"blink_left": 1}, {"blink_right": 1}, {"squint": 1}, {"gaze_x": 25}, {"gaze_x": -25}, {"gaze_y": 15}, {"gaze_y": -15},
)  # fmt: skip
"""Stops, each from rest and back to it: the poses and their order are the official script's, then every axis by name."""


@operation
class Edit3DMM(Edit, Look):
    """Turn the head and move the face by numbers: angles, place, named axes of expression, keyframes, or a tour."""

    example: ClassVar[str] = "styleheat edit-3dmm alice.jpg --yaw 15 --smile 0.7 -o alice-smiles.png"

    op: Literal["edit-3dmm"] = "edit-3dmm"
    keyframes: Annotated[FilePath | None, Flag(unit="yaml")] = None
    """Values over time: a file with frames, each a table of time, values by these options' names, and easing."""
    tour: bool = False
    """Go through head turns and every axis in turn, as the official script does; 19 seconds."""
    after: Annotated[Time | None, Flag(unit="time")] = None
    """Change nothing before this moment of the clip that sets the time."""
    before: Annotated[Time | None, Flag(unit="time")] = None
    """Change nothing from this moment on."""
    fade: Annotated[float | None, Field(ge=0, le=10), Flag(unit="seconds")] = None
    """Seconds, 0 to 10, in which the change comes after the one moment and goes before the other; 0.2 unless told."""
    region: Literal["all", "pose", "expression", "lips", "eyes"] = "all"
    """What may change: all, the pose, the expression, or only lips or eyes (with the brows)."""

    def inputs(self) -> tuple[Path, ...]:
        return (self.keyframes,) if self.keyframes else ()

    def moves(self) -> bool:
        return bool(self.keyframes or self.tour or self.after or self.before)

    def lasts(self) -> float:
        after, before = seconds(self.after, RATE) or 0.0, seconds(self.before, RATE) or 0.0
        frames = self._frames()
        last = frames[-1].time + 1 / float(RATE) if frames else 0.0
        return max(last, before, 0.0 if before or not after else after + PLAIN_S) or PLAIN_S

    def apply(self, shot: Shot, engine: Engine, scope: Scope) -> Shot:
        from ..engine.puppet import curve, moved, within

        frames = self._frames()
        made = shot.clip.still and len(shot.motion.times) == 1 and (bool(frames) or not scope.still)
        if made:
            shot = lasting(shot, self.lasts(), scope)
        times, fps = shot.motion.times, (shot.timeline or shot.clip).fps
        wanted = {name: value + 0 * times for name, value in values_of(self, Look.model_fields).items()}
        for name, keys in keys_of(frames).items():
            wanted[name] = wanted.get(name, 0) + curve(times, keys)
        share = within(times, *self._span(fps, fades=made and not frames))
        wanted = {name: share * values for name, values in wanted.items()}
        return shot.with_(motion=moved(engine.morphable, shot.motion, wanted, self.region))

    def _span(self, fps: Fraction, fades: bool) -> tuple[float | None, float | None, float]:
        """Seconds from which, up to which, and over which the change comes and goes; `fades`: also without being told."""
        if fades and not self.moves():
            return 0.0, PLAIN_S, PLAIN_FADE_S if self.fade is None else self.fade
        return seconds(self.after, fps), seconds(self.before, fps), FADE_S if self.fade is None else self.fade

    def _frames(self) -> tuple[Keyframe, ...]:
        """The keyframes, of the file or of the tour."""
        if self.keyframes and self.tour:
            raise RecipeError("--keyframes and --tour exclude each other", hint="put the tour's stops into the file")
        return read_score(self.keyframes).frames if self.keyframes else tour() if self.tour else ()


def bounds() -> dict[str, tuple[float, float]]:
    """Lowest and highest value of every named axis of expression."""
    fields = {name: field for name, field in Look.model_fields.items() if name not in NO_AXES}
    return {
        name: tuple(next(getattr(mark, end) for mark in field.metadata if hasattr(mark, end)) for end in ("ge", "le"))
        for name, field in fields.items()
    }


def performed(engine: Engine, path: Path, looks: Sequence[Mapping[str, float]]) -> Iterator[np.ndarray]:
    """(512, 512, 3) uint8: a portrait's head with each of these looks, through the pass of any result."""
    import numpy as np

    shot, times = engine.shot(path), np.arange(len(looks)) / float(RATE)
    rows = [Edit3DMM(**look).apply(shot, engine, Scope(still=True)).motion.coeffs for look in looks]
    motion = shot.motion.of_rows(np.zeros(len(looks), int), times).with_(coeffs=np.concatenate(rows))
    for frame in engine.render(shot.with_(motion=motion), size=512, crop=True):
        yield frame.image


def read_score(path: Path) -> Score:
    """The keyframes in a YAML file. Raises RecipeError for what is none, with file, line and key."""
    from ..recipe import read_described

    return read_described(path, Score)


def tour() -> tuple[Keyframe, ...]:
    """The keyframes of the tour."""
    frames = [Keyframe(time=0.0)]
    for count, stop in enumerate(TOUR):
        frames.append(Keyframe(time=(2 * count + 1) * STOP_S, **stop))
        frames.append(Keyframe(time=(2 * count + 2) * STOP_S, **dict.fromkeys(stop, 0.0)))
    return tuple(frames)


def values_of(look: Look, fields: Iterable[str]) -> dict[str | int, float]:
    """What a look says in these fields: zoom as a logarithm, shift as its two ways, coefficients by index."""
    values: dict[str | int, float] = {}
    for name in fields:
        if name == "zoom":
            values["zoom"] = log(look.zoom)
        elif name == "shift":
            values["shift_x"], values["shift_y"] = look.shift or (0.0, 0.0)
        elif name == "coefficients":
            values |= {int(index): float(amount) for index, _, amount in (text.partition("=") for text in look.coefficients)}
        elif name in Look.model_fields:
            values[name] = getattr(look, name)
    return values


def keys_of(frames: tuple[Keyframe, ...]) -> dict[str | int, list[tuple[float, float, str]]]:
    """Every value that keyframes name, over all of them: (seconds, value, easing)."""
    told = [values_of(frame, frame.model_fields_set) for frame in frames]
    now: dict[str | int, float] = dict.fromkeys((name for values in told for name in values), 0.0)
    keys: dict[str | int, list[tuple[float, float, str]]] = {name: [] for name in now}
    for frame, values in zip(frames, told, strict=True):
        now |= values
        for name, value in now.items():
            keys[name].append((frame.time, value, frame.easing))
    return keys


def lasting(shot: Shot, length_s: float, scope: Scope) -> Shot:
    """A photo's shot as one that lasts, its own motion on every row; trimmed where nothing else sets the time."""
    import numpy as np

    rate = scope.rate or RATE
    times = np.arange(max(1, round(length_s * float(rate)))) / float(rate)
    if not scope.still:
        start, end = seconds(scope.start, rate), seconds(scope.end, rate)
        times = times[(times >= (start or 0.0) - 1e-9) & (times < (np.inf if end is None else end) - 1e-9)]
    timeline = replace(shot.clip, fps=rate, time_base=1 / rate, frames=len(times))
    return shot.with_(motion=shot.motion.of_rows(np.zeros(len(times), int), times), timeline=timeline)
