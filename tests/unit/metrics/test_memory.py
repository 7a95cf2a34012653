"""Measuring streams: the memory that it takes does not depend on how long the clips are."""

import os
import subprocess
import sys
from itertools import cycle, islice
from pathlib import Path

import pytest

from tests.synthetic import face_frames, write_clip

ROOT = Path(__file__).parents[3]
MEASURE = """
import sys
from pathlib import Path
from styleheat_cli.metrics.measure import measure
from styleheat_cli.metrics.moments import Pair
clip, folder = Path(sys.argv[1]), Path(sys.argv[2])
made = measure([Pair(clip, clip)], per_frame=folder / "rows.csv", picture=folder / "curves.png")
print(made.pairs[0].frames, next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


def peak_mb(clip, folder):
    """Frames, and the largest resident size in MB of a process that measures a clip against itself."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    found = subprocess.run([sys.executable, "-c", MEASURE, clip, folder], capture_output=True, text=True, env=environment, check=True)
    frames, peak = map(int, found.stdout.split())
    return frames, peak / 1024


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="peaks are read from /proc")
def test_a_long_clip_takes_no_more_memory_than_a_short_one(tmp_path):
    pictures, peaks = face_frames(25, 256, 256), []
    for frames in (50, 350):
        clip = write_clip(tmp_path / f"{frames}.mp4", islice(cycle([*pictures, *pictures[::-1]]), frames))
        counted, peak = peak_mb(clip, tmp_path)
        assert counted == frames
        peaks.append(peak)
    assert peaks[1] - peaks[0] < 60  # the pictures of 300 frames more would be 118 MB, of both clips
