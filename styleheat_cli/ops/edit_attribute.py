"""Edit attribute: the face looks older, younger, bearded, smiles: a direction of the family, or one of your own, at a strength."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, WithJsonSchema, model_validator

from ..errors import RecipeError
from .edit_3dmm import RATE, lasting
from .operation import Edit, FilePath, Flag, Scope, beside_the_recipe, is_motion, operation
from .reenact import Reenact

if TYPE_CHECKING:
    import numpy as np

    from ..engine.engine import Engine
    from ..shot import Attribute, Shot

RAMP_S = 4.0  # seconds of the clip that a ramp makes of a photo
MOST_SWEPT = 25


@dataclass(frozen=True)
class Direction:
    """What a direction does, in which steps it counts, the strengths that make sense, and the usual one."""

    says: str
    step: str
    low: float
    high: float
    usual: float


DEFAULT: Mapping[str, Direction] = {
    "age": Direction("older; below 0 younger", "ten years", -3, 4, 2),
    "beard": Direction("stubble at 1, a short beard at 2, a full one at 3; below 0 a beard grows thin", "class of beard", -2, 3, 2),
    "lips": Direction("coloured lips; below 0 paler", "from natural to coloured", -3, 3, 1),
    "smile": Direction("a slight smile at 1, an open one at 2; below 0 less of one", "class of smile", -2, 2, 1),
    "grey": Direction("greyer hair, wholly at 3; below 0 darker", "third of the hair", -3, 3, 2),
}
"""Directions of the embedded family."""
PUBLISHED: Mapping[str, Direction] = {
    "age": Direction("older; below 0 younger (InterFaceGAN)", "the official factor", -10, 10, 5),
    "old": Direction("older (InterFaceGAN)", "the official factor", -10, 10, 5),
    "young": Direction("younger (InterFaceGAN)", "the official factor", -10, 10, -5),
    "pose": Direction("the head turned (InterFaceGAN)", "the official factor", -6, 6, 2),
    "beard": Direction("a beard, below 0 (GANSpace component 58, rows 7 and 8)", "standard deviation", -40, 40, -20),
    "lip": Direction("coloured lips (GANSpace component 34, row 10)", "standard deviation", -40, 40, 20),
}
"""Directions of the published family, with the official strengths."""
OWN = Direction("your own", "what the file holds", -40, 40, 1)


def _one_or_many(value: Any) -> Any:
    return (value,) if isinstance(value, str | int | float | Path) else value


def _check_directions(given: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
    known = dict.fromkeys([*DEFAULT, *PUBLISHED])
    for name in given:
        if not is_motion(Path(name)) and name not in known:
            close = get_close_matches(name, known, 1, 0.4)
            raise ValueError(f"{name!r} is no direction; " + (f"did you mean {close[0]}?" if close else "known: " + ", ".join(known)))
    return tuple(str(beside_the_recipe(name, info)) if is_motion(Path(name)) else name for name in given)


def _parse_numbers(value: Any) -> Any:
    return tuple(value.split(":")) if isinstance(value, str) else value


Strength = Annotated[float, Field(ge=-40, le=40, allow_inf_nan=False)]
Directions = Annotated[
    tuple[str, ...], BeforeValidator(_one_or_many), AfterValidator(_check_directions), Field(min_length=1),
    WithJsonSchema({"type": ["string", "array"], "items": {"type": "string"}}), Flag(unit="name"),
]  # fmt: skip
Strengths = Annotated[
    tuple[Strength, ...], BeforeValidator(_one_or_many),
    WithJsonSchema({"type": ["number", "array"], "items": {"type": "number"}}), Flag(unit="steps"),
]  # fmt: skip
Ramp = Annotated[
    tuple[Strength, Strength] | str | None, BeforeValidator(_parse_numbers), Flag(unit="start:end"),
    WithJsonSchema({"type": ["string", "array", "null"], "items": {"type": "number"}}),
]  # fmt: skip
Moment = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Between = Annotated[
    tuple[Moment, Moment] | str | None, BeforeValidator(_parse_numbers), Flag(unit="from:to"),
    WithJsonSchema({"type": ["string", "array", "null"], "items": {"type": "number"}}),
]  # fmt: skip
Sweep = Annotated[
    tuple[Strength, Strength, Annotated[int, Field(ge=2, le=MOST_SWEPT)]] | str | None, BeforeValidator(_parse_numbers),
    Flag(unit="from:to:count"), WithJsonSchema({"type": ["string", "array", "null"], "items": {"type": "number"}}),
]  # fmt: skip


@operation
class EditAttribute(Edit):
    """Change how the face looks: older, younger, bearded, with other lips or greyer hair, smiling; on a photo or through a clip."""

    example: ClassVar[str] = "styleheat edit alice.jpg --direction age --strength 2 -o alice-older.png"

    op: Literal["edit", "edit-attribute"] = "edit"
    direction: Directions
    """What changes: age, beard, lips, smile, grey (--list tells all), or FILE.safetensors; may be given many times."""
    strength: Strengths = ()
    """How much, in the direction's steps (--list); one for each direction, or one for all; what is usual unless told."""
    ramp: Ramp = None
    """Over time from START to END times the strength, of 1 unless told: 0:1 comes slowly, -2:3 grows from younger to older."""
    ramp_time: Between = None
    """Seconds of the result between which the ramp rises; from beginning to end unless told."""
    sweep: Sweep = None
    """Write one contact sheet of a photo: COUNT pictures FROM:TO times the strength, of 1 unless told."""
    driving: Annotated[FilePath | None, Flag(short="-d", unit="file")] = None
    """Video or motion file that the face follows besides, so that a photo becomes a clip."""

    @model_validator(mode="after")
    def _fits_together(self) -> EditAttribute:
        if len(self.strength) not in (0, 1, len(self.direction)):
            raise ValueError(f"{len(self.strength)} strengths for {len(self.direction)} directions: give one, or one for each")
        if self.sweep and (self.ramp or self.driving):
            raise ValueError("--sweep makes one sheet of a photo: leave --ramp and --driving out")
        if self.ramp_time and not (self.ramp and self.ramp_time[0] < self.ramp_time[1]):
            raise ValueError("--ramp-time FROM:TO goes with --ramp, and FROM is before TO")
        return self

    @classmethod
    def listing(cls) -> dict[str, Mapping[str, Direction]]:
        return {"default": DEFAULT, "styleheat": PUBLISHED}

    def inputs(self) -> tuple[Path, ...]:
        files = tuple(Path(name) for name in self.direction if is_motion(Path(name)))
        return files if self.driving is None else (self.driving, *files)

    def driver(self) -> Path | None:
        return self.driving

    def stretch(self, still: bool, scope: Scope, fps: Fraction | None = None) -> tuple[float | None, float | None]:
        return self._follow().stretch(still, scope, fps)

    def moves(self) -> bool:
        return self.driving is not None or self.ramp is not None

    def lasts(self) -> float:
        return 0.0 if self.ramp is None else self.ramp_time[1] if self.ramp_time else RAMP_S

    def labels(self) -> tuple[str, ...]:
        names = ", ".join(Path(name).stem for name in self.direction)
        one = self.strength[0] if len(set(self.strength)) == 1 else 1.0
        times = "" if len(set(self.strength)) < 2 else " times"
        return tuple(f"{names} {one * factor:+.2g}{times}" for factor in self._factors())

    def apply(self, shot: Shot, engine: Engine, scope: Scope) -> Shot:
        if self.driving is not None:
            shot = self._follow().apply(shot, engine, scope)
        elif self.sweep or (self.ramp and shot.clip.still and not scope.still and len(shot.motion.times) == 1):
            shot = self._of_a_photo(shot, scope)
        strengths = self._strengths(engine)
        return shot.with_(attributes=(*shot.attributes, *(self._over_time(n, s, shot) for n, s in strengths.items())))

    def _follow(self) -> Reenact:
        return Reenact(driving=self.driving)

    def _factors(self) -> tuple[float, ...]:
        """What the strength is multiplied by, picture by picture of a sweep."""
        if not self.sweep:
            return ()
        first, last, count = self.sweep
        return tuple(first + (last - first) * number / (count - 1) for number in range(count))

    def _of_a_photo(self, shot: Shot, scope: Scope) -> Shot:
        """A photo's shot as a clip: for the ramp's time, or a picture for each value of the sweep."""
        if not self.sweep:
            return lasting(shot, self.lasts(), scope)
        if not shot.clip.still or not scope.still:
            raise RecipeError("a sweep is one sheet of one photo", hint="the source a photo, the output a .png or .jpg")
        return lasting(shot, self.sweep[2] / float(RATE), Scope(still=True))

    def _strengths(self, engine: Engine) -> dict[str, float]:
        """Each direction's strength. Raises RecipeError for one that these weights do not have, or out of its range."""
        published = engine.family.component("generator").architecture == "stylegan2"
        known, strengths = PUBLISHED if published else DEFAULT, {}
        given = self.strength * len(self.direction) if len(self.strength) == 1 else self.strength
        for number, name in enumerate(self.direction):
            if not is_motion(Path(name)) and name not in known:
                raise RecipeError(f"the {engine.family.name} weights have no direction {name}", hint="they have " + ", ".join(known))
            told = known.get(name, OWN)
            strengths[name] = given[number] if given else 1.0 if self.ramp or self.sweep else told.usual
            for factor in (*(self.ramp or ()), *self._factors()) or (1.0,):
                if not told.low <= strengths[name] * factor <= told.high:
                    raise RecipeError(f"{name} at {strengths[name] * factor:g} looks like no face any more",
                                      hint=f"{name} goes from {told.low:g} to {told.high:g}, in steps of {told.step}")  # fmt: skip
        return strengths

    def _over_time(self, name: str, strength: float, shot: Shot) -> Attribute:
        from ..shot import Attribute

        times, factors, own = shot.motion.times.tolist(), self._factors(), is_motion(Path(name))
        if self.ramp:
            begin = times[0]
            factors, times = self.ramp, [begin + moment for moment in self.ramp_time or (0.0, times[-1] - begin)]
        elif not factors:
            factors, times = (1.0,), [0.0]
        strengths = tuple(strength * factor for factor in factors)
        return Attribute(Path(name).stem if own else name, strengths, tuple(times), Path(name) if own else None)


def swept() -> dict[str, tuple[float, ...]]:
    """Five strengths over each direction's range, 0 among them, for measuring."""
    return {name: (told.low, told.low / 2, 0.0, told.high / 2, told.high) for name, told in DEFAULT.items()}


def performed(engine: Engine, path: Path, looks: Sequence[Mapping[str, float]]) -> Iterator[np.ndarray]:
    """A portrait's pictures, (H, W, 3) uint8, one for each look: strengths by direction."""
    from ..shot import Attribute

    shot = lasting(engine.shot(path), len(looks) / float(RATE), Scope(still=True))
    times = tuple(shot.motion.times.tolist())
    names = dict.fromkeys(name for look in looks for name in look)
    attributes = tuple(Attribute(name, tuple(look.get(name, 0.0) for look in looks), times) for name in names)
    for frame in engine.render(shot.with_(attributes=attributes)):
        yield frame.image
