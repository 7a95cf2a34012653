"""Whatever can be read can be written: odd and damaged files, through the reader into a new file and back again.

What cannot be read at all is in tests/unit/media/test_reader_faults.py; what the command line makes of both is in
test_faults.py.
"""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from styleheat_cli.media.ahead import ahead
from styleheat_cli.media.audio import samples
from styleheat_cli.media.formats import FORMATS
from styleheat_cli.media.reader import frames, probe
from styleheat_cli.media.sound import Sound
from styleheat_cli.media.writer import VideoWriter
from tests import synthetic
from tests.synthetic import clicks, face_frames, numbered_frames, tone, write_clip

COUNT = 30
QUICK = (".mp4", ".gif")


@dataclass(frozen=True)
class Case:
    """A file as people have it. count: its pictures. note: what the log says of it. sound: whether it has some."""

    name: str
    make: Callable[[Path], Path]
    count: int = COUNT
    note: str = ""
    sound: bool = False


def clip(name="given.mp4", count=COUNT, **how):
    return lambda folder: write_clip(folder / name, numbered_frames(count), **how)


def heard(sound, rate=48000, codec="aac", name="given.mp4", **how):
    return clip(name, sound=sound, rate=rate, sound_codec=codec, **how)


def truncated(suffix, **how):
    def make(folder):
        whole = write_clip(folder / f"whole.{suffix}", face_frames(60), gop=10, **how)
        return synthetic.truncated(whole, 0.7, folder / f"given.{suffix}")

    return make


def corrupted(folder):
    whole = write_clip(folder / "whole.mp4", face_frames(COUNT), gop=10, options={"bf": "0"})
    return synthetic.corrupted(whole, folder / "given.mp4", packets=[12, 13])


NOT_A_NUMBER = np.where(np.arange(48_000) % 100 == 0, np.nan, tone(1))
CASES = [
    Case("one picture", clip(count=1), 1),
    Case("two pictures", clip(count=2), 2),
    Case("a pause of a second, then a burst", lambda f: synthetic.vfr_clip(f / "given.mkv"), 10),
    Case("23.976", clip(fps=Fraction(24000, 1001))),
    Case("1 a second", clip(fps=1)),
    Case("240 a second", clip(fps=240)),
    Case("an odd time base", clip(time_base=Fraction(7, 1200), pts=[i * 3 for i in range(COUNT)])),
    Case("starts at 2 s", clip(start_s=2, sound=tone(4)), sound=True),
    Case("starts at 2 s in a transport stream", clip("given.ts", start_s=2, sound=tone(4)), sound=True),
    Case("starts before zero", clip(pts=range(-5, COUNT - 5), options={"bf": "0"}, gop=1), COUNT - 5),
    Case("no times at all", clip("given.h264", muxer="h264", options={"bf": "0"}), note="are mended"),
    Case("cut short, index first", truncated("mp4", container={"movflags": "faststart"}), 0, "is cut short"),
    Case("cut short, mkv", truncated("mkv"), 0),
    Case("damaged in the middle", corrupted, note="the one before is held"),
    Case("changes its size", lambda f: synthetic.two_sizes(f / "given.ts"), 20, "changes its size"),
    Case("two pictures streams, subtitles, a font", lambda f: synthetic.with_extra_streams(f / "given.mkv"), 10),
    Case("interlaced", clip("given.mkv", options={"x264-params": "tff=1:interlaced=1"}), note="is interlaced"),
    Case("10 bit", clip(pixel_format="yuv420p10le")),
    Case("PQ", clip(pixel_format="yuv420p10le", colour=(9, 9, 16, 1)), note="is HDR"),
    Case("HLG", clip(pixel_format="yuv420p10le", colour=(9, 9, 18, 1)), note="is HDR"),
    Case("4:2:2", clip(pixel_format="yuv422p")),
    Case("4:4:4", clip(pixel_format="yuv444p")),
    Case("full range", clip(colour=(1, 1, 1, 2))),
    Case("alpha", clip("given.mkv", codec="ffv1", pixel_format="yuva420p"), note="transparency"),
    Case("oblong pixels", clip(aspect=Fraction(4, 3))),
    Case("rotated", clip(rotation=90)),
    Case("GIF", clip("given.gif", codec="gif", pixel_format="rgb8", fps=20)),
    Case("a photo", lambda f: synthetic.photo(f / "given.jpg", orientation=6), 1),
    Case("8 kHz", heard(tone(2, 8000), 8000), sound=True),
    Case("96 kHz", heard(tone(2, 96000), 96000), sound=True),
    Case("5.1", heard(tone(2, channels=6)), sound=True),
    Case("24 bit", heard(tone(2), codec="pcm_s24le", name="given.mov"), sound=True),
    Case("FLAC", heard(tone(2), codec="flac", name="given.mkv"), sound=True),
    Case("not a number", heard(NOT_A_NUMBER, codec="pcm_f32le", name="given.mkv"), sound=True),
    Case("a constant", heard(np.full((1, 96000), 0.5, np.float32)), sound=True),
    Case("silence", heard(np.zeros((1, 96000), np.float32)), sound=True),
    Case("sound longer than the picture", heard(tone(9)), sound=True),
    Case("sound shorter than the picture", heard(tone(0.3)), sound=True),
    Case("sound later than the picture", heard(clicks(1), sound_start_s=0.5, name="given.mkv"), sound=True),
]


@pytest.mark.parametrize("suffix", [s if s in QUICK else pytest.param(s, marks=pytest.mark.slow) for s in FORMATS])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_can_be_read_can_be_written(case, suffix, tmp_path, caplog):
    given = probe(case.make(tmp_path))
    sound = Sound(given.path) if given.audio and suffix != ".gif" else None
    assert (given.audio is not None) == case.sound
    times = []
    path = tmp_path / f"made{suffix}"
    with VideoWriter(
        path, given.height, given.width, fps=given.fps, time_base=given.time_base, sound=sound, colour=given.colour
    ) as writer:
        for frame in ahead(frames(given)):
            times.append(frame.time)
            writer.write(frame.image, frame.pts)
    made = probe(path)
    assert len(times) == (case.count or len(times)) > 0
    assert (made.height, made.width) == (given.height, given.width)
    tick = FORMATS[suffix].tick
    expected = list(dict.fromkeys(round(t / tick) * tick for t in times)) if tick else times
    assert [frame.time for frame in frames(made)] == expected
    assert ("are left out" in caplog.text) == (len(expected) < len(times))
    assert case.note in caplog.text
    if sound:
        assert abs(len(samples(path)[0]) / samples(path)[1] - expected_length(given)) < 0.15  # a packet of 8 kHz


def expected_length(given):
    """Seconds of sound that belong to the picture, from its first on."""
    found, rate = samples(given.path)
    return min(len(found) / rate, float(given.duration_s))
