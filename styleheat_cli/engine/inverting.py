"""Inverting for people: by a method's name, kept by content, edited by attributes' names.

What is inverted once is found again by the bytes of its picture, the weights and the method; the newest few are kept.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from ..checkpoints.load import load_network
from ..checkpoints.manifest import Family
from ..checkpoints.store import cache_folder
from ..errors import InputError, OutputError
from ..face.coefficients import squares
from ..networks.layers import resize
from ..networks.stylegan2 import Generator
from ..progress import Event, Progress, silent
from .attributes import ATTRIBUTES, edit
from .inversion import (
    SIDE,
    Encoding,
    Inversion,
    Inverter,
    Patience,
    Step,
    cache_key,
    decode,
    edited,
    encode,
    optimise,
    read_inversion,
    write_inversion,
)

if TYPE_CHECKING:
    from ..shot import Shot
    from .engine import Engine

log = logging.getLogger(__name__)

MEASURES = ("perceptual", "prior")
"""Roles that tell the optimising inversion how near it is."""
SAME_FACE = 0.05
"""Share of its side by which a face's square may be elsewhere."""
KEPT = 24
"""Inversions in the user's cache, the newest: 26 MB each with the published weights."""


@torch.inference_mode()
def encoded(networks: Inverter, picture: Tensor) -> Inversion:
    """(1, 3, H, W) -> codes of the encoder alone, and the f that they give."""
    encoding = encode(networks, picture)
    return Inversion(encoding.image, encoding.codes, networks.generator(encoding.codes).f, residual=encoding.residual)


@torch.inference_mode()
def refined(networks: Inverter, picture: Tensor) -> Inversion:
    """(1, 3, H, W) -> codes, and f with what they lose."""
    return decode(networks, encode(networks, picture))


def optimised(
    generator: Generator, family: Family, picture: Tensor, start: Inversion, steps: int, progress: Progress = silent
) -> Inversion:
    """(1, 3, S, S) in the generator's size -> f and late codes fitted to it from a start, until they get no better.

    Raises:
        CheckpointError: the networks that measure likeness are not installed.
    """
    device = picture.device
    vgg, prior = (load_network(family.component(role), device) for role in MEASURES)
    networks = Inverter(None, None, generator, None, None)  # the start is known: only the generator is asked
    return optimise(networks, vgg, prior, picture, steps, on_step=told(steps, progress), start=start)


def told(steps: int, progress: Progress) -> Callable[[Step], bool]:
    """Tells of every step, and ends the optimisation where it has run dry."""
    patience = Patience()

    def on_step(step: Step) -> bool:
        progress(Event("invert", step.number, steps, "steps"))
        dry = patience(step)
        if dry and step.number < steps:
            log.info("stopped after %d of %d steps: it no longer gets better", step.number, steps)
        return dry

    return on_step


def kept(key: str, make: Callable[[], Inversion]) -> Inversion:
    """The inversion of this name from the user's cache; made, and kept there, where it is not."""
    path = cache_folder().parent / "inversions" / f"{key}.safetensors"
    if path.is_file():
        with suppress(InputError):  # damaged: it is made anew
            found, _ = read_inversion(path)
            with suppress(OSError):
                os.utime(path)
            return found
    made = make()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_inversion(path, made)
        _forget_oldest(path.parent)
    except (OSError, OutputError) as error:
        log.warning("the inversion is not kept for the next time: %s", error)
    return made


