"""Which encoder makes the pictures of a file, in which pixel format, with which options."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

import av

from ..errors import MachineError, OutputError
from .formats import Format

log = logging.getLogger(__name__)

LOSSLESS = 0
PRESET = "veryfast"  # of x264: 1.3 ms for a 512 px picture on two cores, where `faster` takes 2.6 for no smaller file
LARGEST_SIDE = {"libx264": 16384, "libx264rgb": 16384, "libvpx-vp9": 65535, "gif": 65535}


@dataclass(frozen=True)
class Encoder:
    """FFmpeg's name of an encoder, the pixel format it is fed and its options."""

    name: str
    pixel_format: str
    options: dict[str, str] = field(default_factory=dict)


def encoder_for(form: Format, codec: str | None, crf: int, preset: str, height: int, width: int) -> Encoder:
    """The encoder for a container, a quality (`crf`, 0 is lossless RGB) and a size.

    Raises MachineError where this build of FFmpeg has no such encoder, OutputError for a size that it cannot take.
    """
    name = codec or form.codec
    if name == "libx264" and crf == LOSSLESS:
        name = "libx264rgb"
    check_encoder(name)
    if max(height, width) > LARGEST_SIDE.get(name, 65535):
        raise OutputError(f"{width}x{height} is larger than {name} can write", hint="choose a smaller --size")
    return _known(name, crf, preset, odd=bool(height % 2 or width % 2))


def _known(name: str, crf: int, preset: str, odd: bool) -> Encoder:
    if name in ("libx264", "libx265"):
        if odd:
            log.info("an odd size is kept by full colour resolution (4:4:4); some players show 4:2:0 only")
        return Encoder(name, "yuv444p" if odd else "yuv420p", {"crf": str(crf), "preset": preset} | _repeatable(name))
    if name == "libx264rgb":
        log.info("lossless RGB in H.264: editors, VLC and mpv play it, browsers may not")
        return Encoder(name, "rgb24", {"crf": str(crf), "preset": preset} | _repeatable(name))
    if name == "libvpx-vp9":
        return _vp9(crf)
    return Encoder(name, {"gif": "pal8", "ffv1": "bgr0"}.get(name, "yuv420p"))


def _repeatable(name: str) -> dict[str, str]:
    """x264's fastest rate control gives other bytes from run to run at some sizes (64, 96, 320, 576 ... wide); its portable
    one does not, and is no slower."""
    return {} if name == "libx265" else {"x264-params": "cpu-independent=1"}


def _vp9(crf: int) -> Encoder:
    speed = {"deadline": "realtime", "cpu-used": "6", "row-mt": "1"}
    if crf == LOSSLESS:
        return Encoder("libvpx-vp9", "gbrp", speed | {"lossless": "1"})
    return Encoder("libvpx-vp9", "yuv420p", speed | {"crf": str(round(crf * 1.3)), "b": "0"})  # its scale ends at 63


def check_encoder(name: str) -> None:
    """Raises MachineError where this build of FFmpeg has no such encoder."""
    try:
        av.Codec(name, "w")
    except (av.error.FFmpegError, ValueError) as error:
        raise MachineError(f"no encoder {name} on this machine", hint="leave the codec out for the default") from error
