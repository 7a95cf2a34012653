"""The fault list: what people's files, disks and faces are like, and the exit code and words that each of them gets.

A row makes its files in a folder and gives the arguments; what fails is refused with a message, what can be borne is
borne, with a warning where something was lost.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from styleheat_cli.media.reader import frames, probe
from tests import synthetic
from tests.synthetic import face, face_clip, face_frames, photo, tone, write_clip

SMALL = ("--crop", "--size", "64")
COUNT = 6


@dataclass(frozen=True)
class Row:
    """A fault: who makes it, the exit code and a part of the message, and what the result is like.

    make: folder -> what stands for `{bad}` in the arguments. frames: pictures of the result, None where it fails.
    """

    name: str
    make: Callable[[Path], Path]
    code: int = 0
    message: str = ""
    frames: int | None = COUNT
    arguments: tuple[str, ...] = ("reenact", "{alice}", "-d", "{bad}", "-o", "{out}", *SMALL)
    check: Callable[[Path], bool] = lambda output: True


AS_SOURCE = ("reenact", "{bad}", "-d", "{bob}", "-o", "{out}", "--crf", "0")
AS_OUTPUT = ("reenact", "{alice}", "-d", "{bob}", "-o", "{bad}", *SMALL)


def clip(name="bad.mp4", count=COUNT, size=128, **how):
    """A row's clip of a face, made with these settings."""
    return lambda folder: write_clip(folder / name, face_frames(count, size, size), **how)


def written(content: bytes, name="bad.mp4"):
    def make(folder):
        (folder / name).write_bytes(content)
        return folder / name

    return make


def named(name: str):
    return lambda folder: folder / name


def damaged(how: Callable, **more):
    def make(folder):
        return how(clip("whole.mp4", 30, gop=5)(folder), to=folder / "bad.mp4", **more)

    return make


def folder_named(name):
    def make(folder):
        (folder / name).mkdir()
        return folder / name

    return make


def loop(folder):
    (folder / "loop.mp4").symlink_to(folder / "loop.mp4")
    return folder / "loop.mp4"


def pictures_photo(picture: np.ndarray, name="bad.png", **how):
    return lambda folder: photo(folder / name, picture, **how)


def sized(height, width):
    """The portrait at an odd size."""
    return np.asarray(Image.fromarray(face(512)).resize((width, height), Image.Resampling.LANCZOS))


def on_canvas(side: int, canvas: int) -> np.ndarray:
    """The portrait, `side` px wide, on grey."""
    picture = np.full((canvas, canvas, 3), 128, np.uint8)
    picture[:side, :side] = face(side)
    return picture


def with_sound(samples: np.ndarray, rate=48000, codec="aac", name="bad.mp4", **how):
    return clip(name, sound=samples, rate=rate, sound_codec=codec, **how)


def has_sound(output):
    return probe(output).audio is not None


def is_silent(output):
    return probe(output).audio is None


def same_size(height, width):
    return lambda output: (probe(output).height, probe(output).width) == (height, width)


def coming_and_going(which: set[int], count=12):
    """A clip in which the face is covered in these frames."""

    def make(folder):
        grey = np.full((128, 128, 3), 90, np.uint8)
        pictures = [grey if i in which else picture for i, picture in enumerate(face_frames(count, 128, 128))]
        return write_clip(folder / "bad.mp4", pictures)

    return make


def turned(folder):
    """Pictures that lie on their side, with the tag that makes players turn them."""
    lying = [np.ascontiguousarray(np.rot90(picture)) for picture in face_frames(COUNT, 160, 128)]
    return write_clip(folder / "bad.mp4", lying, rotation=90)


def song(folder):
    return synthetic.write_sound(folder / "song.wav", tone(1))


