"""Sound on its way into another file: copied packet by packet where the container allows, else encoded anew."""

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
from av.container import InputContainer, OutputContainer

from ..errors import InputError
from .container import opened, sound_stream
from .decode import decoded
from .formats import Format
from .timeline import seconds, until_broken, zero_of

log = logging.getLogger(__name__)

AAC_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000)
OPUS_RATE = 48000
COMMON = {1: "mono", 2: "stereo", 3: "3.0", 5: "5.0", 6: "5.1", 8: "7.1"}
LAYOUTS = {"aac": COMMON | {4: "4.0"}, "libopus": COMMON | {4: "quad", 7: "6.1"}}  # by channels; others: stereo
BIT_RATES = {"aac": 192_000, "libopus": 128_000}  # for two channels; each further one adds a third
PREROLL = {"aac": 1, "mp3": 10, "mp3float": 10, "opus": 4, "libopus": 4}  # packets a decoder needs before it is right
TRIMS = ("mp4", "mov")  # containers that can hide the samples before time 0
LARGEST_SLIP_S = Fraction(1, 10)  # times that differ by less from the count of samples are rounding, not gaps

Timed = Iterator[tuple[Fraction, av.Packet]]


@dataclass(frozen=True)
class Sound:
    """Sound to go with pictures: that of `path` from `start_s` to `end_s`; `start_s` is heard with the first picture.

    Times count as in `Clip`: 0 is the file's first picture, or its first sample where it has no picture. What lasts
    longer than the pictures is cut, what is shorter ends, what comes later comes later.
    """

    path: Path
    start_s: Fraction | float = 0
    end_s: Fraction | float | None = None


class Track:
    """The sound of an output file while it is written: `advance` goes along with the pictures.

    copied: whether the packets are the source's own. end_s: how far it has come. empty: nothing sounds in the span.
    """

    def __init__(self, sound: Sound, output: OutputContainer, form: Format):
        self._held = ExitStack()
        self.output, path = output, Path(sound.path)
        self.end_s = Fraction(0)
        source = self._held.enter_context(opened(path))
        stream = sound_stream(source)
        if stream is None:
            raise InputError(f"{path.name} has no sound", file=path, hint="--audio-from none makes a silent video")
        start = zero_of(path) + seconds(sound.start_s)
        length = None if sound.end_s is None else seconds(sound.end_s) - seconds(sound.start_s)
        self.copied = form.takes_as_it_is(stream.codec_context.name, stream.codec_context.sample_rate)
        way = _copied if self.copied else _encoded
        packets = _before(length, way(source, stream, start, output, form, path))
        first = next(packets, None)
        self.empty = first is None
        if self.empty:
            log.warning("%s has no sound from %.2f s on", path.name, float(sound.start_s))
        self._packets = chain([first] if first else [], packets)
        self._waiting: tuple[Fraction, av.Packet] | None = None

    def advance(self, until_s: Fraction) -> None:
        """Writes all sound that starts before `until_s` of the output."""
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


def _before(length: Fraction | None, packets: Timed) -> Timed:
    for start, packet in packets:
        if length is not None and start >= length:
            return
        yield start, packet


def _copied(
    source: InputContainer, stream: av.AudioStream, start_s: Fraction, output: OutputContainer, form: Format, path: Path
) -> Timed:
    """(start in the output, packet) of the source's packets from `start_s` (in the source file's own time) on.

    mp4 and mov take the packets before as well, which a decoder needs and a player does not play; elsewhere sound begins
    with the packet whose greater part belongs to it.
    """
    made = None
    zero = round(start_s / stream.time_base)
    preroll = PREROLL.get(stream.codec_context.name, 0) if form.muxer in TRIMS else 0
    for packet in until_broken(source.demux(stream)):
        if packet.size == 0 or packet.pts is None:
            continue
        length = packet.duration or 0
        start = packet.pts - zero
        if start + length * (1 + preroll) <= 0 or (not preroll and start + length // 2 < 0):
            continue
        made = made or output.add_stream_from_template(stream)
        packet.pts = packet.dts = start
        packet.stream = made
        yield start * stream.time_base, packet


def _encoded(
    source: InputContainer, stream: av.AudioStream, start_s: Fraction, output: OutputContainer, form: Format, path: Path
) -> Timed:
    """The same of sound that is decoded and encoded anew, cut at the sample."""
    rate = _rate_for(form.sound_encoder, stream.codec_context.sample_rate)
    layout = LAYOUTS[form.sound_encoder].get(stream.codec_context.channels, "stereo")
    pieces = blocks(source, stream, path, rate=rate, layout=layout, start_s=start_s)
    first = next(pieces, None)
    if first is None:
        return
    log.info("%s: its %s sound is encoded anew as %s at %d Hz, for the container does not take it", path.name,
             stream.codec_context.name, form.sound_encoder, rate)  # fmt: skip
    made = output.add_stream(form.sound_encoder, rate=rate, layout=layout)
    made.bit_rate = BIT_RATES[form.sound_encoder] * (3 + max(0, made.codec_context.channels - 2)) // 3
    for frame in chain(_framed(chain([first], pieces), rate, layout), [None]):
        for packet in made.encode(frame):
            yield packet.pts * packet.time_base, packet


def _rate_for(encoder: str, rate: int) -> int:
    """The sound's own rate, or the next higher one that the encoder knows."""
    if encoder == "libopus":
        return OPUS_RATE
    return min((known for known in AAC_RATES if known >= rate), default=AAC_RATES[-1])


def _framed(pieces: Iterator[tuple[int, np.ndarray]], rate: int, layout: str) -> Iterator[av.AudioFrame]:
    """The pieces as frames with times, silence where they leave a gap and where a sample is no number."""
    written = 0
    for position, samples in pieces:
        filled = np.pad(np.nan_to_num(samples).clip(-1, 1), ((0, 0), (position - written, 0)))
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(filled), format="fltp", layout=layout)
        frame.sample_rate, frame.time_base, frame.pts = rate, Fraction(1, rate), written
        written += filled.shape[1]
        yield frame


def blocks(
    source: InputContainer, stream: av.AudioStream, path: Path, *, rate: int, layout: str | None, start_s: Fraction
) -> Iterator[tuple[int, np.ndarray]]:
    """(position, (channels, n) float32): the decoded sound from `start_s` (in the file's own time) on.

    Position counts samples at `rate` from `start_s`. Pieces follow each other without overlap; a gap stays a gap.
    `layout` None keeps the channels as they are.
    """
    resampler = av.AudioResampler(format="fltp", layout=layout, rate=rate)
    after: int | None = None
    for frame in chain(decoded(source, stream, path), [None]):
        for piece in resampler.resample(frame):
            samples = piece.to_ndarray()
            at = _position(piece, start_s, rate, after)
            after = at + samples.shape[1]
            if after > 0:
                yield max(at, 0), samples[:, max(0, -at) :]


def _position(piece: av.AudioFrame, start_s: Fraction, rate: int, after: int | None) -> int:
    """Where a piece starts: right after the last one, unless its time says that something is missing between."""
    if piece.pts is None:
        return after or 0
    told = round((piece.pts * piece.time_base - start_s) * rate)
    if after is None:
        return told
    return told if told - after > LARGEST_SLIP_S * rate else after
