"""Pictures made for bright screens (PQ, HLG) as plain ones: faces keep their light, highlights roll off.

Source: ITU-R BT.2100 (PQ and HLG curves), BT.2408 (graphics white at 203 cd/m2), BT.2087 (BT.2020 to BT.709).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from ..shot import Colour

PQ, HLG = 16, 18
TRANSFERS = (PQ, HLG)
BT2020 = 9
WHITE = 203.0  # cd/m2 that a plain screen shows as white
PEAK = 1000.0  # cd/m2: the display that most HDR is graded for
KNEE = 0.7  # of white: below, light is kept as it is
SCREEN_GAMMA = 2.2
STEPS = 4096

TO_BT709 = np.array(
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]], np.float32
)  # fmt: skip


def hdr_to_sdr(image: np.ndarray, colour: Colour) -> np.ndarray:
    """(H, W, 3) uint16 RGB as coded in PQ or HLG -> uint8 RGB for a plain screen."""
    light = _light(colour.transfer)[image]  # [H W 3], 1 = white
    if colour.transfer == HLG:
        light *= _hlg_system_gain(light)
    if colour.primaries == BT2020:
        light = (light @ TO_BT709.T).clip(0)
    light *= _roll_off_gain(light.max(axis=2, keepdims=True))
    return _coded()[(light.clip(0, 1) * (STEPS - 1) + 0.5).astype(np.int32)]


@lru_cache(maxsize=2)
def _light(transfer: int) -> np.ndarray:
    """(65536,) float32: the light behind each 16-bit value, 1 = white (for HLG: of the scene, before the system gain)."""
    value = np.arange(65536) / 65535
    return (_pq(value) if transfer == PQ else _hlg(value)).astype(np.float32)


def _pq(value: np.ndarray) -> np.ndarray:
    m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
    root = value ** (1 / m2)
    return 10000 / WHITE * (np.maximum(root - c1, 0) / (c2 - c3 * root)) ** (1 / m1)


def _hlg(value: np.ndarray) -> np.ndarray:
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    return PEAK / WHITE * np.where(value <= 0.5, value**2 / 3, (np.exp((value - c) / a) + b) / 12)


def _hlg_system_gain(light: np.ndarray) -> np.ndarray:
    """(H, W, 1): what a 1000 cd/m2 display multiplies the scene's light by: its luminance to the power of 0.2."""
    luminance = light @ np.array([0.2627, 0.6780, 0.0593], np.float32) * (WHITE / PEAK)
    return luminance[..., None] ** 0.2


def _roll_off_gain(brightest: np.ndarray) -> np.ndarray:
    """(H, W, 1): the factor that brings light above the knee below white, the peak exactly to white."""
    above = np.maximum(brightest - KNEE, 0) / (1 - KNEE)
    peak = (PEAK / WHITE - KNEE) / (1 - KNEE)
    rolled = KNEE + (1 - KNEE) * above * (1 + above / peak**2) / (1 + above)
    return np.where(brightest > KNEE, rolled / np.maximum(brightest, KNEE), 1)


@lru_cache(maxsize=1)
def _coded() -> np.ndarray:
    """(STEPS,) uint8: light from 0 to 1 as a screen of gamma 2.2 wants it."""
    return np.round(255 * np.linspace(0, 1, STEPS) ** (1 / SCREEN_GAMMA)).astype(np.uint8)
