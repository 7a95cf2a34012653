"""Constants that travel with the weights: the average code, the attribute directions, the prior, a standard face.

Sources: InterFaceGAN (Shen et al. 2020): one direction an attribute; GANSpace (Härkönen et al. 2020): principal
components; Zhu et al. 2020 (improved GAN embedding, "P-norm+"): the prior of the optimising inversion.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

PRIOR_SLOPE = 5.0  # undoes the mapping network's last leaky ReLU of slope 0.2


class AverageCode(nn.Module):
    """The average code that the encoder's output is an offset from."""

    def __init__(self, rows: int = 18, width: int = 512):
        super().__init__()
        self.register_buffer("latent_avg", torch.zeros(rows, width))

    def forward(self, offsets: Tensor) -> Tensor:
        """(N, L, D) -> (N, L, D)."""
        return offsets + self.latent_avg


class Directions(nn.Module):
    """A direction for each named attribute, with a row for each row of the code."""

    def __init__(self, names: tuple[str, ...] = ("age", "pose"), rows: int = 18, width: int = 512):
        super().__init__()
        for name in names:
            self.register_buffer(name, torch.zeros(rows, width))

    def forward(self, codes: Tensor, name: str, factor: float) -> Tensor:
        """(N, L, D) moved by `factor` along the direction."""
        return codes + factor * self.get_buffer(name)


class PrincipalComponents(nn.Module):
    """Components of the codes, a row each, with their mean and their standard deviations."""

    def __init__(self, count: int = 80, width: int = 512):
        super().__init__()
        self.register_buffer("comp", torch.zeros(count, width))
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("std", torch.ones(count))

    def forward(self, codes: Tensor, component: int, rows: slice, factor: float) -> Tensor:
        """Codes whose coordinate along a component is `factor` standard deviations, written to some rows.

        The coordinate is measured on row 0, whichever rows are edited: so the official release does.
        """
        direction, deviation = self.comp[component], self.std[component]
        coordinate = (codes[:, 0] - self.mean) @ direction / deviation  # [N]
        delta = (factor - coordinate)[:, None, None] * direction * deviation
        edited = codes.clone()
        edited[:, rows] += delta
        return edited


class CodePrior(nn.Module):
    """How unlikely a code is under a normal distribution of whitened codes."""

    def __init__(self, width: int = 512):
        super().__init__()
        self.register_buffer("X_mean", torch.zeros(width))
        self.register_buffer("X_comp", torch.eye(width))
        self.register_buffer("X_stdev", torch.ones(width))

    def forward(self, codes: Tensor) -> Tensor:
        """(N, L, D) -> one number."""
        centred = F.leaky_relu(codes, PRIOR_SLOPE) - self.X_mean
        return (centred @ self.X_comp.T / self.X_stdev).square().mean()


class StandardFace(nn.Module):
    """The 68 points of the standard face that Deep3D aligns to."""

    def __init__(self):
        super().__init__()
        self.register_buffer("lm", torch.zeros(68, 3, dtype=torch.float64))
