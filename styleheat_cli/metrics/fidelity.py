"""PSNR: how far the pixels are from the real ones."""

from __future__ import annotations

import numpy as np

from .metric import Moment, Reading, Running, Setting, metric

IDENTICAL_DB = 100.0
"""What a pair of identical pictures counts, as its PSNR is infinite."""


def psnr(generated: np.ndarray, real: np.ndarray) -> float:
    """Peak signal-to-noise ratio in dB of two uint8 pictures of one shape; 100 where they are identical.

    10 log10(255² / MSE), the mean taken over pixels and channels.
    """
    error = np.mean(np.square(generated.astype(np.float32) - real.astype(np.float32)), dtype=np.float64)
    return IDENTICAL_DB if error == 0 else float(min(10 * np.log10(255**2 / error), IDENTICAL_DB))


@metric("psnr", better="higher", unit="dB", protocol="rgb", says="mean over frames; identical frames count 100 dB")
class Psnr:
    """Mean over frames of the PSNR of RGB pictures."""

    def __init__(self, setting: Setting):
        self.frames = Running()

    def update(self, moment: Moment) -> float | None:
        return self.frames.add(psnr(moment.generated.area, moment.reference.area))

    def readings(self) -> list[Reading]:
        return [self.frames.reading(self.spec)]