NAN = np.where(np.arange(12_000) % 100 == 0, np.nan, tone(0.25)[:, :12_000])
DISK = [
    Row("the folder is missing", named("no/where.mp4"), 7, "no such folder", None, AS_OUTPUT),
    Row("the output is a folder", folder_named("dir.mp4"), 7, "is a folder", None, AS_OUTPUT),
    Row("its parent is a file", lambda f: written(b"x", "file")(f) / "out.mp4", 7, "", None, AS_OUTPUT),
    Row("a name over 255 bytes", named("x" * 252 + ".mp4"), 7, "longer than 255 bytes", None, AS_OUTPUT),
    Row("a name of exactly 255 bytes", named("x" * 251 + ".mp4"), arguments=AS_OUTPUT),
    Row("a loop of links as output", loop, 7, "", None, AS_OUTPUT),
    Row("a loop of links as input", loop, 3, "cannot be opened", None),
    Row("a file system that takes no files", lambda f: Path("/proc/out.mp4"), 7, "/proc", None, AS_OUTPUT),
    Row("a folder as input", folder_named("dir"), 3, "is a folder", None),
]
VIDEO = [
    Row("0 bytes", written(b""), 3, "is empty (0 bytes)", None),
    Row("text renamed", written(b"not a film\n" * 99), 3, "no media file", None),
    Row("zeros", written(bytes(9999)), 3, "no media file", None),
    Row("cut short", damaged(synthetic.truncated, share=0.6), 3, "", None),
    Row("no index", damaged(synthetic.without_index), 3, "table of contents (moov) is missing", None),
    Row("a damaged packet", damaged(synthetic.corrupted, packets=[12]), frames=30),
    Row("sound only", song, 3, "has no picture; it holds sound", None),
    Row("cover art only", lambda f: synthetic.cover_art_mp3(f / "bad.mp3"), 3, "no picture but cover art", None),
    Row("one frame", clip(count=1), frames=1),
    Row("two frames", clip(count=2), frames=2),
    Row("an odd source", pictures_photo(sized(201, 255)), arguments=AS_SOURCE, check=same_size(201, 255)),
    Row("a wide pixel", clip("bad.mp4", aspect=Fraction(4, 3)), arguments=AS_SOURCE, check=same_size(128, 171)),
    Row("a phone held upright", turned, arguments=AS_SOURCE, check=same_size(160, 128)),
    Row("a photo turned by its EXIF", pictures_photo(np.rot90(face(256)), "bad.jpg", orientation=6), arguments=AS_SOURCE),
    Row("uneven times", clip(time_base=Fraction(1, 1000), pts=(0, 33, 34, 200, 233, 900))),
    Row("a late start", clip("bad.mkv", start_s=1.5)),
    Row("interlaced", clip("bad.mkv", options={"x264-params": "tff=1:interlaced=1"}), message="is interlaced"),
    Row("10 bit", clip("bad.mkv", codec="libx265", pixel_format="yuv420p10le")),
    Row("HDR tags", clip(pixel_format="yuv420p10le", colour=(9, 9, 16, 1))),
    Row("4:2:2", clip(pixel_format="yuv422p")),
    Row("4:4:4", clip(pixel_format="yuv444p")),
    Row("alpha", clip("bad.mkv", codec="ffv1", pixel_format="bgra")),
    Row("a GIF drives", clip("bad.gif", codec="gif", pixel_format="rgb8", fps=20)),
    Row("a GIF is made", named("out.gif"), arguments=AS_OUTPUT, message="cannot carry the sound"),
    Row("a WebM is made", named("out.webm"), arguments=AS_OUTPUT, check=has_sound),
    Row("an MKV is made", named("out.mkv"), arguments=AS_OUTPUT, check=has_sound),
    Row("1 frame a second", clip(fps=1)),
    Row("240 frames a second", clip(fps=240)),
    Row("two video streams", lambda f: synthetic.with_extra_streams(f / "bad.mkv"), 4, "no face", None),
    Row("another size midway", lambda f: synthetic.two_sizes(f / "bad.ts"), 4, "no face", None),
]
SOUND = [
    Row("none", clip(), message="has no sound", check=is_silent),
    Row("8 kHz", with_sound(tone(0.25, 8000), 8000), check=has_sound),
    Row("96 kHz", with_sound(tone(0.25, 96000), 96000), check=has_sound),
    Row("mono", with_sound(tone(0.25)), check=has_sound),
    Row("5.1", with_sound(tone(0.25, channels=6)), check=has_sound),
    Row("24 bit", with_sound(tone(0.25), codec="pcm_s24le", name="bad.mov"), check=has_sound),
    Row("a codec that mp4 refuses", with_sound(tone(0.25), codec="pcm_s16le", name="bad.mkv"), check=has_sound),
    Row("not a number", with_sound(NAN, codec="pcm_f32le", name="bad.mkv"), check=has_sound),
    Row("a constant", with_sound(np.ones((1, 12_000), np.float32)), check=has_sound),
    Row("silence", with_sound(np.zeros((1, 12_000), np.float32)), check=has_sound),
    Row("longer than the picture", with_sound(tone(2)), check=lambda o: probe(o).audio.duration_s < Fraction(3, 10)),
    Row("shorter than the picture", with_sound(tone(0.1)), check=has_sound),
    Row("later than the picture", with_sound(tone(0.2), sound_start_s=0.1), check=has_sound),
    Row("sound asked of a silent source", clip(), 0, "has no sound", arguments=(*AS_OUTPUT[:4], "-o", "{out}", *SMALL, "--audio-from", "source")),
]
FACE = [
    Row("none in the photo", pictures_photo(np.full((128, 128, 3), 90, np.uint8)), 4, "no face in the picture", None, AS_SOURCE),
    Row("none in the driver", lambda f: write_clip(f / "bad.mp4", synthetic.numbered_frames(9)), 4, "no face from", None),
    Row("comes late", coming_and_going({0, 1, 2}), message="no face for 3 frames", frames=12),
    Row("leaves and returns", coming_and_going({5, 6}), message="no face for 2 frames", frames=12),
    Row("leaves, and that shall fail", coming_and_going({5, 6}), 4, "(frame 5): no face", None,
        (*AS_OUTPUT[:2], "-d", "{bad}", "-o", "{out}", *SMALL, "--on-missing-face", "fail")),
    Row("leaves a source that is kept", coming_and_going({1, 2}, COUNT), message="kept the original there", arguments=AS_SOURCE,
        check=lambda o: [int(p.image.std()) for p in list(frames(probe(o)))[1:3]] == [0, 0]),
    Row("12 pixels", pictures_photo(on_canvas(48, 256)), 4, "no face", None, AS_SOURCE),
    Row("3000 pixels", pictures_photo(sized(6000, 6000)[:3600, 1200:4800], "bad.jpg"), arguments=("reenact", "{bad}", "-d", "{bob}", "-o", "{out}", *SMALL)),
    Row("upside down", pictures_photo(np.ascontiguousarray(face(256)[::-1, ::-1])), arguments=("reenact", "{bad}", "-d", "{bob}", "-o", "{out}", *SMALL)),
    Row("the third of one", clip(), 4, "there is no face 3", None,
        ("reenact", "{alice}", "-d", "{bad}", "--driving-face", "3", "-o", "{out}", *SMALL)),
]  # fmt: skip
ROWS = [(f"{group}: {row.name}", row) for group, rows in (("disk", DISK), ("video", VIDEO), ("sound", SOUND), ("face", FACE)) for row in rows]


