"""Preflight: what a recipe will do, and everything that can be known to stop it, before a model is loaded."""

from __future__ import annotations

import errno
import os
import tempfile
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .checkpoints import Component, load_family
from .errors import InputError, OutputError, RecipeError
from .ops import Scope, seconds
from .ops.operation import is_motion
from .recipe import Recipe

if TYPE_CHECKING:
    from .shot import Clip

ENCODERS = {"h264": "libx264", "hevc": "libx265", "vp9": "libvpx-vp9", "ffv1": "ffv1"}
HOLDS = {
    ".mp4": ("h264", "hevc", "vp9"), ".m4v": ("h264", "hevc"), ".mov": ("h264", "hevc"),
    ".mkv": tuple(ENCODERS), ".webm": ("vp9",),
}  # fmt: skip
CROP_SIDE = 512
MASKS_AND_FRAMES = 60  # pictures of the output's size that are held at once, at most
PIXELS_A_SECOND = 6.5e6  # end to end on two cores
TRACKED_A_SECOND = 60.0  # frames of a driving clip on two cores
QUICKLY_HASHED = 200_000_000  # bytes


@dataclass(frozen=True)
class Pace:
    """What a family costs on two cores: bytes of a process that has torch, the landmarker and its networks in memory,
    seconds before the first picture, seconds of its networks for a picture, and more where the source is a video."""

    memory: int = 700_000_000
    start_s: float = 4.0
    picture_s: float = 0.0
    video_s: float = 0.0


PACES = {"generator": Pace(), "stylegan2": Pace(2_800_000_000, 25.0, 2.5, 12.0)}
"""By the architecture of the family's generator."""


@dataclass(frozen=True)
class Driver:
    """What a step follows: a file, its clip where it is one, and the seconds that drive."""

    path: Path
    clip: Clip | None
    fps: Fraction
    start_s: float
    end_s: float


@dataclass(frozen=True)
class Voice:
    """The speech that is spoken: its file, and its seconds from and to which it is heard."""

    path: Path
    start_s: float
    end_s: float


@dataclass(frozen=True)
class Plan:
    """What a run will read, make and need. `outputs` are the result, then the sheet and the comparison if asked for."""

    recipe: Recipe
    source: Clip
    drivers: tuple[Driver, ...]
    outputs: tuple[Path, ...]
    height: int
    width: int
    fps: Fraction
    start_s: float
    duration_s: float
    sound: Path | None
    components: tuple[Component, ...]
    notes: tuple[str, ...] = ()
    voice: Voice | None = None

    @property
    def output(self) -> Path:
        return self.outputs[0]

    @property
    def frames(self) -> int:
        """Pictures of the result, about."""
        return max(1, round(self.duration_s * float(self.fps)))

    @property
    def needed_bytes(self) -> int:
        """Size of the result, about, with some room."""
        pixels = self.frames * self.height * self.width
        bits = 10 if self.recipe.render.crf == 0 or self.recipe.render.codec == "ffv1" else 0.2
        return round(pixels * bits / 8) * (3 if self.recipe.render.side_by_side else 1) + 1_000_000

    @property
    def memory_bytes(self) -> int:
        """Memory that the run takes at its highest, about; the clip's length does not matter."""
        return self._pace.memory + 3 * self.height * self.width * MASKS_AND_FRAMES

    @property
    def seconds(self) -> float:
        """How long the run takes, about, on the cores of this machine."""
        share = 2 / max(1, min(os.cpu_count() or 1, 8))
        tracked = sum((driver.end_s - driver.start_s) * float(driver.fps) for driver in self.drivers if driver.clip)
        picture_s = max(self.height * self.width, 200_000) / PIXELS_A_SECOND + self._pace.picture_s
        picture_s += 0 if self.source.still else self._pace.video_s
        return self._pace.start_s + share * (tracked / TRACKED_A_SECOND + self.frames * picture_s)

    @property
    def _pace(self) -> Pace:
        architectures = [component.architecture for component in self.components if component.role == "generator"]
        return PACES.get(architectures[0], Pace()) if architectures else Pace()

    def as_content(self) -> dict[str, Any]:
        """The plan as JSON data."""
        return {
            "source": {"file": str(self.source.path), **_clip_content(self.source)},
            "driving": [
                {"file": str(d.path), **(_clip_content(d.clip) if d.clip else {"motion": True})} for d in self.drivers
            ],
            "speech": str(self.voice.path) if self.voice else None,
            "outputs": [str(path) for path in self.outputs],
            "size": [self.width, self.height],
            "fps": str(self.fps),
            "frames": self.frames,
            "start_s": self.start_s,
            "duration_s": round(self.duration_s, 3),
            "sound_from": str(self.sound) if self.sound else None,
            "weights": [_weights_content(component) for component in self.components],
            "estimate": {
                "seconds": round(self.seconds, 1),
                "memory_bytes": self.memory_bytes,
                "disk_bytes": self.needed_bytes,
            },
            "notes": list(self.notes),
            "recipe": self.recipe.as_data(),
        }


