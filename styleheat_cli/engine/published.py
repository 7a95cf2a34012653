"""The published method, twice: `animate` goes step by step as StyleHEAT does, `Animator` is the same function, fast.

Source: StyleHEAT (Yin et al. 2022), eq. 1 and figure 3. `animate` gives every picture on the way and is what parity is
shown with. `Animator` gives the final frames only and computes what is constant over a clip once; the two agree within
rounding (tests/parity).
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn

from ..checkpoints.load import load_network
from ..checkpoints.manifest import Family
from ..networks.calibration import CalibrationNet
from ..networks.folded import fold
from ..networks.layers import EqualConv2d, resize
from ..networks.stylegan2 import Conditions, Generator, modulate
from ..networks.warper import AudioWarper, Motion, VideoWarper, warp
from ..shot import WINDOW_RADIUS
from .compiled import Compile, as_it_is
from .inversion import SIDE, Inversion

log = logging.getLogger(__name__)

UPPER_HALF = 32
"""Rows of the 64 px flow that speech never moves."""


@dataclass(frozen=True)
class Method:
    """The networks that make a frame; `speech` where an audio warper is at hand."""

    generator: Generator
    motion: VideoWarper
    calibration: CalibrationNet
    speech: AudioWarper | None = None

    @classmethod
    def of(cls, family: Family, device: torch.device | str = "cpu") -> Method:
        """The method with a family's weights; speech where they are there."""
        speech = family.component("speech")
        return cls(
            *(load_network(family.component(role), device) for role in ("generator", "motion", "calibration")),
            speech=load_network(speech, device) if speech.find() else None,
        )


def motion_windows(coefficients: Tensor) -> Tensor:
    """(T, 73) of a clip -> (T, 73, 27): around each frame 13 before and 13 after it, held at both ends."""
    frames = torch.arange(len(coefficients))[:, None] + torch.arange(-WINDOW_RADIUS, WINDOW_RADIUS + 1)
    return coefficients[frames.clamp(0, len(coefficients) - 1)].transpose(1, 2)


MEL_RATE, MEL_COLUMNS = 80, 32
EARLY_S = 4 / 25
"""Seconds by which a window of sound begins before its frame."""


def mel_windows(mel: Tensor, times: Tensor) -> Tensor:
    """(80, M) log-mel columns, 80 a second -> (N, 80, 32) for these seconds (N,) of it, held at both ends."""
    starts = (MEL_RATE * (times - EARLY_S).clamp(min=0) + 1e-6).long()
    columns = (starts[:, None] + torch.arange(MEL_COLUMNS)).clamp(max=mel.shape[1] - 1)
    return mel[:, columns].permute(1, 0, 2)


@dataclass(frozen=True)
class Frames:
    """N frames: the final pictures, those without calibration, and the warped feature."""

    image: Tensor
    video_warped: Tensor
    audio_warped: Tensor | None
    f: Tensor


def animate(method: Method, source: Inversion, windows: Tensor, mel: Tensor | None = None, size: int = 512) -> Frames:
    """Frames of an inverted source that follow windows of motion, with every picture on the way.

    Args:
        source: of N pictures, or of one.
        windows: (N, 73, 27) coefficients.
        mel: (N, 80, 32) log-mel windows; speech moves the lower half of the face after the coefficients.
        size: side of the pictures given back. With `mel` it matters: the audio warper sees the intermediate picture
            resized to it first.
    """
    source = _expanded(source, len(windows))
    motion = method.motion(method.motion.prepare(source.image), windows)
    warps, audio_warped = [motion.deformation], None
    f = warp(source.f, motion.deformation)
    video_warped = _intermediate(method, source, warps, size)
    if mel is not None:
        spoken = speech_motion(method.speech, resize(video_warped, SIDE), mel)
        warps.append(spoken.deformation)
        f = warp(f, spoken.deformation)
        audio_warped = _intermediate(method, source, warps, size)
    refining = method.calibration(f, motion.descriptor)
    final = method.generator(source.codes, Conditions(f=source.f, warps=warps, refining=refining))
    return Frames(resize(final.image, size), video_warped, audio_warped, f)


def speech_motion(warper: AudioWarper, image: Tensor, mel: Tensor, gain: Tensor | None = None) -> Motion:
    """The motion that speech asks of the lower half of the face, `gain` (N,) times where given."""
    motion = warper(warper.prepare(image), mel)
    flow = motion.flow.clone() if gain is None else motion.flow * gain[:, None, None, None]
    flow[:, :, :UPPER_HALF] = 0
    return Motion(flow, motion.descriptor)


def _intermediate(method: Method, source: Inversion, warps: list[Tensor], size: int) -> Tensor:
    """The warped picture without calibration; its f comes from the codes anew, not from the inversion."""
    conditions = Conditions(inversion=source.condition, warps=warps)
    return resize(method.generator(source.codes, conditions).image, size)


def _expanded(source: Inversion, count: int) -> Inversion:
    """The same inversion for `count` frames."""

    def repeat(x: Tensor) -> Tensor:
        return x.expand(count, *(-1,) * (x.dim() - 1)) if len(x) == 1 else x

    condition = None if source.condition is None else tuple(repeat(x) for x in source.condition)
    return Inversion(repeat(source.image), repeat(source.codes), repeat(source.f), condition)


