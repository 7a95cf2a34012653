"""Two curves over time: how alike they are, how large one is against the other, and how much later it comes."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field

import numpy as np

LONGEST_LAG_S, APART_S = 0.5, 0.25
HARDLY = 0.02
FEWEST = 8
"""Moments below which a correlation says nothing."""


@dataclass
class Pairs:
    """A generated and a real value per moment; 24 bytes a moment."""

    times: array = field(default_factory=lambda: array("d"))
    generated: array = field(default_factory=lambda: array("d"))
    real: array = field(default_factory=lambda: array("d"))

    def add(self, time: float, generated: float, real: float) -> None:
        self.times.append(time)
        self.generated.append(generated)
        self.real.append(real)

    def __len__(self) -> int:
        return len(self.times)

    def arrays(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """times, generated, real: (N,) float64 each."""
        return np.array(self.times), np.array(self.generated), np.array(self.real)


def correlation(a: np.ndarray, b: np.ndarray) -> float | None:
    """Pearson's correlation; nothing where a curve does not move or has fewer than eight values."""
    if len(a) < FEWEST:
        return None
    if _still(a) or _still(b):
        return None
    a, b = a - a.mean(), b - b.mean()
    return float(a @ b / np.sqrt((a @ a) * (b @ b)))


def follows(generated: np.ndarray, real: np.ndarray) -> float | None:
    """Correlation of two curves of one unit; nothing where the generated one hardly moves: 2 % of the real one's spread."""
    return None if generated.std() < HARDLY * real.std() else correlation(generated, real)


def gain(generated: np.ndarray, real: np.ndarray) -> float | None:
    """Slope of the line that best predicts the generated curve from the real one: 1 follows fully, 0 not at all."""
    if len(real) < FEWEST or _still(real):
        return None
    moved = real - real.mean()
    return float((generated - generated.mean()) @ moved / (moved @ moved))


def _still(curve: np.ndarray) -> bool:
    """Whether a curve moves by no more than rounding does."""
    return bool(curve.std() <= 1e-7 * max(abs(curve.mean()), 1e-3))


def lag(times: np.ndarray, generated: np.ndarray, real: np.ndarray) -> float | None:
    """Seconds by which the generated curve comes later than the real one, within ±0.5 s.

    Both are put on an even grid at the median step; the shift of the highest correlation, refined by a parabola through
    its neighbours. Nothing where the clip is shorter than 1.5 s or the curves are unlike (correlation below 0.2).
    """
    if len(times) < FEWEST or times[-1] - times[0] < 3 * LONGEST_LAG_S:
        return None
    step, heights = _heights(times, generated, real, LONGEST_LAG_S)
    best = int(heights.argmax())
    if heights[best] < 0.2:
        return None
    return float((best - len(heights) // 2 + _vertex(heights, best)) * step)


def in_step(times: np.ndarray, generated: np.ndarray, real: np.ndarray) -> float | None:
    """The correlation once the curves are put in step: the highest within ±0.25 s, as sound and picture of films run apart."""
    if len(times) < FEWEST or times[-1] - times[0] < 3 * APART_S or follows(generated, real) is None:
        return None
    return float(_heights(times, generated, real, APART_S)[1].max())


def _heights(times: np.ndarray, generated: np.ndarray, real: np.ndarray, reach_s: float) -> tuple[float, np.ndarray]:
    """The step in seconds of an even grid, and the correlation at every shift up to the reach either way."""
    step = float(np.median(np.diff(times)))
    grid = np.arange(times[0], times[-1] + step / 2, step)
    a, b = np.interp(grid, times, generated), np.interp(grid, times, real)
    reach = round(reach_s / step)
    return step, np.array([_shifted(a, b, shift) for shift in range(-reach, reach + 1)])


def _shifted(a: np.ndarray, b: np.ndarray, shift: int) -> float:
    """Correlation of a, taken `shift` steps later, with b."""
    if shift < 0:
        return _shifted(b, a, -shift)
    value = correlation(a[shift:], b[: len(b) - shift])
    return -1.0 if value is None else value


def _vertex(heights: np.ndarray, at: int) -> float:
    """Where between its neighbours the top of a parabola lies, in -0.5..0.5."""
    if not 0 < at < len(heights) - 1:
        return 0.0
    left, top, right = heights[at - 1 : at + 2]
    bend = left - 2 * top + right
    return 0.0 if bend >= 0 else float(np.clip((left - right) / (2 * bend), -0.5, 0.5))