def _clip_content(clip: Clip) -> dict[str, Any]:
    size = {"size": [clip.width, clip.height]}
    if clip.still:
        return size | {"still": True}
    return size | {"fps": str(clip.fps), "frames": clip.frames, "duration_s": round(float(clip.duration_s), 3)}


def _weights_content(component: Component) -> dict[str, Any]:
    found = component.find()
    return {
        "role": component.role,
        "file": component.file,
        "bytes": component.size or (found.stat().st_size if found else 0),
        "licence": licence_of(component),
        "here": found is not None,
    }


def licence_of(component: Component) -> str:
    """Under which terms a component is used: its publisher's, the family's, or what the card beside the file says."""
    family = load_family(component.family) if component.family else None
    source = family.sources.get(component.source) if family else None
    stated = (source.licence if source else "") or (family.licence if family else "")
    return " ".join(stated.split()) or terms_on_card(component) or "not stated"


def terms_on_card(component: Component) -> str:
    """What stands under "Terms of use" on the card beside a component's file."""
    found = component.find()
    card = found.with_name("README.md") if found else None
    text = card.read_text("utf-8") if card and card.is_file() else ""
    section = text.partition("## Terms of use")[2].partition("\n## ")[0]
    return " ".join(section.replace("**", "").split())


def prepare(
    recipe: Recipe, *, overwrite: bool = False, checkpoints: Path | None = None, with_weights: bool = True
) -> Plan:
    """The plan of a recipe.

    Raises:
        StyleheatError: of the kind that fits, for whatever is sure to fail.
    """
    from .media.output import check_output

    source = _source_of(recipe)
    scope = Scope(recipe.render.start, recipe.render.end, recipe.source.on_missing_face)
    drivers = tuple(_driver_of(step, source, scope) for step in recipe.steps if step.driver())
    outputs = outputs_of(recipe, source)
    for step in recipe.steps:
        step.lasts()  # reads what it follows beside clips, which may be wrong
    voice = _voice_of(recipe, source)
    fps, start, duration = _timeline(recipe, source, drivers)
    duration = _fitted(recipe, source, drivers, voice, duration)
    height, width = size_of(recipe, source)
    sound, notes = _sound_of(recipe, source, drivers, voice, outputs[0])
    components = _components(recipe, checkpoints) if with_weights else ()
    plan = Plan(recipe, source, drivers, outputs, height, width, fps, start, duration, sound, components, notes, voice)
    _check_codec(plan)
    if len(set(outputs)) < len(outputs):
        raise RecipeError("the sheet has the name of the result", hint="give --sheet another name")
    for output in outputs:
        _check_links(output)
        check_output(output, overwrite=overwrite, inputs=recipe.inputs(), needed_bytes=plan.needed_bytes)
        _check_writing(output)
    return plan


def _check_links(output: Path) -> None:
    """The output's name is not one that links lead round in a circle."""
    from .media.output import cannot_write

    try:
        output.stat()
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise cannot_write(output, error) from None


def _check_writing(output: Path) -> None:
    """A file can be made in the output's folder; it has no name and is gone at once."""
    from .media.output import cannot_write

    try:
        with tempfile.TemporaryFile(dir=output.parent) as file:
            file.write(b"styleheat")
    except OSError as error:
        raise cannot_write(output, error) from None


def _source_of(recipe: Recipe) -> Clip:
    from .media.reader import probe

    if is_motion(recipe.source.path):
        raise InputError(f"{recipe.source.path.name} is a motion, which has no picture",
                         file=recipe.source.path, hint="the source is a photo or a video; the motion goes to --driving")  # fmt: skip
    return probe(recipe.source.path)


