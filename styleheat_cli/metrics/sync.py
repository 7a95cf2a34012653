"""Sync confidence and distance: whether SyncNet hears what it sees."""

from __future__ import annotations

import numpy as np

from .metric import Moment, Reading, Setting, blank, metric

REACH = 15
"""Frames by which the sound is shifted either way."""


def sync_scores(video: np.ndarray, sound: np.ndarray, reach: int = REACH) -> tuple[float, float, int]:
    """Confidence, distance and offset of embeddings of picture (T, D) and sound (T, D), row by row.

    Source: Chung and Zisserman, Out of time (2016), as scored since Wav2Lip: the Euclidean distance of each picture
    to the sound shifted by -reach..reach frames, averaged over the clip; distance (LSE-D) is the least of the
    averages, confidence (LSE-C) the median minus the least. The offset is the shift of the least in frames, positive
    where the sound comes later. Rows beyond the ends count as zeros.
    """
    padded = np.pad(sound, ((reach, reach), (0, 0)))
    shifts = range(2 * reach + 1)
    means = np.array(
        [np.linalg.norm(video - padded[shift : shift + len(video)] + 1e-6, axis=1).mean() for shift in shifts]
    )
    least = int(means.argmin())
    return float(np.median(means) - means[least]), float(means[least]), least - reach


@metric(
    "sync",
    better="higher",
    protocol="syncnet-v2",
    says="SyncNet confidence (LSE-C) and distance (LSE-D) at 25 frames/s over shifts of 15 frames either way",
    needs="audio faces",
    judge="sync",
)
class Sync:
    """SyncNet's confidence and distance."""

    def __init__(self, setting: Setting):
        self.judge = setting.judges.get("sync").listen(setting.audio)

    def update(self, moment: Moment) -> float | None:
        if moment.generated.face is not None:
            self.judge.watch(moment.generated)
        return None

    def readings(self) -> list[Reading]:
        names = [f"sync-{what}[{self.spec.protocol}]" for what in ("conf", "dist")]
        video, sound = self.judge.embeddings()
        if len(video) < 2:
            return [blank(self.spec, "fewer than 0.3 s of face and sound", name) for name in names]
        confidence, distance, _ = sync_scores(video, sound)
        return [
            Reading(names[0], confidence, "", "higher", len(video)),
            Reading(names[1], distance, "", "lower", len(video)),
        ]