@pytest.fixture
def files(tmp_path):
    """A portrait and a short clip with sound, and where the result goes."""
    photo(tmp_path / "alice.png", face(256))
    face_clip(tmp_path / "bob.mp4", COUNT / 25, size=128)
    return {"alice": tmp_path / "alice.png", "bob": tmp_path / "bob.mp4", "out": tmp_path / "out.mp4"}


@pytest.mark.slow
@pytest.mark.parametrize("row", [row for _, row in ROWS], ids=[name for name, _ in ROWS])
def test_each_fault_has_its_exit_code_and_words(cli, files, tmp_path, row, one_engine):
    files["bad"] = row.make(tmp_path)
    arguments = [argument.format(**files) for argument in row.arguments]
    output = Path(arguments[arguments.index("-o") + 1])
    before = sorted(tmp_path.rglob("*"))
    called = cli(*arguments)
    assert (called.code, row.message in called.err) == (row.code, True), called.err
    assert "Traceback" not in called.err
    if row.frames is None:
        assert called.out == "" and sorted(tmp_path.rglob("*")) == before
    else:
        assert called.out == f"{output}\n"
        assert len(list(frames(probe(output)))) == row.frames and row.check(output)


def limited(size):
    """For a child process: no file may become larger than this, as on a disk that is full."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


@pytest.mark.slow
def test_a_full_disk_is_told_and_leaves_nothing(files, tmp_path):
    command = [sys.executable, "-m", "styleheat_cli", "reenact", files["alice"], "-d", files["bob"], "-o", files["out"], "--crf", "0"]
    before = sorted(tmp_path.iterdir())
    ran = subprocess.run(command, capture_output=True, text=True, preexec_fn=limited(60_000))
    assert ran.returncode == 7 and "the disk" in ran.stderr, ran.stderr
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_told_at_once(cli, files, tmp_path):
    (tmp_path / "closed").mkdir(mode=0o555)
    called = cli("reenact", files["alice"], "-d", files["bob"], "-o", tmp_path / "closed" / "out.mp4")
    assert called.code == 7 and "may not be written" in called.err
