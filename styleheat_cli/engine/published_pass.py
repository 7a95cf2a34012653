"""The published family's pictures: the source inverted once, its feature moved window by window, frames in batches.

Source: StyleHEAT (Yin et al. 2022). The square is FFHQ's, as the networks were trained on; what goes back into the frame is
the head of the source and that of the result, softly.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache, cached_property
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ..face.align import crop_image
from ..face.align_published import ffhq_squares, mirrored_crop
from ..face.matte import head_mask, matte
from ..face.morphable import Morphable, placed, rotation
from ..media.audio import QUIET, emphasised
from ..media.pixels import to_images, to_tensor
from ..progress import Progress, silent
from ..shot import FaceTrack, Frame, MotionTrack, Shot
from . import bridge, inverting
from .attributes import ATTRIBUTES
from .compiled import Compile, Compiler, as_it_is
from .deep3d import Deep3D
from .inversion import Inversion, Inverter
from .performance import into_crop
from .published import MEL_COLUMNS, Animator, Method, in_batches, mel_windows
from .stream import source_rows

if TYPE_CHECKING:
    from .engine import Engine

log = logging.getLogger(__name__)

BATCH = {"cuda": 16, "mps": 4}  # frames at once; on a CPU batches gain nothing
FFHQ_SIDE = 1024
DRAWN_AT = (512, 1024)  # sides in which the method itself gives its frames; others are scaled from the largest
LOOKS = 20  # steps in which an attribute reaches its recommended strength where it changes over time
Looks = tuple[tuple[str | Path, float], ...]
TOLD = {
    "deep3d": "Deep3D's reading of the driving clip",
    "landmarks": "landmarks, through the estimated map to Deep3D's coefficients (Deep3D drives where its weights are installed)",
}
SPOKEN = {
    "audio-warper": "the audio warper, on the lower half of the face",
    "coefficients": "the coefficients (an audio warper moves them where the family has one)",
}


@dataclass(frozen=True)
class Stage:
    """A source frame ready to perform: its inversion, the animator of it, and the source's own head (S, S) in [0, 1]."""

    crop: np.ndarray  # [2 3] frame pixels -> unit square
    inversion: Inversion
    animator: Animator
    head: Callable[[], np.ndarray]


