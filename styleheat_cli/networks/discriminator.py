"""StyleGAN2's discriminator: the critic of training.

Source: StyleGAN2 (Karras et al. 2020), appendix B; minibatch standard deviation: Karras et al. 2018, section 3.
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn

from .layers import DownBlock, EqualLinear, conv_layer


class Discriminator(nn.Module):
    """Args: size of the picture; channel_multiplier and max_channels as of the generator."""

    def __init__(self, size: int = 256, channel_multiplier: float = 1, max_channels: int = 512):
        super().__init__()
        sides = [2**i for i in range(int(math.log2(size)), 1, -1)]
        widths = [min(max_channels, int(32768 * channel_multiplier) // side) for side in sides]
        pairs = pairwise(widths)
        self.convs = nn.Sequential(conv_layer(3, widths[0], 1), *(DownBlock(a, b) for a, b in pairs))
        last = widths[-1]
        self.final_conv = conv_layer(last + 1, last, 3)
        self.final_linear = nn.Sequential(EqualLinear(last * 16, last, activated=True), EqualLinear(last, 1))

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, S, S) -> (N, 1): higher is more real. A batch above 4 must be a multiple of 4."""
        x = self.convs(images)
        x = torch.cat([x, batch_deviation(x)], 1)
        return self.final_linear(self.final_conv(x).flatten(1))


def batch_deviation(x: Tensor, largest_group: int = 4) -> Tensor:
    """(N, C, H, W) -> (N, 1, H, W): how much the samples of a group differ; sample n is in group n mod (N / size)."""
    n, channels, height, width = x.shape
    size = min(n, largest_group)
    grouped = x.view(size, n // size, channels, height, width)
    deviation = (grouped.var(0, unbiased=False) + 1e-8).sqrt().mean((1, 2, 3))  # [N/size]
    return deviation.repeat(size).view(n, 1, 1, 1).expand(n, 1, height, width)
