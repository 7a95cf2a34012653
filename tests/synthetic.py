"""Clips, photos and sounds from numbers: what people's files are like, and what is wrong with some of them.

The one real face comes with scikit-image: the public-domain portrait of the astronaut Eileen Collins.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import Interpolation
from PIL import Image

RATES = {
    "23.976": Fraction(24000, 1001), "25": Fraction(25), "29.97": Fraction(30000, 1001), "30": Fraction(30),
    "50": Fraction(50), "59.94": Fraction(60000, 1001), "1": Fraction(1), "240": Fraction(240),
}  # fmt: skip
VFR_MS = (0, 33, 67, 100, 101, 250, 283, 700, 701, 1700)  # ms: pauses, bursts, a second of nothing


@lru_cache(maxsize=8)
def face(size: int = 512) -> np.ndarray:
    """(size, size, 3) uint8: the portrait."""
    from skimage import data

    return np.asarray(Image.fromarray(data.astronaut()).resize((size, size), Image.Resampling.LANCZOS))


def face_frames(count: int, height: int = 256, width: int = 256, *, shift_px: float = 16) -> list[np.ndarray]:
    """The portrait's head, drifting left and right by `shift_px` over the clip."""
    head = Image.fromarray(face(1024)).crop((250, 0, 660, 410))
    wide = head.resize((width + 2 * int(shift_px), height), Image.Resampling.LANCZOS)
    offsets = (round(shift_px * (1 + np.sin(2 * np.pi * i / max(count, 2)))) for i in range(count))
    return [np.ascontiguousarray(np.asarray(wide)[:, x : x + width]) for x in offsets]


def numbered_frames(count: int, height: int = 64, width: int = 96) -> list[np.ndarray]:
    """Pictures that say which one they are: see `number_of`. They survive lossy codecs."""
    return [numbered(i, height, width) for i in range(count)]


