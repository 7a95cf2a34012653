"""HFGI: what the codes lost comes back as a scale and a shift of the 64x64 feature.

Source: Wang et al. 2022 (high-fidelity GAN inversion): the distortion map is aligned to the edited picture and
consulted by an encoder.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .irse import group, stem
from .layers import EqualConv2d, ScaledLeakyReLU, resize


class Aligner(nn.Module):
    """Moves a residual to where the (edited) picture has its features. Args: widths, full size first."""

    def __init__(self, widths: Sequence[int] = (16, 32, 48, 64)):
        super().__init__()
        a, b, c, d = widths
        self.conv_layer1 = stem(6, a)
        self.conv_layer2 = group((a, b, b, b), stride=2)
        self.conv_layer3 = group((b, c, c, c), stride=2)
        self.conv_layer4 = group((c, d, d, d), stride=2)
        self.dconv_layer1 = group((d + c, d, b, b))
        self.dconv_layer2 = group((b + b, b, a, a))
        self.dconv_layer3 = group((a + a, a, 3, 3))

    def forward(self, residual: Tensor, image: Tensor) -> Tensor:
        """(N, 3, S, S) and (N, 3, S, S) -> (N, 3, S, S)."""
        full = self.conv_layer1(torch.cat([residual, image], 1))
        half = self.conv_layer2(full)
        quarter = self.conv_layer3(half)
        x = self.conv_layer4(quarter)
        x = self.dconv_layer1(_join(x, quarter))
        x = self.dconv_layer2(_join(x, half))
        return self.dconv_layer3(_join(x, full))


def _join(x: Tensor, skip: Tensor) -> Tensor:
    return torch.cat([resize(x, skip.shape[-2:]), skip], 1)


class ConsultationEncoder(nn.Module):
    """An aligned residual to the inversion condition. Args: widths of the trunk; channels of the feature f."""

    def __init__(self, widths: Sequence[int] = (32, 48, 64), channels: int = 512):
        super().__init__()
        a, b, c = widths
        self.conv_layer1 = stem(3, a)
        self.conv_layer2 = group((a, b, b, b), stride=2)
        self.conv_layer3 = group((b, c, c, c), stride=2)
        self.condition_scale3 = _head(c, channels)
        self.condition_shift3 = _head(c, channels)

    def forward(self, residual: Tensor) -> tuple[Tensor, Tensor]:
        """(N, 3, S, S) -> scale and shift, (N, C, S/4, S/4) each."""
        x = self.conv_layer3(self.conv_layer2(self.conv_layer1(residual)))
        return self.condition_scale3(x), self.condition_shift3(x)


def _head(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        EqualConv2d(inputs, outputs, 3, padding=1), ScaledLeakyReLU(), EqualConv2d(outputs, outputs, 3, padding=1)
    )
