"""From frames to a file: every picture at its time, the sound beside it, the name only when all is done."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.container import OutputContainer

from ..errors import OutputError
from ..shot import Colour
from .colour import FromRGB, written
from .encoders import PRESET, Encoder, encoder_for
from .formats import Format, format_of, is_photo
from .metadata import add_gif_comment
from .output import cannot_write, part_of
from .sound import Sound, Track
from .still import save_image
from .timeline import timeline

log = logging.getLogger(__name__)

SOUND_TOLERANCE_S = Fraction(1, 10)  # containers round the last packet's length
UNTAGGED = Colour()


class VideoWriter:
    """Writes pictures of one size to a video, an animation or (a single one) a photo, by the name's extension.

    The first picture is shown at time 0, whatever its `pts`; the others keep their distance to it exactly, in
    `time_base`. (mkv and webm hold milliseconds, gif hundredths: there times are rounded to these, and of pictures that
    would coincide the first is kept, with a note.)
    `crf` 0 is lossless RGB. An odd height or width stays as it is, in 4:4:4 where the codec wants even sizes otherwise.
    `colour` is that of the clip the pictures came from: they are written as it was tagged, HDR as BT.709.
    As a context: the file has its name only when the block ended well and the file was read back whole.
    Raises OutputError for what cannot be written, MachineError for an encoder that is not here.
    """

    def __init__(
        self, path: Path | str, height: int, width: int, *, fps: Fraction | float, time_base: Fraction,
        sound: Sound | None = None, crf: int = 18, codec: str | None = None, preset: str = PRESET,
        metadata: dict[str, str] | None = None, colour: Colour = UNTAGGED,
    ):  # fmt: skip
        self.path, self.size, self.count = Path(path), (height, width), 0
        self._rate = Fraction(fps).limit_denominator(1_000_000)
        self._time_base, self._sound, self._metadata = Fraction(time_base), sound, metadata or {}
        self._quality, self._colour = (codec, crf, preset), written(colour, height)
        self._first: int | None = None
        self._last: int | None = None

    def __enter__(self) -> VideoWriter:
        with ExitStack() as held:
            part = held.enter_context(part_of(self.path))
            self._sink = self._photo(part) if is_photo(self.path) else self._film(part)
            held.callback(self._sink.close)
            self._held = held.pop_all()
        return self

    def _photo(self, part: Path) -> Photo:
        if self._sound:
            raise _no_sound_in(self.path)
        return Photo(part, self.path, self._metadata)

    def _film(self, part: Path) -> Film:
        form = format_of(self.path)
        if self._sound and not form.sound_encoder:
            raise _no_sound_in(self.path)
        encoder = encoder_for(form, *self._quality, *self.size)
        return Film(part, self.path, form, encoder, self.size, self._rate, self._time_base, self._colour, self._sound,
                    self._metadata)  # fmt: skip

    def write(self, image: np.ndarray, pts: int) -> None:
        """Adds a picture, (height, width, 3) uint8 RGB, shown from `pts` on; each later than the one before."""
        if image.shape != (*self.size, 3) or image.dtype != np.uint8:
            raise ValueError(f"a picture of {image.shape} {image.dtype} for a file of {(*self.size, 3)} uint8")
        if self._last is not None and pts <= self._last:
            raise ValueError(f"a picture at {pts} after one at {self._last}")
        self._first, self._last = pts if self._first is None else self._first, pts
        with writing(self.path):
            self._sink.write(image, pts - self._first)
        self.count += 1

    def __exit__(self, kind, error, trace) -> bool | None:
        if kind is not None:
            return self._held.__exit__(kind, error, trace)
        with self._held:
            if not self.count:
                raise OutputError(f"no picture was made for {self.path.name}", file=self.path, hint="check the times asked for")
            with writing(self.path):
                self._sink.finish()
            self._sink.check(self.count)


def _no_sound_in(path: Path) -> OutputError:
    return OutputError(f"{path.name} cannot carry sound", file=path, hint="--audio-from none, or an mp4 as output")


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """FFmpeg's and the system's refusals within the block, as OutputErrors about `path`."""
    try:
        yield
    except (av.error.FFmpegError, OSError) as error:
        raise cannot_write(path, error) from error


class Photo:
    """A file of one picture."""

    def __init__(self, part: Path, path: Path, metadata: dict[str, str]):
        self.part, self.path, self.metadata = part, path, metadata
        self.image: np.ndarray | None = None

    def write(self, image: np.ndarray, pts: int) -> None:
        if self.image is not None:
            raise OutputError(f"{self.path.name} can hold one picture only", file=self.path, hint="name an mp4, or trim to one frame")
        self.image = image

    def finish(self) -> None:
        save_image(self.part, self.image, self.path.suffix, self.metadata)

    def check(self, count: int) -> None:
        """A photo is written in one go."""

    def close(self) -> None:
        """Nothing is held open."""


class Film:
    """A container with a stream of pictures and, if asked for, of sound."""

    def __init__(
        self, part: Path, path: Path, form: Format, encoder: Encoder, size: tuple[int, int], rate: Fraction,
        time_base: Fraction, colour: Colour, sound: Sound | None, metadata: dict[str, str],
    ):  # fmt: skip
        self.part, self.path, self.form, self.metadata = part, path, form, metadata
        self.given_base, self.time_base = time_base, form.tick or time_base
        self.step = max(1, round(1 / rate / self.time_base))
        self.last, self.left_out = -1, 0
        self.from_rgb = FromRGB(encoder.pixel_format, colour)
        self.track: Track | None = None
        with writing(path):
            self.container = av.open(str(part.absolute()), "w", format=form.muxer, options=form.options)
        try:
            with writing(path):
                self.container.metadata.update(metadata)
                self.stream = _picture_stream(self.container, encoder, size, rate, self.time_base, colour)
            self.track = Track(sound, self.container, form) if sound else None
        except BaseException:
            self.close()
            raise

    def write(self, image: np.ndarray, pts: int) -> None:
        at = round(pts * self.given_base / self.time_base)
        if at <= self.last:
            self.left_out += 1
            return
        self.last = at
        frame = self.from_rgb(image)
        frame.pts, frame.time_base, frame.duration = at, self.time_base, self.step
        self.container.mux(self.stream.encode(frame))
        if self.track:
            self.track.advance(at * self.time_base)

    def finish(self) -> None:
        self.container.mux(self.stream.encode())
        if self.track:
            self.track.advance((self.last + self.step) * self.time_base)
        self.container.close()
        if self.form.muxer == "gif" and self.metadata:
            add_gif_comment(self.part, self.metadata)

    def check(self, count: int) -> None:
        """Reads the file back: all pictures and all sound must be in it."""
        found, written = timeline(self.part), count - self.left_out
        if self.left_out:
            log.warning("%s: %d of %d pictures fall on the same moment as another, for its times are whole %s seconds;"
                        " they are left out", self.path.name, self.left_out, count, self.time_base)  # fmt: skip
        if found.count != written:
            raise OutputError(f"{self.path.name}: {found.count} of {written} pictures arrived in the file",
                              file=self.path, hint="is the disk full or failing? try another folder")  # fmt: skip
        if self.track and not self.track.empty:
            end = found.sound_s[1] - found.origin * found.time_base if found.sound_s else 0
            if end < self.track.end_s - SOUND_TOLERANCE_S:
                raise OutputError(f"{self.path.name} lost its sound", file=self.path, hint="try another container, such as .mkv")

    def close(self) -> None:
        """Lets go of the file, whatever state it is in."""
        if self.track:
            self.track.close()
        # An unfinished file is thrown away: what counts is the error that led here.
        with contextlib.suppress(av.error.FFmpegError, OSError):
            self.container.close()


def _picture_stream(
    container: OutputContainer, encoder: Encoder, size: tuple[int, int], rate: Fraction, time_base: Fraction,
    colour: Colour,
) -> av.VideoStream:  # fmt: skip
    stream = container.add_stream(encoder.name, rate=rate, options=encoder.options)
    stream.height, stream.width = size
    stream.pix_fmt = encoder.pixel_format
    stream.time_base = stream.codec_context.time_base = time_base
    context = stream.codec_context
    context.color_primaries, context.color_trc = colour.primaries, colour.transfer
    if encoder.pixel_format.startswith("yuv"):
        context.colorspace, context.color_range = colour.space, colour.range
    return stream