def _driver_of(step: Any, source: Clip, scope: Scope) -> Driver:
    """What drives a step, and for how long."""
    path = step.driver()
    clip, fps, length = _read_driver(path)
    start, end = step.stretch(source.still, scope, fps)
    start, end = start or 0.0, length if end is None else min(end, length)
    if start >= length:
        raise InputError(f"{path.name} lasts {length:.2f} s: there is nothing from {start:.2f} s on",
                         file=path, hint="give an earlier --start or --driving-start")  # fmt: skip
    return Driver(path, clip, fps, start, end)


def _read_driver(path: Path) -> tuple[Clip | None, Fraction, float]:
    """(clip or nothing, frames per second, seconds) of a driving file."""
    from .media.motion_file import motion_fps, read_motion
    from .media.reader import probe
    from .ops.reenact import DEFAULT_RATE, end_of

    if is_motion(path):
        motion = read_motion(path)
        return None, motion_fps(path) or DEFAULT_RATE, end_of(motion)
    clip = probe(path)
    if clip.still:
        raise InputError(f"{path.name} is a photo: it has no motion to follow", file=path, hint="give a video, or a motion file")
    return clip, clip.fps, float(clip.duration_s)


def _voice_of(recipe: Recipe, source: Clip) -> Voice | None:
    """The speech of the last step that speaks: it begins where the result does."""
    from .media.audio import length_of
    from .ops.reenact import DEFAULT_RATE

    path = next((step.voice() for step in reversed(recipe.steps) if step.voice()), None)
    if path is None:
        return None
    length, fps = float(length_of(path)), DEFAULT_RATE if source.still else source.fps
    start, end = seconds(recipe.render.start, fps) or 0.0, seconds(recipe.render.end, fps)
    if start >= length:
        raise InputError(f"{path.name} lasts {length:.2f} s: there is nothing from {start:.2f} s on",
                         file=path, hint="give an earlier --start")  # fmt: skip
    return Voice(path, start, length if end is None else min(end, length))


def _fitted(recipe: Recipe, source: Clip, drivers: tuple[Driver, ...], voice: Voice | None, duration: float) -> float:
    """Seconds of the result once pictures and speech were made to fit each other."""
    if voice is None or (source.still and not drivers):
        return duration
    for step in recipe.steps:
        if step.voice() == voice.path:
            duration = step.length(duration, voice.end_s - voice.start_s, source.still)
    return duration


def _timeline(recipe: Recipe, source: Clip, drivers: tuple[Driver, ...]) -> tuple[Fraction, float, float]:
    """(frames per second, first second in the clip that sets the time, seconds) of the result."""
    from .media.formats import is_photo

    render = recipe.render
    if source.still:
        fps, start, end = source.fps, 0.0, float(source.duration_s)
        if drivers:
            fps, start, end = drivers[0].fps, drivers[0].start_s, drivers[0].end_s
        elif not is_photo(named_output(recipe, source)):
            start, end = _made_of_a_photo(recipe, fps, end)
    else:
        fps, length = source.fps, float(source.duration_s)
        start = seconds(render.start, fps) or 0.0
        wanted = seconds(render.end, fps)
        end = min([length if wanted is None else wanted, length, *(start + d.end_s - d.start_s for d in drivers)])
        if start >= length:
            raise InputError(f"{source.path.name} lasts {length:.2f} s: there is nothing from {start:.2f} s on",
                             file=source.path, hint="give an earlier --start")  # fmt: skip
    if end <= start:
        raise RecipeError(f"--end {end:g} s is not after --start {start:g} s", hint="give a later --end")
    return render.rate or fps, start, end - start


def _made_of_a_photo(recipe: Recipe, fps: Fraction, picture_s: float) -> tuple[float, float]:
    """First and last second of the clip that steps without a driver make of a photo."""
    length = max((step.lasts() for step in recipe.steps), default=0.0) or picture_s
    start, wanted = (seconds(time, fps) for time in (recipe.render.start, recipe.render.end))
    if (start or 0.0) >= length:
        raise InputError(f"the edits last {length:.2f} s: there is nothing from {start:.2f} s on",
                         hint="give an earlier --start")  # fmt: skip
    return start or 0.0, length if wanted is None else min(wanted, length)


