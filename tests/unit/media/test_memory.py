"""P11: the memory that reading and writing take does not depend on how long the clip is."""

import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from tests import synthetic
from tests.synthetic import tone, write_clip

ROOT = Path(__file__).parents[3]

COPY = """
import sys
from styleheat_cli.media.ahead import ahead
from styleheat_cli.media.reader import frames, probe
from styleheat_cli.media.sound import Sound
from styleheat_cli.media.writer import VideoWriter
clip = probe(sys.argv[1])
with VideoWriter(sys.argv[2], clip.height, clip.width, fps=clip.fps, time_base=clip.time_base,
                 sound=Sound(clip.path), colour=clip.colour) as writer:
    for frame in ahead(frames(clip), 4):
        writer.write(frame.image, frame.pts)
print(writer.count, next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


def peak_mb(source, output):
    """The largest resident size of a process that copies a clip, in MB."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    found = subprocess.run(
        [sys.executable, "-c", COPY, source, output], capture_output=True, text=True, env=environment, check=True
    )
    count, peak = map(int, found.stdout.split())
    return count, peak / 1024


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """Clips with sound by their seconds, each written once."""
    folder, second = tmp_path_factory.mktemp("clips"), [*synthetic.face_frames(25, 192, 192)]

    @cache
    def written(seconds):
        pictures = (picture for _ in range(seconds) for picture in second)
        return write_clip(folder / f"{seconds}.mp4", pictures, sound=tone(seconds, 44100, 2), rate=44100)

    return written


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="peaks are read from /proc")
@pytest.mark.parametrize(
    ("short", "long", "suffix"),
    [
        (4, 16, "mp4"),
        pytest.param(10, 600, "mp4", marks=pytest.mark.slow),
        pytest.param(10, 600, "mkv", marks=pytest.mark.slow),
    ],
)
def test_a_long_clip_takes_no_more_memory_than_a_short_one(short, long, suffix, clip, tmp_path):
    peaks = []
    for seconds in (short, long):
        count, peak = peak_mb(clip(seconds), tmp_path / f"out{seconds}.{suffix}")
        assert count == 25 * seconds
        peaks.append(peak)
    # pictures kept would be 2.8 MB a second, sound decoded and kept 0.35 MB: 12 s more would be 37 MB
    assert peaks[1] - peaks[0] < 15
