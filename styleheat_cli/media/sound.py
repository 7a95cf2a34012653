"""Sound on its way from one file into another: copied packet by packet where the container allows, else encoded anew."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from pathlib import Path

import av
import numpy as np

from ..errors import InputError
from .container import opened, sound_stream
from .decode import decoded
from .formats import Format
from .timeline import until_broken, zero_of

log = logging.getLogger(__name__)

AAC_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000)
OPUS_RATE = 48000
BIT_RATES = {"aac": 192_000, "libopus": 128_000}
PREROLL = {"aac": 1, "mp3": 2, "mp3float": 2, "opus": 4, "libopus": 4}  # packets a decoder needs before it is right
TRIMS = ("mp4", "mov")  # containers that hide the samples before time 0


@dataclass(frozen=True)
class Sound:
    """Sound to go with pictures: that of `path` from `start_s` to `end_s` begins with the first picture.

    Times count as in `Clip`: 0 is the file's first picture, or its first sample where it has no picture.
    """

    path: Path
    start_s: Fraction | float = 0
    end_s: Fraction | float | None = None


class Track:
    """The sound of an output file while it is written: `advance` with the picture, `finish` at its end."""

    def __init__(self, sound: Sound, output: av.container.OutputContainer, form: Format):
        self._held = ExitStack()
        self.output = output
        source = self._held.enter_context(opened(Path(sound.path)))
        stream = sound_stream(source)
        if stream is None:
            raise InputError(f"{Path(sound.path).name} has no sound", hint="--audio-from none makes a silent video")
        codec = stream.codec_context.name
        self.copied = codec in form.takes
        shift = zero_of(Path(sound.path)) + Fraction(sound.start_s)
        end = None if sound.end_s is None else Fraction(sound.end_s) - Fraction(sound.start_s)
        packets = (
            self._copy(source, stream, shift, form)
            if self.copied
            else self._encode(source, stream, shift, form, Path(sound.path))
        )
        self._packets = _before(packets, end)
        first = next(self._packets, None)
        if first is None:
            log.warning("%s has no sound from %.2f s on", Path(sound.path).name, float(sound.start_s))
        self._packets = chain([first] if first else [], self._packets)
        self.expected = first is not None
        self._waiting: tuple[Fraction, av.Packet] | None = None
        self.end_s = Fraction(0)

    def advance(self, until_s: Fraction) -> None:
        """Writes the sound that starts before `until_s` of the output."""
        while True:
            self._waiting = self._waiting or next(self._packets, None)
            if self._waiting is None or self._waiting[0] >= until_s:
                return
            start, packet = self._waiting
            self.end_s = start + (packet.duration or 0) * packet.time_base
            self.output.mux(packet)
            self._waiting = None

    def close(self) -> None:
        self._held.close()

    def _copy(self, source, stream, shift: Fraction, form: Format) -> Iterator[tuple[Fraction, av.Packet]]:
        """(start in the output, packet) of all packets that sound at or after output time 0."""
        made = self.output.add_stream_from_template(stream)
        ticks = round(shift / stream.time_base)
        preroll = PREROLL.get(stream.codec_context.name, 0) if form.muxer in TRIMS else 0
        return self._copied(source, stream, made, ticks, preroll)

    def _copied(self, source, stream, made, ticks: int, preroll: int) -> Iterator[tuple[Fraction, av.Packet]]:
        for packet in source.demux(stream):
            if packet.size == 0 or packet.pts is None:
                continue
            length = packet.duration or 0
            start = packet.pts - ticks
            if start + length * (1 + preroll) <= 0 or (start < 0 and not preroll and start + length // 2 < 0):
                continue
            packet.pts = start
            packet.dts = start
            packet.stream = made
            yield start * stream.time_base, packet

    def _encode(
        self, source, stream, shift: Fraction, form: Format, path: Path
    ) -> Iterator[tuple[Fraction, av.Packet]]:
        """The same of sound that is decoded and encoded anew, cut at the sample."""
        rate = _rate_for(form.sound_encoder, stream.codec_context.sample_rate)
        layout = stream.codec_context.layout.name
        made = self.output.add_stream(form.sound_encoder, rate=rate, layout=layout)
        made.bit_rate = BIT_RATES[form.sound_encoder]
        log.info("%s: %s sound is encoded anew as %s at %d Hz", path.name, stream.codec_context.name,
                 form.sound_encoder, rate)  # fmt: skip
        return self._encoded(source, stream, made, shift, rate, layout)

    def _encoded(self, source, stream, made, shift, rate, layout) -> Iterator[tuple[Fraction, av.Packet]]:
        pieces = blocks(source, stream, rate=rate, layout=layout, start_s=shift)
        for frame in chain(_framed(pieces, made, rate, layout), [None]):
            for packet in made.encode(frame):
                yield packet.pts * packet.time_base, packet


def _rate_for(encoder: str, rate: int) -> int:
    if encoder == "libopus":
        return OPUS_RATE
    return min((r for r in AAC_RATES if r >= rate), default=AAC_RATES[-1])


def _before(
    packets: Iterator[tuple[Fraction, av.Packet]], end: Fraction | None
) -> Iterator[tuple[Fraction, av.Packet]]:
    for start, packet in packets:
        if end is not None and start >= end:
            return
        yield start, packet


def blocks(source, stream, *, rate: int, layout: str, start_s: Fraction) -> Iterator[tuple[int, np.ndarray]]:
    """(position, (channels, n) float32): the decoded sound from `start_s` (in the stream's own time) on.

    Position counts samples at `rate` from `start_s`. Pieces follow each other without overlap; a gap stays a gap.
    """
    resampler = av.AudioResampler(format="fltp", layout=layout, rate=rate)
    position: int | None = None
    for frame in chain(decoded_sound(source, stream), [None]):
        for piece in resampler.resample(frame):
            samples = piece.to_ndarray()
            at = position
            if piece.pts is not None:
                told = round((piece.pts * piece.time_base - start_s) * rate)
                at = told if position is None or abs(told - position) > rate // 10 else position
            at = 0 if at is None else max(at, position or at)
            position = at + samples.shape[1]
            if position > 0:
                cut = max(0, -at)
                yield at + cut, samples[:, cut:]


def decoded_sound(source, stream) -> Iterator[av.AudioFrame]:
    """Decoded sound; damaged packets are passed over with a note."""
    damaged = 0
    packets = source.demux(stream)
    while True:
        try:
            yield from next(packets).decode()
        except StopIteration:
            break
        except av.error.EOFError:
            break
        except av.error.FFmpegError:
            damaged += 1
            if damaged > 10_000:
                break
    if damaged:
        log.warning("%d damaged packets of sound were passed over", damaged)


def _framed(pieces, made, rate: int, layout: str) -> Iterator[av.AudioFrame]:
    """The pieces as frames with times, silence where they leave a gap."""
    written = 0
    for position, samples in pieces:
        if position > written:
            samples = np.pad(samples, ((0, 0), (position - written, 0)))
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples), format="fltp", layout=layout)
        frame.sample_rate, frame.time_base, frame.pts = rate, Fraction(1, rate), written
        written += samples.shape[1]
        yield frame
