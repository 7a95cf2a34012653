"""FID: how far the pictures' features are distributed from those of real pictures."""

from __future__ import annotations

import numpy as np
from scipy import linalg

from .metric import Moment, Reading, Setting, View, blank, metric

FEWEST = 2


class Moments:
    """Mean and covariance of feature vectors (D,), gathered one by one in float64."""

    def __init__(self) -> None:
        self.count = 0
        self.total: np.ndarray | float = 0.0
        self.products: np.ndarray | float = 0.0

    def add(self, features: np.ndarray) -> None:
        """(N, D) more."""
        rows = np.asarray(features, np.float64)
        self.count += len(rows)
        self.total = self.total + rows.sum(0)
        self.products = self.products + rows.T @ rows

    @property
    def mean(self) -> np.ndarray:
        return self.total / self.count

    @property
    def covariance(self) -> np.ndarray:
        """(D, D), with n - 1 in the denominator."""
        return (self.products - self.count * np.outer(self.mean, self.mean)) / (self.count - 1)


def frechet_distance(a: Moments, b: Moments) -> float:
    """Squared Fréchet distance of two normal distributions.

    Source: Heusel et al., GANs trained by a two time-scale update rule (2017):
    |μa - μb|² + tr(Σa + Σb - 2 (Σa Σb)^½). The trace of the root is the sum of
    the roots of the eigenvalues of Σa Σb, none of them negative.
    """
    apart = a.mean - b.mean
    eigenvalues = linalg.eigvals(a.covariance @ b.covariance)
    root = np.sqrt(np.maximum(eigenvalues.real, 0)).sum()
    return float(apart @ apart + np.trace(a.covariance) + np.trace(b.covariance) - 2 * root)


@metric(
    "fid",
    better="lower",
    protocol="inception-2015-12-05",
    says="Fréchet distance of Inception features of all generated frames against all reference frames, or, without a "
    "reference, against the sources, each as often as it has frames",
    needs="real pixels",
    judge="inception",
    pooled=True,
)
class Fid:
    """Fréchet Inception distance over all frames of all pairs."""

    def __init__(self, setting: Setting):
        self.features = setting.judges.get("inception")
        self.generated, self.real = Moments(), Moments()
        self.still: tuple[View, np.ndarray] | None = None

    def update(self, moment: Moment) -> float | None:
        self.generated.add(self.features(moment.generated.area))
        self.real.add(self._of(moment.reference or moment.source))
        return None

    def _of(self, real: View) -> np.ndarray:
        """A still is looked at once."""
        if self.still is None or self.still[0] is not real:
            self.still = (real, self.features(real.area))
        return self.still[1]

    def readings(self) -> list[Reading]:
        fewest = min(self.generated.count, self.real.count)
        if fewest < FEWEST:
            return [blank(self.spec, "fewer than two pictures")]
        value = frechet_distance(self.generated, self.real)
        return [Reading(self.spec.printed, value, "", self.spec.better, fewest)]