def numbered(index: int, height: int = 64, width: int = 96) -> np.ndarray:
    """A picture whose top half holds `index` as twelve black and white bars, lowest bit left."""
    picture = np.full((height, width, 3), (90, 120, 60), np.uint8)
    edges = np.linspace(0, width, 13).round().astype(int)
    for bit in range(12):
        picture[: height // 2, edges[bit] : edges[bit + 1]] = 255 if index >> bit & 1 else 0
    return picture


def number_of(picture: np.ndarray) -> int:
    """The index that `numbered` wrote."""
    height, width = picture.shape[:2]
    edges = np.linspace(0, width, 13).round().astype(int)
    bars = [picture[: height // 2 - 2, edges[b] + 1 : edges[b + 1] - 1].mean() > 127 for b in range(12)]
    return sum(1 << bit for bit, lit in enumerate(bars) if lit)


def corners(height: int = 96, width: int = 160) -> np.ndarray:
    """A picture with a colour of its own in each corner: red, green, blue, white from top left, row by row."""
    picture = np.zeros((height, width, 3), np.uint8)
    middle, centre = height // 2, width // 2
    picture[:middle, :centre] = (230, 20, 20)
    picture[:middle, centre:] = (20, 200, 20)
    picture[middle:, :centre] = (20, 20, 230)
    picture[middle:, centre:] = 235
    return picture


def tone(seconds: float, rate: int = 48000, channels: int = 1, *, hz: float = 440, level: float = 0.4) -> np.ndarray:
    """(channels, n) float32: a sine, each channel a fifth above the one before."""
    times = np.arange(round(seconds * rate)) / rate
    return np.stack([level * np.sin(2 * np.pi * hz * 1.5**c * times) for c in range(channels)]).astype(np.float32)


def clicks(seconds: float, rate: int = 48000, *, every_s: float = 1.0) -> np.ndarray:
    """(1, n) float32: silence with a 10 ms burst at each multiple of `every_s`."""
    samples = np.zeros((1, round(seconds * rate)), np.float32)
    for k in range(int(np.ceil(seconds / every_s))):
        start = round(k * every_s * rate)
        samples[0, start : start + rate // 100] = 0.9
    return samples


def write_clip(
    path: Path, pictures: Iterable[np.ndarray], *, fps: Fraction | int = 25, time_base: Fraction | None = None,
    pts: Sequence[int] | None = None, codec: str = "libx264", pixel_format: str = "yuv420p",
    options: dict[str, str] | None = None, muxer: str | None = None, rotation: int = 0, mirrored: bool = False,
    aspect: Fraction | None = None, gop: int | None = None, sound: np.ndarray | None = None, rate: int = 48000, sound_codec: str = "aac",
    sound_format: str = "fltp", layout: str | None = None, sound_start_s: float = 0, start_s: float = 0,
    colour: tuple[int, int, int, int] | None = None, container: dict[str, str] | None = None,
    prepare: Callable[[av.VideoFrame], av.VideoFrame] | None = None,
) -> Path:  # fmt: skip
    """A file of these pictures (each (H, W, 3) uint8 RGB, all of one size) and this sound ((channels, n) float32).

    pts: times in `time_base`; by default the n-th picture at n / fps. rotation: degrees that players turn clockwise;
    mirrored: left and right are exchanged after that.
    colour: (space, primaries, transfer, range) tags. start_s: time of the first picture; sound_start_s: of the sound.
    container: options of the muxer. prepare: changes each picture before it is encoded.
    """
    fps = Fraction(fps)
    time_base = time_base or 1 / fps
    with av.open(str(path), "w", format=muxer, options=container or {}) as output:
        stream, made = None, None
        offset = round(start_s / time_base)
        for i, picture in enumerate(pictures):
            if stream is None:
                stream = _picture_stream(
                    output,
                    picture,
                    fps,
                    time_base,
                    codec,
                    pixel_format,
                    options,
                    (rotation, mirrored),
                    aspect,
                    gop,
                    colour,
                )
                made = _sound_stream(output, sound, rate, sound_codec, layout) if sound is not None else None
            frame = _frame(picture, pixel_format, colour)
            frame = prepare(frame) if prepare else frame
            frame.pts, frame.time_base = offset + (pts[i] if pts is not None else round(i / fps / time_base)), time_base
            frame.duration = round(1 / fps / time_base)
            output.mux(stream.encode(frame))
        output.mux(stream.encode())
        if made is not None:
            _write_sound(output, made, sound, rate, sound_format, sound_start_s)
    return path


def _picture_stream(output, picture, fps, time_base, codec, pixel_format, options, turned, aspect, gop, colour):
    stream = output.add_stream(
        codec, rate=fps, options={"preset": "ultrafast"} | (options or {}) if "26" in codec else options or {}
    )
    stream.height, stream.width, stream.pix_fmt = *picture.shape[:2], pixel_format
    stream.time_base = stream.codec_context.time_base = time_base
    if any(turned):
        stream.set_display_rotation(-turned[0], hflip=turned[1])
    if aspect:
        stream.codec_context.sample_aspect_ratio = aspect
    if gop is not None:
        stream.codec_context.gop_size = gop
    if colour:
        context = stream.codec_context
        context.colorspace, context.color_primaries, context.color_trc, context.color_range = colour
    return stream


def _frame(picture: np.ndarray, pixel_format: str, colour) -> av.VideoFrame:
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), "rgba" if picture.shape[2] == 4 else "rgb24")
    if not colour or not pixel_format.startswith("yuv"):
        return frame.reformat(format=pixel_format)
    return frame.reformat(
        format=pixel_format, dst_colorspace=colour[0], src_color_range=2, dst_color_range=colour[3],
        interpolation=Interpolation.BICUBIC | Interpolation.ACCURATE_RND,
    )  # fmt: skip


def _sound_stream(output, sound, rate, codec, layout):
    layout = layout or {1: "mono", 2: "stereo", 6: "5.1"}[len(sound)]
    return output.add_stream(codec, rate=rate, layout=layout)


def _write_sound(output, stream, sound, rate, sample_format, start_s, piece=1024):
    context = stream.codec_context
    known = context.format.name if context.format else sample_format
    resampler = av.AudioResampler(known, context.layout.name, rate, frame_size=context.frame_size or 0)
    offset = round(start_s * rate)
    for at in range(0, sound.shape[1], piece):
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(sound[:, at : at + piece]), format="fltp", layout=context.layout.name
        )
        frame.sample_rate, frame.time_base, frame.pts = rate, Fraction(1, rate), offset + at
        for ready in resampler.resample(frame):
            output.mux(stream.encode(ready))
    for ready in resampler.resample(None):
        output.mux(stream.encode(ready))
    output.mux(stream.encode())


def write_sound(
    path: Path, sound: np.ndarray, rate: int = 48000, *, codec: str = "pcm_s16le", layout: str | None = None
) -> Path:
    """A sound file of (channels, n) float32 samples."""
    with av.open(str(path), "w") as output:
        _write_sound(output, _sound_stream(output, sound, rate, codec, layout), sound, rate, "fltp", 0)
    return path


def face_clip(
    path: Path, seconds: float = 1, *, fps: Fraction | int = 25, size: int = 256, sound: bool = True, **how
) -> Path:
    """A short clip of the portrait in slow motion, with a tone."""
    pictures = face_frames(round(seconds * fps), size, size)
    return write_clip(path, pictures, fps=Fraction(fps), sound=tone(seconds) if sound else None, **how)


def vfr_clip(path: Path, **how) -> Path:
    """Numbered pictures at the uneven times `VFR_MS`."""
    return write_clip(
        path, numbered_frames(len(VFR_MS)), fps=Fraction(25), time_base=Fraction(1, 1000), pts=VFR_MS, **how
    )


def flash_and_click(
    path: Path, seconds: float, *, fps: Fraction = Fraction(30000, 1001), every_s: float = 1.0, size: int = 64, **how
) -> Path:
    """A black clip, white for the one picture on screen at each multiple of `every_s`, with a click at that time."""
    count = int(seconds * fps)
    lit = {int(k * Fraction(every_s) * fps) for k in range(int(seconds / every_s) + 1)}
    pictures = (np.full((size, size, 3), 255 if i in lit else 0, np.uint8) for i in range(count))
    return write_clip(path, pictures, fps=fps, sound=clicks(seconds, every_s=every_s), **how)


def truncated(path: Path, share: float, to: Path) -> Path:
    """The first `share` of a file's bytes."""
    content = path.read_bytes()
    to.write_bytes(content[: int(len(content) * share)])
    return to


def without_index(path: Path, to: Path) -> Path:
    """An mp4 whose recording was cut off before its table of contents (moov) was written."""
    content = path.read_bytes()
    where = content.rfind(b"moov")
    to.write_bytes(content[: where - 4])
    return to


def corrupted(path: Path, to: Path, *, packets: Sequence[int], stream: int = 0) -> Path:
    """The same file with the content of some packets overwritten by noise."""
    content = bytearray(path.read_bytes())
    noise = np.random.default_rng(0)
    with av.open(str(path)) as source:
        spans = [(p.pos, p.size) for p in source.demux(source.streams.video[stream]) if p.size]
    for n in packets:
        start, size = spans[n]
        content[start : start + size] = noise.integers(0, 256, size, np.uint8).tobytes()
    to.write_bytes(content)
    return to


def cover_art_mp3(path: Path) -> Path:
    """A song with a picture on its cover."""
    with av.open(str(path), "w") as output:
        song = output.add_stream("libmp3lame", rate=44100, layout="mono")
        cover = output.add_stream("mjpeg")
        cover.height, cover.width, cover.pix_fmt = 64, 64, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        picture = av.VideoFrame.from_ndarray(corners(64, 64), "rgb24").reformat(format="yuvj420p")
        output.mux(cover.encode(picture))
        output.mux(cover.encode())
        _write_sound(output, song, tone(1, 44100), 44100, "fltp", 0)
    return path


def with_extra_streams(path: Path, first: Sequence[np.ndarray] | None = None) -> Path:
    """An mkv of two video streams (numbered pictures or `first`, then the portrait), subtitles and an attached font."""
    first = numbered_frames(10) if first is None else first
    shots = (first, face_frames(len(first), 128, 128))
    with av.open(str(path), "w") as output:
        streams = [output.add_stream("libx264", rate=25, options={"preset": "ultrafast"}) for _ in shots]
        for stream, pictures in zip(streams, shots, strict=True):
            stream.height, stream.width = pictures[0].shape[:2]
            stream.pix_fmt = "yuv420p"
        words = output.add_mux_stream("subrip")
        output.add_attachment("a.ttf", "font/ttf", b"not a font")
        for i in range(len(first)):
            for stream, pictures in zip(streams, shots, strict=True):
                frame = av.VideoFrame.from_ndarray(pictures[i], "rgb24").reformat(format="yuv420p")
                frame.pts, frame.time_base = i, Fraction(1, 25)
                output.mux(stream.encode(frame))
            if i % 5 == 0:
                output.mux(_line(words, f"line {i}", i))
        for stream in streams:
            output.mux(stream.encode())
    return path


def _line(stream, words: str, index: int) -> av.Packet:
    """A subtitle from picture `index` on for 0.2 s."""
    packet = av.Packet(words.encode())
    packet.stream, packet.time_base = stream, Fraction(1, 1000)
    packet.pts = packet.dts = index * 40
    packet.duration = 200
    return packet


def two_sizes(path: Path, count: int = 10, pictures: Callable[[int, int, int], list[np.ndarray]] | None = None) -> Path:
    """A transport stream whose picture changes from 96x64 to 192x128 after `count` pictures.

    pictures: (count, height, width) -> pictures; numbered ones by default.
    """
    parts = []
    for n, (height, width) in enumerate(((64, 96), (128, 192))):
        piece = path.with_name(f"{path.stem}.{n}.ts")
        shown = (pictures or numbered_frames)(count, height, width)
        parts.append(write_clip(piece, shown, start_s=n * count / 25, options={"bf": "0"}).read_bytes())
        piece.unlink()
    path.write_bytes(b"".join(parts))
    return path


def photo(path: Path, picture: np.ndarray | None = None, *, orientation: int = 1, **how) -> Path:
    """A photo file; `orientation` is the EXIF number (6: turn clockwise by 90 degrees to see it upright)."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(face(256) if picture is None else picture).save(path, exif=exif, **how)
    return path