class Animator:
    """Frames of one inverted source.

    Once per clip: the generator folded for the source's code, the picture below f, the warper's first features of the
    source. A frame is then a flow, a warp, the calibrator's last pair and the folded generator from f on. The
    intermediate picture is made only where speech needs it.

    Args:
        source: of one picture.
        dtype: of the calibrator's heads and of the synthesis, together 80 % of the work. Motion and the calibrator's
            trunk stay in float32: they cost little and would lose most. Frames that come out not finite in a half type
            are made again in float32.
        size: side of the frames; with speech it has the effect told in `animate`.
        compiled: compiles a function, where that is wanted.
    """

    def __init__(
        self, method: Method, source: Inversion, dtype: torch.dtype = torch.float32, size: int = 1024,
        compiled: Compile = as_it_is,
    ):  # fmt: skip
        self.method, self.source, self.dtype, self.size = method, source, dtype, size
        self.compiled = compiled

    @torch.inference_mode()
    def __call__(self, windows: Tensor, mel: Tensor | None = None, gain: Tensor | None = None) -> Tensor:
        """(N, 73, 27) windows and, for speech, (N, 80, 32) log-mel windows and (N,) times that it moves the face, 1 unless
        given -> (N, 3, S, S) float32, not clamped."""
        motion = self.moved(windows)
        f = warp(self.source.f, motion.deformation)
        if mel is not None:
            f = warp(f, self._spoken(motion, mel, gain).deformation)
        image = self.drawn(self.healed(f, motion.descriptor))
        if self.dtype is not torch.float32 and not bool(torch.isfinite(image).all()):
            log.warning("frames in %s are not finite: making them again in float32", str(self.dtype).split(".")[-1])
            return self._exact(windows, mel, gain)
        return resize(image, self.size)

    @cached_property
    def moved(self) -> Callable[[Tensor], Motion]:
        """(N, 73, 27) windows -> the motion that they ask of the source."""
        warper, prepared = self.method.motion, self.method.motion.prepare(self.source.image)

        def moved(windows: Tensor) -> tuple[Tensor, Tensor]:
            motion = warper(prepared, windows)
            return motion.flow, motion.descriptor

        made = self.compiled(moved)
        return lambda windows: Motion(*made(windows))

    @cached_property
    def healed(self) -> Callable[[Tensor, Tensor], Tensor]:
        """(N, C, 64, 64) warped feature and descriptors -> the calibrated feature, in the type of the synthesis."""
        calibration, dtype = self.method.calibration, self.dtype
        trunk = settled(calibration, torch.float32)
        last = settled(nn.ModuleList([calibration.condition_scale[-1], calibration.condition_shift[-1]]), dtype)

        def healed(f: Tensor, descriptor: Tensor) -> Tensor:
            f = f.contiguous(memory_format=torch.channels_last)
            found = trunk.pyramid(f, descriptor)[-1].to(dtype)
            scale, shift = (head(found) for head in last)
            return modulate(f, scale.float(), shift.float()).to(dtype)

        return self.compiled(healed)

    @cached_property
    def drawn(self) -> Callable[[Tensor], Tensor]:
        """(N, C, 64, 64) calibrated feature -> the picture in the generator's own size."""
        return self.compiled(fold(self.method.generator, self.source.codes, self.dtype).__call__)

    def _spoken(self, motion: Motion, mel: Tensor, gain: Tensor | None) -> Motion:
        f = warp(self._f_of_codes, motion.deformation)
        picture = self.drawn(f.to(self.dtype, memory_format=torch.channels_last))
        return speech_motion(self.method.speech, resize(resize(picture, self.size), SIDE), mel, gain)

    @cached_property
    def _f_of_codes(self) -> Tensor:
        """f as the codes and the inversion's condition give it: the intermediate picture never sees an optimised f."""
        return self.method.generator(self.source.codes, Conditions(inversion=self.source.condition)).f

    @cached_property
    def _exact(self) -> Animator:
        return Animator(self.method, self.source, torch.float32, self.size)


def settled(network: nn.Module, dtype: torch.dtype) -> nn.Module:
    """A copy for inference: equalised weights scaled once, then brought to a type and to channels-last."""
    made = copy.deepcopy(network)
    for module in made.modules():
        if isinstance(module, EqualConv2d):
            module.weight = nn.Parameter(module.scaled(), requires_grad=False)
            module.scale = 1.0
    return made.to(dtype).to(memory_format=torch.channels_last)


def in_batches(make: Callable[[slice], Tensor], count: int, batch: int) -> Iterator[Tensor]:
    """The results of `make` for 0 … count, `batch` at a time; memory that runs out halves the batch, for good.

    Raises:
        MemoryError: not even one frame fits.
    """
    begin = 0
    while begin < count:
        try:
            yield make(slice(begin, min(begin + batch, count)))
            begin += batch
        except RuntimeError as error:
            if not _out_of_memory(error):
                raise
            if batch == 1:
                raise MemoryError(str(error).splitlines()[0]) from None
            batch //= 2
            log.warning("out of memory: going on with batches of %d", batch)
            if torch.cuda.is_available():
                torch.cuda.empty_cache()


def _out_of_memory(error: RuntimeError) -> bool:
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)
