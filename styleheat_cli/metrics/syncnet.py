"""What SyncNet is shown and what it hears: mouths at 25 frames/s and MFCC at 100 rows/s."""

from __future__ import annotations

from collections import deque
from typing import Any

import cv2
import numpy as np
from scipy.fft import dct

from .metric import View
from .speech import Heard

FPS = 25
FRAMES = 5
SIDE = 224
ROWS_PER_FRAME = 4
RATE = 16_000
BORDER = 0.4
"""The crop is the face's box grown by this share of its half side, and twice that below."""
AT_ONCE = 32


class Lips:
    """The judge of role `sync`."""

    def __init__(self, net: Any):
        self.net = net

    def listen(self, sound: Heard) -> Watched:
        """One clip's sitting."""
        return Watched(self.net, sound)


class Watched:
    """Embeds the mouth as it comes, the sound at the end."""

    def __init__(self, net: Any, sound: Heard):
        self.net, self.sound = net, sound
        self.recent: deque[np.ndarray] = deque(maxlen=FRAMES)
        self.ticks = 0
        self.waiting: list[np.ndarray] = []
        self.seen: list[np.ndarray] = []

    def watch(self, view: View) -> None:
        """Take a view for every tick of 1/25 s that it is the nearest to."""
        while self.ticks / FPS <= view.time + 0.5 / FPS:
            self.recent.append(mouth_crop(view.image, view.face))
            self.ticks += 1
            if len(self.recent) == FRAMES:
                self.waiting.append(np.stack(self.recent, 1))  # [3 5 224 224]
            if len(self.waiting) == AT_ONCE:
                self._see()

    def embeddings(self) -> tuple[np.ndarray, np.ndarray]:
        """(T, 1024) of the picture and (T, 1024) of the sound, row by row of the same time."""
        import torch

        from ..media.audio import samples

        self._see()
        rows = mfcc(*samples(self.sound.path, RATE))  # [M 13]
        count = min(len(self.seen), (len(rows) - 20) // ROWS_PER_FRAME + 1)
        if count < 1:
            return np.zeros((0, 1024)), np.zeros((0, 1024))
        windows = np.stack([rows[ROWS_PER_FRAME * k :][:20].T for k in range(count)])[:, None]  # [T 1 13 20]
        with torch.inference_mode():
            heard = [self.net.hear(torch.from_numpy(part)).numpy() for part in _parts(windows.astype(np.float32))]
        return np.stack(self.seen[:count]), np.concatenate(heard)

    def _see(self) -> None:
        import torch

        if self.waiting:
            with torch.inference_mode():
                self.seen += list(self.net.see(torch.from_numpy(np.stack(self.waiting))).numpy())
            self.waiting = []


def _parts(rows: np.ndarray) -> list[np.ndarray]:
    return [rows[at : at + AT_ONCE] for at in range(0, len(rows), AT_ONCE)]


def mouth_crop(image: np.ndarray, face: np.ndarray) -> np.ndarray:
    """(3, 224, 224) float32 BGR in 0..255: the face's box grown as SyncNet's own pipeline does, black outside."""
    low, high = face[:, :2].min(0), face[:, :2].max(0)
    half = float((high - low).max()) / 2
    x, y = (low + high) / 2
    left, top, side = x - half * (1 + BORDER), y - half, 2 * half * (1 + BORDER)
    scale = SIDE / side
    matrix = np.array([[scale, 0, -left * scale], [0, scale, -top * scale]])
    crop = cv2.warpAffine(image, matrix, (SIDE, SIDE), flags=cv2.INTER_AREA if scale < 0.5 else cv2.INTER_LINEAR)
    return crop[:, :, ::-1].transpose(2, 0, 1).astype(np.float32)


def mfcc(sound: np.ndarray, rate: int) -> np.ndarray:
    """(M, 13) mel-frequency cepstral coefficients every 10 ms of sound (n,) in [-1, 1].

    25 ms frames without window, pre-emphasis 0.97, 512-point spectrum, 26 mel filters, lifter 22, the first coefficient
    replaced by the log energy: the settings that SyncNet was trained with.
    """
    scaled = np.asarray(sound, np.float64) * 32768
    scaled = np.append(scaled[:1], scaled[1:] - 0.97 * scaled[:-1])
    length, step = round(0.025 * rate), round(0.010 * rate)
    count = 1 + max(0, -(-(len(scaled) - length) // step))
    scaled = np.pad(scaled, (0, max(0, (count - 1) * step + length - len(scaled))))
    framed = np.lib.stride_tricks.sliding_window_view(scaled, length)[::step][:count]
    power = np.abs(np.fft.rfft(framed, 512)) ** 2 / 512
    tiny = np.finfo(float).eps
    coefficients = dct(np.log(np.maximum(power @ mel_filters(rate).T, tiny)), type=2, axis=1, norm="ortho")[:, :13]
    coefficients *= 1 + 11 * np.sin(np.pi * np.arange(13) / 22)
    coefficients[:, 0] = np.log(np.maximum(power.sum(1), tiny))
    return coefficients


def mel_filters(rate: int, count: int = 26, size: int = 512) -> np.ndarray:
    """(26, 257): triangles that are even on the mel scale, 0 Hz to half the rate."""
    highest = 2595 * np.log10(1 + rate / 2 / 700)
    hertz = 700 * (10 ** (np.linspace(0, highest, count + 2) / 2595) - 1)
    edges = np.floor((size + 1) * hertz / rate)
    bins = np.arange(size // 2 + 1)[None]
    low, top, high = (edges[at : at + count, None] for at in range(3))
    rising, falling = (bins - low) / np.maximum(top - low, 1), (high - bins) / np.maximum(high - top, 1)
    inside = (bins >= low) & (bins < high)
    return np.where(inside, np.where(bins < top, rising, falling), 0.0)
