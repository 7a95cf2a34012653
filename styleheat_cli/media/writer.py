"""From frames to a file: every picture at its time, the sound beside it, the name only when all is done."""

from __future__ import annotations

import logging
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from ..errors import OutputError
from ..shot import Colour
from .colour import FromRGB, written
from .formats import Format, check_encoder, format_of, is_photo
from .metadata import add_gif_comment
from .output import cannot_write, part_of
from .sound import Sound, Track
from .still import save_image
from .timeline import timeline

log = logging.getLogger(__name__)

LOSSLESS = 0
NO_COLOUR = Colour()


class VideoWriter:
    """Writes pictures of one size to a video, an animation or (a single one) a photo, by the name's extension.

    The first picture is shown at time 0, whatever its `pts`; all others keep their distance to it exactly, in `time_base`.
    (mkv and webm hold milliseconds, gif hundredths: there times are rounded to these.)
    `crf` 0 is lossless RGB. An odd height or width stays as it is, in 4:4:4 where the codec wants even sizes otherwise.
    As a context: the file has its name only when the block ended well and the file was read back whole.
    """

    def __init__(
        self, path: Path | str, height: int, width: int, *, fps: Fraction | float, time_base: Fraction,
        sound: Sound | None = None, crf: int = 18, codec: str | None = None, preset: str = "veryfast",
        metadata: dict[str, str] | None = None, colour: Colour = NO_COLOUR,
    ):  # fmt: skip
        self.path, self.size = Path(path), (height, width)
        self.count = 0
        self._first: int | None = None
        self._held = ExitStack()
        self._settings = dict(fps=Fraction(fps).limit_denominator(1_000_000), time_base=Fraction(time_base), sound=sound,
                              crf=crf, codec=codec, preset=preset, metadata=metadata or {}, colour=colour)  # fmt: skip

    def __enter__(self) -> VideoWriter:
        part = self._held.enter_context(part_of(self.path))
        try:
            sink = Photo if is_photo(self.path) else Film
            self._sink = sink(part, self.path, *self.size, **self._settings)
        except BaseException as error:
            if not self._held.__exit__(type(error), error, error.__traceback__):
                raise
        return self

    def write(self, image: np.ndarray, pts: int) -> None:
        """Adds a picture, (height, width, 3) uint8 RGB, shown from `pts` on; each later than the one before."""
        if image.shape != (*self.size, 3) or image.dtype != np.uint8:
            raise ValueError(f"a picture of {image.shape} {image.dtype} for a file of {(*self.size, 3)} uint8")
        self._first = pts if self._first is None else self._first
        try:
            self._sink.write(image, pts - self._first)
        except av.error.FFmpegError as error:
            raise cannot_write(self.path, error) from error
        self.count += 1

    def __exit__(self, kind, error, trace) -> bool | None:
        try:
            if kind is None:
                self._finish()
        except BaseException as failure:
            kind, error, trace = type(failure), failure, failure.__traceback__
            self._sink.abandon()
            self._held.__exit__(kind, error, trace)
            raise
        if kind is not None:
            self._sink.abandon()
        return self._held.__exit__(kind, error, trace)

    def _finish(self) -> None:
        if not self.count:
            raise OutputError(f"no picture was made for {self.path.name}", hint="check the times asked for")
        try:
            self._sink.finish()
        except av.error.FFmpegError as error:
            raise cannot_write(self.path, error) from error
        self._sink.check(self.count)


class Photo:
    """A file of one picture."""

    def __init__(self, part: Path, path: Path, height: int, width: int, *, metadata: dict[str, str], sound, **_):
        if sound is not None:
            raise OutputError(f"{path.name} cannot carry sound", hint="--audio-from none, or an mp4 as output")
        self.part, self.path, self.metadata = part, path, metadata
        self.image: np.ndarray | None = None

    def write(self, image: np.ndarray, pts: int) -> None:
        if self.image is not None:
            raise OutputError(f"{self.path.name} can hold one picture only", hint="name an mp4, or trim to one frame")
        self.image = image

    def finish(self) -> None:
        save_image(self.part, self.image, self.path.suffix, self.metadata)

    def check(self, count: int) -> None:
        pass

    def abandon(self) -> None:
        pass


