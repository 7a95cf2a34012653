"""Which containers can be written, with what codecs inside: the one table."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from ..errors import OutputError

AAC, OPUS = "aac", "libopus"
PHOTOS = (".png", ".jpg", ".jpeg", ".webp")
RAW = ("pcm_s16le", "pcm_s24le", "pcm_s32le", "pcm_f32le", "pcm_s16be", "pcm_s24be", "pcm_u8")
MP3 = ("mp3", "mp3float")
LOWEST_MP3_RATE = 16_000  # Hz, in mp4


@dataclass(frozen=True)
class Format:
    """A container: FFmpeg's name, the picture codec it gets by default, the sound codecs it takes as they are
    (as decoders are named), the sound encoder for all others ("" where it carries no sound), and the step in seconds
    to which it rounds all times, where it does."""

    muxer: str
    codec: str
    takes: tuple[str, ...] = ()
    sound_encoder: str = ""
    options: dict[str, str] = field(default_factory=dict)
    tick: Fraction | None = None

    def takes_as_it_is(self, codec: str, rate: int) -> bool:
        """Whether sound of a codec (as its decoder is named) at `rate` Hz can be copied in."""
        return codec in self.takes and not (self.muxer == "mp4" and codec in MP3 and rate < LOWEST_MP3_RATE)


MP4_OPTIONS = {"movflags": "+faststart+use_metadata_tags"}
MP4 = Format("mp4", "libx264", ("aac", *MP3, "ac3", "eac3", "alac", "opus", "libopus"), AAC, MP4_OPTIONS)
MOV = Format("mov", "libx264", ("aac", *MP3, "ac3", "eac3", "alac", *RAW, "pcm_mulaw", "pcm_alaw"), AAC, MP4_OPTIONS)
MKV = Format(
    "matroska", "libx264", (*MP4.takes, "vorbis", "libvorbis", "flac", "dca", "truehd", *RAW), AAC,
    tick=Fraction(1, 1000),
)  # fmt: skip
FORMATS = {
    ".mp4": MP4, ".m4v": MP4, ".mov": MOV, ".mkv": MKV,
    ".webm": Format("webm", "libvpx-vp9", ("opus", "libopus", "vorbis", "libvorbis"), OPUS, tick=Fraction(1, 1000)),
    ".gif": Format("gif", "gif", tick=Fraction(1, 100)),
}  # fmt: skip


def format_of(path: Path) -> Format:
    """The container that a file name asks for by its extension."""
    suffix = Path(path).suffix.lower()
    if suffix not in FORMATS:
        known = " ".join((*FORMATS, *PHOTOS))
        raise OutputError(
            f"{Path(path).name}: cannot write {suffix or 'a file without extension'}", hint=f"use one of {known}"
        )
    return FORMATS[suffix]


def is_photo(path: Path) -> bool:
    """Whether a file name asks for a single picture."""
    return Path(path).suffix.lower() in PHOTOS


def carries_sound(path: Path) -> bool:
    """Whether the container that a file name asks for can hold sound."""
    return not is_photo(path) and bool(format_of(path).sound_encoder)