def _forget_oldest(folder: Path) -> None:
    by_age = sorted(folder.glob("*.safetensors"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in by_age[KEPT:]:
        path.unlink(missing_ok=True)


def key_of(family: Family, roles: tuple[str, ...], image: np.ndarray, method: str, steps: int) -> str:
    """The cache's name of the inversion of a picture (S, S, 3) uint8 with the weights that are installed."""
    digests = " ".join(family.component(role).digest() for role in roles)
    return cache_key(image.tobytes(), digests, method, steps if method == "optimise" else 0)


def given(path: Path, shot: Shot, family: Family) -> Inversion:
    """A saved inversion, made from this very face with this family.

    Raises:
        InputError: it is something else, or another picture's, another face's or another family's.
    """
    inversion, notes = read_inversion(path)
    clip = shot.clip
    again = f"make it anew with: styleheat invert {clip.path.name} -o {path.name} --weights {family.name}"
    if notes.get("family") != family.name:
        raise InputError(f"{path.name} was made with the {notes.get('family', 'unknown')} weights", file=path, hint=again)
    if notes.get("source_digest") != clip.digest:
        raise InputError(
            f"{path.name} is the inversion of {notes.get('source', 'another picture')}, not of {clip.path.name}",
            file=path, hint=again,
        )  # fmt: skip
    theirs, mine = (np.array(text.split(), float) for text in (notes.get("square", "0 0 0"), square_of(shot)))
    if np.abs(theirs - mine).max() > SAME_FACE * mine[0]:
        raise InputError(f"{path.name} is the inversion of another face in {clip.path.name}", file=path, hint=f"{again} --face N")
    return inversion


def square_of(shot: Shot) -> str:
    """The square round a photo's face as text: its side and its middle in pixels."""
    return " ".join(f"{value:.2f}" for value in squares(shot.face.crop[:1])[0])


@torch.inference_mode()
def with_attributes(
    networks: Inverter, family: Family, inversion: Inversion, amounts: Mapping[str | Path, float]
) -> Inversion:
    """The inversion of a face that is older, bearded, … by these amounts, in the paper's strengths.

    amounts: by the names of `ATTRIBUTES`, or by a file that holds a direction. The original's residual is aligned to the
    edited picture; where it is not known (an optimised f), f moves by what the codes' own f moves.

    Raises:
        CheckpointError: the directions of an attribute are not installed.
        InputError: a file is no direction.
    """
    codes = inversion.codes
    for name, amount in amounts.items():
        codes = _moved(family, codes, name, amount)
    if inversion.residual is not None and inversion.condition is not None:
        return edited(networks, Encoding(inversion.codes, inversion.image, inversion.residual), codes)
    before, after = networks.generator(inversion.codes), networks.generator(codes)
    image = inversion.image + resize(after.image.clamp(-1, 1), SIDE) - resize(before.image.clamp(-1, 1), SIDE)
    return Inversion(image.clamp(-1, 1), codes, inversion.f + after.f - before.f)


def _moved(family: Family, codes: Tensor, name: str | Path, amount: float) -> Tensor:
    """(N, 18, 512) codes with one attribute."""
    if isinstance(name, Path):
        return codes + amount * read_direction(name, codes.shape[1:]).to(codes)
    role = "directions" if ATTRIBUTES[name].direction else "components"
    network = load_network(family.component(role), codes.device)
    return edit(codes, name, network, network, amount)


def read_direction(path: Path, shape: Sequence[int]) -> Tensor:
    """A direction of one's own: the tensor `codes` of a safetensors file, one row for all or a row each."""
    hint = f"a safetensors file with `codes`, {shape[1]} numbers or {shape[0]} rows of them"
    try:
        codes = load_file(path)["codes"].float()
        return codes.expand(*shape)
    except (SafetensorError, OSError, KeyError, RuntimeError) as error:
        raise InputError(f"{path.name} is no direction of these weights: {error}", file=path, hint=hint) from None


@dataclass(frozen=True)
class Inverted:
    """A photo inverted: the inversion, the square (S, S, 3) uint8 that it is of, and the picture that it gives."""

    shot: Shot
    inversion: Inversion
    picture: np.ndarray
    given_back: np.ndarray


def invert_photo(
    engine: Engine, path: Path, method: str, steps: int, face: str | int = "largest", progress: Progress = silent
) -> Inverted:
    """The face of a photo, inverted by one of the family's methods, or found where it was before.

    Raises:
        InputError: it is a video.
        CheckpointError: weights that the method needs are not installed.
    """
    from ..media.reader import frames

    shot, painter = engine.shot(path, face=face, progress=progress), engine.painter
    if not shot.clip.still:
        raise InputError(f"{path.name} is a video", file=path, hint="invert a photo; a video is inverted as it is rendered")
    image = next(iter(frames(shot.clip))).image
    picture = painter.picture(image, shot.face.crop[0].astype(np.float64))
    key = key_of(engine.family, painter.inverting, picture, method, steps)
    made = kept(key, lambda: painter.invert(picture, method, steps, progress))
    return Inverted(shot, made, picture, painter.given_back(made))