class Published:
    """The published family's painter."""

    methods = ("hfgi", "encode", "optimise")
    inverting = ("generator", "encoder", "aligner", "refiner", "motion")

    def __init__(self, engine: Engine):
        self.engine = engine
        self._shot: Shot | None = None

    @property
    def hears(self) -> bool:
        return self.method.speech is not None

    def framed(self, face: FaceTrack) -> FaceTrack:
        return replace(face, crop=ffhq_squares(face.landmarks, face.times, face.cuts, face.seen))

    def read(self, motion: MotionTrack, face: FaceTrack) -> MotionTrack:
        return self._deep3d.read(motion, face) if self._deep3d else motion

    def square(self, crop: np.ndarray, size: int | None) -> tuple[np.ndarray, int]:
        return crop, size if size in DRAWN_AT else FFHQ_SIDE

    def stage(self, shot: Shot, frame: Frame, row: int, crop: np.ndarray, side: int, before: Stage | None) -> Stage:
        inversion = self.inverted(shot, self.picture(frame.image, crop)).to(self.engine.device)
        points = np.asarray(shot.face.landmarks[row], np.float64)
        compiled = self.compiled if shot.clip.still else as_it_is  # what is made for one frame only is not worth the minute
        animator = Animator(self.method, inversion, self.engine.dtype, side, compiled)
        return Stage(crop, inversion, animator, cache(lambda: _head(crop_image(frame.image, crop, side), points, crop)))

    def pictures(
        self, shot: Shot, stage: Stage, rows: range
    ) -> Iterator[tuple[np.ndarray, Callable[[], np.ndarray]]]:
        for looks, part in alike(shot, rows):
            for row, image in zip(part, self._images(shot, self._looking(stage, looks), part), strict=True):
                points = landmarks_of(self.engine.morphable, shot, row)
                yield image, lambda image=image, points=points: np.maximum(stage.head(), _head(image, points, stage.crop))

    def _images(self, shot: Shot, animator: Animator, rows: range) -> Iterator[np.ndarray]:
        """The squares of output rows that look alike."""

        def made(part: slice) -> np.ndarray:
            windows = bridge.windows(told, shot.motion.times, rows[part])
            given = (torch.from_numpy(windows), *self._heard(shot, rows[part]))
            return to_images(animator(*(x.to(self.engine.device) for x in given)))

        told = self._coefficients(shot)
        for batch in in_batches(made, len(rows), self.batch):
            yield from batch

    def _looking(self, stage: Stage, looks: Looks) -> Animator:
        """The stage's animator, of an edited inversion where attributes change how it looks."""
        if not looks:
            return stage.animator
        edited = inverting.with_attributes(self._refiner, self.engine.family, stage.inversion, dict(looks))
        return Animator(self.method, edited, self.engine.dtype, stage.animator.size)

    def picture(self, image: np.ndarray, crop: np.ndarray) -> np.ndarray:
        return mirrored_crop(image, crop, FFHQ_SIDE)

    def invert(self, image: np.ndarray, method: str, steps: int, progress: Progress = silent) -> Inversion:
        for role in inverting.MEASURES if method == "optimise" else ():
            self.engine.family.component(role).path()  # raises where it is missing, before anything is computed
        picture = to_tensor(image).to(self.engine.device)
        made = (inverting.encoded if method == "encode" else inverting.refined)(self.inverter, picture)
        if method != "optimise":
            return made
        self._release()
        return inverting.optimised(self.method.generator, self.engine.family, picture, made, steps, progress)

    @torch.inference_mode()
    def given_back(self, inversion: Inversion) -> np.ndarray:
        inversion, generator = inversion.to(self.engine.device), self.method.generator
        return to_images(generator.enter(inversion.f, inversion.codes, generator.skip(inversion.codes)))[0]

    @cached_property
    def method(self) -> Method:
        return Method.of(self.engine.family, self.engine.device)

    @property
    def batch(self) -> int:
        """Frames that are made at once."""
        return BATCH.get(self.engine.device.type, 1)

    @cached_property
    def compiled(self) -> Compile:
        """What compiles the networks of a frame, where that was asked for."""
        return Compiler.of(self.engine.device, self.batch) if self.engine.compiled else as_it_is

    @cached_property
    def inverter(self) -> Inverter:
        return Inverter.of(self.engine.family, self.method.generator, self.engine.device)

    def _release(self) -> None:
        """Forgets the networks that invert: 1.2 GB that no frame needs."""
        self.__dict__.pop("inverter", None)

    @cached_property
    def _refiner(self) -> Inverter:
        return Inverter.of(self.engine.family, self.method.generator, self.engine.device, encoders=False)

    @cached_property
    def _deep3d(self) -> Deep3D | None:
        return Deep3D.of(self.engine.family, self.engine.device)

    def inverted(self, shot: Shot, image: np.ndarray) -> Inversion:
        """Of the source itself, of each of its frames where it is a clip."""
        if shot.inversion is not None:
            return shot.inversion
        if shot.clip.still:
            key = inverting.key_of(self.engine.family, self.inverting, image, self.methods[0], 0)
            made = inverting.kept(key, lambda: self.invert(image, self.methods[0], 0))
            self._release()
            return made
        if self._shot is not shot:
            log.warning("%s is a video: each of its frames is inverted anew, which takes its time", shot.clip.path.name)
        return self.invert(image, self.methods[0], 0)

    def _coefficients(self, shot: Shot) -> np.ndarray:
        """(T, 73) of the shot, made once, and with it the sound that it says."""
        if self._shot is not shot:
            crops = shot.face.crop[source_rows(shot)].astype(np.float64)
            self._shot, self._rows = shot, bridge.coefficients(self.engine.morphable, shot, crops)
            self._sound = sound_of(shot)
            log.info("motion: %s", TOLD[shot.motion.read_by])
            if shot.said:
                log.info("lips: %s", SPOKEN[shot.lips_from])
        return self._rows

    def _heard(self, shot: Shot, rows: range) -> tuple[Tensor, ...]:
        """(N, 80, 32) windows of sound and (N,) gains at output rows, where an audio warper speaks; else nothing."""
        if self._sound is None:
            return ()
        times = shot.motion.times[rows.start : rows.stop]
        windows = mel_windows(self._sound, torch.from_numpy(times - shot.said.start_s))
        return windows, torch.from_numpy(shot.said.gain_at(times)).float()


def sound_of(shot: Shot) -> Tensor | None:
    """(80, M) columns of sound where an audio warper speaks, quiet after their end."""
    if shot.lips_from != "audio-warper":
        return None
    columns = emphasised(shot.said.speech.mel).T
    return torch.from_numpy(np.pad(columns, ((0, 0), (0, MEL_COLUMNS)), constant_values=QUIET))


def alike(shot: Shot, rows: range) -> Iterator[tuple[Looks, range]]:
    """Stretches of output rows with one look each. What changes over time does so in steps: a look is an inversion."""
    for looks, group in groupby(rows, lambda row: _stepped(shot.looks(row))):
        found = list(group)
        yield looks, range(found[0], found[-1] + 1)


def _stepped(looks: Mapping[str | Path, float]) -> Looks:
    stepped = {}
    for name, strength in looks.items():
        step = abs(ATTRIBUTES[name].strength) / LOOKS if name in ATTRIBUTES else 1 / LOOKS
        stepped[name] = round(strength / step) * step
    return tuple((name, strength) for name, strength in stepped.items() if strength)


def landmarks_of(model: Morphable, shot: Shot, row: int) -> np.ndarray:
    """(478, 3) pixels of the frame: where an output row puts the face, by the landmark model."""
    motion, person = shot.motion, shot.person
    angles = motion.angles[row : row + 1]
    shape = model.shape(person.identity, motion.expression[row : row + 1], angles) + person.own
    at = np.append(motion.head_at[row], 0)[None]
    return placed(shape, motion.head_size[row : row + 1], rotation(angles), at)[0]


def _head(image: np.ndarray, landmarks: np.ndarray, crop: np.ndarray) -> np.ndarray:
    """(S, S) float32: the head in a crop's picture whose landmarks are in frame pixels."""
    return head_mask(into_crop(landmarks, crop, len(image)), matte(image))