class Film:
    """A container with a stream of pictures and, if asked for, of sound."""

    def __init__(
        self, part: Path, path: Path, height: int, width: int, *, fps: Fraction, time_base: Fraction,
        sound: Sound | None, crf: int, codec: str | None, preset: str, metadata: dict[str, str], colour: Colour,
    ):  # fmt: skip
        form = format_of(path)
        if sound is not None and not form.sound_encoder:
            raise OutputError(f"{path.name} cannot carry sound", hint="--audio-from none, or an mp4 as output")
        self.part, self.path, self.form, self.metadata = part, path, form, metadata
        self.time_base, self.fps = time_base, fps
        self.step = max(1, round(1 / fps / time_base))
        codec, pixel_format, options = encoder_for(form, codec, crf, preset, height, width, path.name)
        self.container = _created(part, path, form, metadata)
        self.track = None
        try:
            self.colour = written(colour, height)
            self.stream = _picture_stream(
                self.container, codec, pixel_format, options, height, width, fps, time_base, self.colour
            )
            self.track = Track(sound, self.container, form) if sound else None
        except BaseException:
            self.abandon()
            raise
        self.from_rgb = FromRGB(pixel_format, self.colour)
        self.last = -1

    def write(self, image: np.ndarray, pts: int) -> None:
        if pts <= self.last:
            raise ValueError(f"a picture at {pts} after one at {self.last}")
        self.last = pts
        frame = self.from_rgb(image)
        frame.pts, frame.time_base, frame.duration = pts, self.time_base, self.step
        for packet in self.stream.encode(frame):
            self.container.mux(packet)
        if self.track:
            self.track.advance(pts * self.time_base)

    def finish(self) -> None:
        for packet in self.stream.encode():
            self.container.mux(packet)
        if self.track:
            self.track.advance((self.last + self.step) * self.time_base)
            self.track.close()
        self.container.close()
        if self.form.muxer == "gif" and self.metadata:
            add_gif_comment(self.part, self.metadata)

    def check(self, count: int) -> None:
        """Reads the file back: every picture and the sound must be in it."""
        found = timeline(self.part)
        if found.count != count:
            raise OutputError(f"{self.path.name}: {found.count} of {count} pictures arrived in the file",
                              hint="is the disk full or failing? try another folder")  # fmt: skip
        if self.track and self.track.expected and found.sound_s is None:
            raise OutputError(f"{self.path.name} lost its sound", hint="try another container, such as .mkv")

    def abandon(self) -> None:
        """Lets go of the file, whatever state it is in."""
        if self.track:
            self.track.close()
        try:
            self.container.close()
        except (av.error.FFmpegError, OSError):
            pass  # the part file is thrown away: what counts is the error that led here


def encoder_for(
    form: Format, codec: str | None, crf: int, preset: str, height: int, width: int, name: str
) -> tuple[str, str, dict[str, str]]:
    """(encoder, pixel format, its options) for a container and a quality."""
    codec = codec or form.codec
    odd = bool(height % 2 or width % 2)
    if codec == "libx264" and crf == LOSSLESS:
        codec = "libx264rgb"
        log.info("%s is lossless RGB in H.264: editors and VLC play it, browsers may not", name)
    check_encoder(codec)
    if codec in ("libx264", "libx265"):
        if odd:
            log.info("%s keeps its odd size %dx%d by full colour resolution (4:4:4)", name, width, height)
        return codec, "yuv444p" if odd else "yuv420p", {"crf": str(crf), "preset": preset}
    if codec == "libx264rgb":
        return codec, "rgb24", {"crf": str(crf), "preset": preset}
    if codec == "libvpx-vp9":
        quality = {"lossless": "1"} if crf == LOSSLESS else {"crf": str(round(crf * 1.3)), "b": "0"}
        return (
            codec,
            "gbrp" if crf == LOSSLESS else "yuv420p",
            quality | {"deadline": "realtime", "cpu-used": "6", "row-mt": "1"},
        )
    if codec == "ffv1":
        return codec, "bgr0", {}
    if codec == "gif":
        return codec, "pal8", {}
    return codec, "yuv420p", {}


def _created(part: Path, path: Path, form: Format, metadata: dict[str, str]) -> av.container.OutputContainer:
    try:
        container = av.open(str(part.absolute()), "w", format=form.muxer, options=form.options)
    except av.error.FFmpegError as error:
        raise cannot_write(path, error) from error
    container.metadata.update(metadata)
    return container


def _picture_stream(container, codec, pixel_format, options, height, width, fps, time_base, colour: Colour):
    stream = container.add_stream(codec, rate=fps, options=options)
    stream.height, stream.width, stream.pix_fmt = height, width, pixel_format
    stream.time_base = stream.codec_context.time_base = time_base
    context = stream.codec_context
    context.color_primaries, context.color_trc = colour.primaries, colour.transfer
    if pixel_format.startswith("yuv"):
        context.colorspace, context.color_range = colour.space, colour.range
    return stream