def size_of(recipe: Recipe, source: Clip) -> tuple[int, int]:
    """(height, width) of the result in pixels."""
    size = recipe.render.size
    if recipe.render.crop:
        return (size or CROP_SIDE,) * 2
    if size is None:
        return source.height, source.width
    scale = size / max(source.height, source.width)
    return tuple(max(2, 2 * round(side * scale / 2)) for side in (source.height, source.width))


def outputs_of(recipe: Recipe, source: Clip) -> tuple[Path, ...]:
    """Where the result goes, then the sheet and the comparison where these are wanted."""
    from .media.formats import format_of, is_photo

    output = named_output(recipe, source)
    if not is_photo(output):
        format_of(output)
    elif not source.still or any(step.moves() for step in recipe.steps):
        raise OutputError(f"{output.name} can hold one picture only", file=output, hint="name a video, such as out.mp4")
    sheet = recipe.render.sheet
    if sheet and not is_photo(sheet):
        raise OutputError(f"{sheet.name}: a sheet is a picture", file=sheet, hint="name a .png or .jpg")
    beside = output.with_name(f"{output.stem}.side-by-side{output.suffix}") if recipe.render.side_by_side else None
    return tuple(path for path in (output, sheet, beside) if path)


def named_output(recipe: Recipe, source: Clip) -> Path:
    """The output as named, its template filled in; unnamed, it stands beside the source: `alice.reenact.mp4`."""
    from .media.formats import FORMATS, PHOTOS

    still = source.still and bool(recipe.steps) and not any(step.moves() for step in recipe.steps)
    known, usual = (PHOTOS, ".png") if still else ((), ".mp4") if source.still else (FORMATS, ".mp4")
    suffix = source.path.suffix if source.path.suffix.lower() in known else usual
    op = recipe.steps[-1].op if recipe.steps else "copy"
    if recipe.output is None:
        return source.path.with_name(f"{source.path.stem}.{op}{suffix}")
    name = str(recipe.output)
    for key, value in (("{stem}", source.path.stem), ("{op}", op), ("{ext}", suffix.removeprefix("."))):
        name = name.replace(key, value)
    return Path(name)


def _sound_of(
    recipe: Recipe, source: Clip, drivers: tuple[Driver, ...], voice: Voice | None, output: Path
) -> tuple[Path | None, tuple[str, ...]]:
    """(file whose sound the result carries or nothing, what the person should know about it)."""
    from .media.formats import carries_sound

    wanted = recipe.render.audio_from
    if wanted == "none":
        return None, ()
    if voice is not None and wanted == "driving":
        return (voice.path, ()) if carries_sound(output) else (None, (f"a {output.suffix} cannot carry the speech",))
    driver = next(iter(drivers), None)
    follows = driver is not None and wanted == "driving"
    path, clip = (driver.path, driver.clip) if follows else (source.path, source)
    if is_motion(path) or (source.still and not follows and wanted == "driving"):
        return None, ()
    if clip is None or clip.audio is None:
        return None, (f"{path.name} has no sound: the result is silent",)
    if not carries_sound(output):
        return None, (f"a {output.suffix} cannot carry the sound of {path.name}",)
    return path, ()


def _components(recipe: Recipe, checkpoints: Path | None) -> tuple[Component, ...]:
    """The weights of the recipe's family, all of them where they should be."""
    family = load_family(recipe.weights, checkpoints)
    for component in family.components.values():
        found = component.find()
        if found is None and component.optional:
            continue
        quick = found is None or found.stat().st_size < QUICKLY_HASHED
        component.path(hashed=quick)  # raises where it is missing or damaged; large ones are hashed when they are loaded
    return tuple(family.components.values())


def _check_codec(plan: Plan) -> None:
    """The encoder exists here, and the container takes it."""
    from .media.encoders import check_encoder
    from .media.formats import FORMATS, is_photo

    if is_photo(plan.output):
        return
    suffix, codec = plan.output.suffix.lower(), plan.recipe.render.codec
    if codec == "auto":
        check_encoder(FORMATS[suffix].codec)
    elif codec in HOLDS.get(suffix, ()):
        check_encoder(ENCODERS[codec])
    else:
        fits = [ending for ending, codecs in HOLDS.items() if codec in codecs]
        raise RecipeError(f"a {suffix} file cannot hold {codec}", hint=f"{codec} goes into {', '.join(fits)}")


__all__ = ["Driver", "Plan", "named_output", "prepare"]
