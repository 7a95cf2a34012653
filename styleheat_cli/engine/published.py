"""The published method, step by step as StyleHEAT runs it: the reference that faster paths are held to.

Source: StyleHEAT (Yin et al. 2022), eq. 1 and figure 3.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from ..networks.calibration import CalibrationNet
from ..networks.layers import resize
from ..networks.stylegan2 import Conditions, Generator
from ..networks.warper import AudioWarper, Motion, VideoWarper, warp
from .inversion import SIDE, Inversion

UPPER_HALF = 32
"""Rows of the 64 px flow that speech never moves."""


@dataclass(frozen=True)
class Method:
    """The networks that make a frame; `speech` where an audio warper is at hand."""

    generator: Generator
    motion: VideoWarper
    calibration: CalibrationNet
    speech: AudioWarper | None = None


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


def speech_motion(warper: AudioWarper, image: Tensor, mel: Tensor) -> Motion:
    """The motion that speech asks of the lower half of the face."""
    motion = warper(warper.prepare(image), mel)
    flow = motion.flow.clone()
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
