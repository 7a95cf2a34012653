"""An engine without weights: motion from numbers, pictures that say which row they show. For the tests of execute only."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from styleheat_cli.engine.stream import showings, timed
from styleheat_cli.media.motion_file import read_motion
from styleheat_cli.media.reader import frames, probe
from styleheat_cli.shot import ANGLES, FaceTrack, MotionTrack, Shot


class FakeEngine:
    """Finds "faces" everywhere, turns the head by 0.01 rad a frame, and brightens what it renders by the row's number."""

    def __init__(self):
        self.asked: list[tuple] = []

    def motion_of(
        self, path, *, face="largest", start_s=None, end_s=None, on_missing_face="keep", smooth_s=0.0, progress=None, since=None
    ):
        self.asked.append(("motion_of", Path(path).name, face, start_s, end_s, on_missing_face, smooth_s))
        if Path(path).suffix == ".safetensors":
            motion = read_motion(path)
            keep = (motion.times >= (start_s or 0)) & (motion.times < (np.inf if end_s is None else end_s))
            return motion.of_rows(keep, motion.times[keep])
        clip = probe(path)
        return moving(np.array([float(f.time) for f in frames(clip, start_s, end_s)]), clip)

    def shot(self, path, *, face="largest", start_s=None, end_s=None, on_missing_face="keep", progress=None):
        self.asked.append(("shot", Path(path).name, face, start_s, end_s, on_missing_face))
        clip = probe(path)
        times = np.array([float(f.time) for f in frames(clip, start_s, end_s)])
        count = len(times)
        track = FaceTrack(times, np.zeros((count, 4), np.float32), np.zeros((count, 478, 3), np.float32),
                          np.zeros((count, 2, 3), np.float32), np.ones(count, bool))  # fmt: skip
        own = MotionTrack(np.zeros((count, 73), np.float32), times, clip=clip)
        return Shot(clip, track, own, own, person=None)

    def retarget(self, shot, driving, times, controls):
        self.controls = controls
        return shot.own.with_(coeffs=driving.at(times), times=np.asarray(times, np.float64))

    def hear(self, path, start_s=0.0, end_s=None):
        from styleheat_cli.media.audio import hear

        return hear(path, start_s, end_s)

    def enliven(self, shot):
        return shot

    def speak(self, shot, speech, gain=1.0):
        self.asked.append(("speak", speech.path.name, speech.length_s, gain))
        return shot

    def render(self, shot, *, size=None, crop=False):
        for _, frame, rows in showings(shot):
            image = frame.image if not crop else np.resize(frame.image, (size or 512, size or 512, 3))
            yield from (timed(shot, row, image) for row in rows)


def moving(times: np.ndarray, clip=None) -> MotionTrack:
    """A head that turns by 0.01 rad a frame."""
    coeffs = np.zeros((len(times), 73), np.float32)
    coeffs[:, ANGLES] = 0.01 * np.arange(len(times))[:, None]
    return MotionTrack(coeffs, times, clip=clip)
