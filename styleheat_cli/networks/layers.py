"""The small pieces that the published networks share, in plain torch operations.

Sources: StyleGAN2 (Karras et al. 2020, section 2 and appendix B); equalised learning rate: Karras et al. 2018,
section 4.1; adaptive instance normalisation: Huang and Belongie 2017, conditioned as in PIRenderer (Ren et al. 2021).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

ROOT_TWO = math.sqrt(2.0)
STYLEGAN_SLOPE = 0.2


def blur_kernel(gain: float = 1.0) -> Tensor:
    """(4, 4) binomial kernel of sum `gain`; an up-sampling by two wants a gain of 4."""
    row = torch.tensor([1.0, 3.0, 3.0, 1.0])
    square = row[:, None] * row[None, :]
    return square / square.sum() * gain


def upfirdn(x: Tensor, kernel: Tensor, up: int = 1, down: int = 1, pad: tuple[int, int] = (0, 0)) -> Tensor:
    """Up-sample with zeros, pad, filter, down-sample; the same on both axes.

    Convention: zeros come after each sample; true convolution (the kernel is flipped); every `down`-th
    pixel is kept, from the first.

    Args:
        x: (N, C, H, W).
        kernel: (k, k).
        pad: zeros before and after, on the up-sampled grid.
    """
    n, channels, height, width = x.shape
    if up > 1:
        spread = x.new_zeros(n, channels, height, up, width, up)
        spread[:, :, :, 0, :, 0] = x
        x = spread.view(n, channels, height * up, width * up)
    taps = kernel.flip(0, 1).to(x.dtype).expand(channels, 1, -1, -1)
    return F.conv2d(F.pad(x, (*pad, *pad)), taps, stride=down, groups=channels)


def double(x: Tensor, kernel: Tensor) -> Tensor:
    """`upfirdn(x, kernel, up=2, pad=(2, 1))` as one transposed convolution that never holds the zeros."""
    taps = kernel.to(x.dtype).expand(x.shape[1], 1, -1, -1)
    return F.conv_transpose2d(x, taps, stride=2, padding=1, groups=x.shape[1])


def resize(x: Tensor, size: int | tuple[int, int]) -> Tensor:
    """Bilinear, half-pixel centres, no anti-aliasing whatever the factor; the same tensor at the same size."""
    size = (size, size) if isinstance(size, int) else size
    return x if x.shape[-2:] == size else F.interpolate(x, size=size, mode="bilinear", align_corners=False)


class Blur(nn.Module):
    """Blur, optionally keeping every second pixel; the kernel is part of the published files."""

    def __init__(self, pad: tuple[int, int], gain: float = 1.0):
        super().__init__()
        self.pad = pad
        self.register_buffer("kernel", blur_kernel(gain))

    def forward(self, x: Tensor, down: int = 1) -> Tensor:
        return upfirdn(x, self.kernel, down=down, pad=self.pad)


def fused_leaky_relu(x: Tensor, bias: Tensor) -> Tensor:
    """Leaky ReLU of x + bias (a number per channel, axis 1), times the square root of two."""
    bias = bias.view(1, -1, *(1,) * (x.dim() - 2))
    return F.leaky_relu(x + bias, STYLEGAN_SLOPE) * ROOT_TWO


class FusedLeakyReLU(nn.Module):
    """`fused_leaky_relu` with its bias."""

    def __init__(self, channels: int):
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        return fused_leaky_relu(x, self.bias)


class ScaledLeakyReLU(nn.Module):
    """Leaky ReLU times the square root of two."""

    def forward(self, x: Tensor) -> Tensor:
        return F.leaky_relu(x, STYLEGAN_SLOPE) * ROOT_TWO


class EqualConv2d(nn.Module):
    """Convolution whose weight is scaled by 1 / sqrt(fan-in) when it is used."""

    def __init__(self, inputs: int, outputs: int, size: int, stride: int = 1, padding: int = 0, bias: bool = True):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, size, size))
        self.bias = nn.Parameter(torch.zeros(outputs)) if bias else None
        self.scale = 1 / math.sqrt(inputs * size**2)
        self.stride, self.padding = stride, padding

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.scaled(), self.bias, self.stride, self.padding)

    def scaled(self) -> Tensor:
        """The weight as it is used."""
        return self.weight if self.scale == 1.0 else self.weight * self.scale


class EqualLinear(nn.Module):
    """Linear layer whose weight is scaled by m / sqrt(fan-in) and bias by m, optionally activated."""

    def __init__(self, inputs: int, outputs: int, bias: float = 0.0, multiplier: float = 1.0, activated: bool = False):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) / multiplier)
        self.bias = nn.Parameter(torch.full((outputs,), bias))
        self.scale = multiplier / math.sqrt(inputs)
        self.multiplier, self.activated = multiplier, activated

    def forward(self, x: Tensor) -> Tensor:
        bias = self.bias * self.multiplier
        if self.activated:
            return fused_leaky_relu(F.linear(x, self.weight * self.scale), bias)
        return F.linear(x, self.weight * self.scale, bias)


class ModulatedConv2d(nn.Module):
    """Convolution whose input channels are scaled by a style and whose output channels are normalised again.

    Source: StyleGAN2, equations 1 and 3, applied to the weight: a batch of codes is a convolution in groups.
    """

    def __init__(
        self, inputs: int, outputs: int, size: int, style: int, demodulate: bool = True, upsample: bool = False
    ):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(1, outputs, inputs, size, size))
        self.modulation = EqualLinear(style, inputs, bias=1.0)
        self.scale = 1 / math.sqrt(inputs * size**2)
        self.demodulate, self.padding = demodulate, size // 2
        self.blur = Blur((1, 1), gain=4.0) if upsample else None

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """(N, I, H, W), (N, D) -> (N, O, H, W), or twice as high and wide when up-sampling."""
        n, _, height, width = x.shape
        weight, x = self.folded(w), x.reshape(1, -1, height, width)
        if self.blur is None:
            x = F.conv2d(x, weight.flatten(0, 1), padding=self.padding, groups=n)
            return x.view(n, -1, height, width)
        x = F.conv_transpose2d(x, weight.transpose(1, 2).flatten(0, 1), stride=2, groups=n)  # 2H+1 2W+1
        return self.blur(x.view(n, -1, *x.shape[2:]))  # 2H 2W

    def folded(self, w: Tensor) -> Tensor:
        """(N, O, I, k, k): the weight for each code (N, D), style and normalisation inside."""
        weight = self.scale * self.weight * self.modulation(w)[:, None, :, None, None]
        if not self.demodulate:
            return weight
        return weight * torch.rsqrt(weight.square().sum((2, 3, 4)) + 1e-8)[:, :, None, None, None]


class AdaIN(nn.Module):
    """Instance normalisation whose scale and shift come from a descriptor."""

    def __init__(self, channels: int, descriptor: int, hidden: int = 128):
        super().__init__()
        self.mlp_shared = nn.Sequential(nn.Linear(descriptor, hidden), nn.ReLU())
        self.mlp_gamma = nn.Linear(hidden, channels)
        self.mlp_beta = nn.Linear(hidden, channels)

    def forward(self, x: Tensor, descriptor: Tensor) -> Tensor:
        """(N, C, H, W), (N, D) -> (N, C, H, W)."""
        return self.shade(F.instance_norm(x, eps=1e-5), descriptor)

    def shade(self, normalised: Tensor, descriptor: Tensor) -> Tensor:
        """Scale and shift of what is normalised already; a batch of one meets any number of descriptors."""
        shared = self.mlp_shared(descriptor)
        gamma, beta = self.mlp_gamma(shared)[:, :, None, None], self.mlp_beta(shared)[:, :, None, None]
        return normalised * (1 + gamma) + beta


def conv_layer(inputs: int, outputs: int, size: int) -> nn.Sequential:
    """Equalised convolution that keeps the size, and a fused leaky ReLU."""
    return nn.Sequential(EqualConv2d(inputs, outputs, size, padding=size // 2, bias=False), FusedLeakyReLU(outputs))


class DownBlock(nn.Module):
    """Residual block to half the size, as StyleGAN2's discriminator has it (appendix B)."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.conv1 = conv_layer(inputs, inputs, 3)
        self.conv2 = nn.Sequential(
            Blur((2, 2)), EqualConv2d(inputs, outputs, 3, stride=2, bias=False), FusedLeakyReLU(outputs)
        )
        self.skip = nn.Sequential(Blur((1, 1)), EqualConv2d(inputs, outputs, 1, stride=2, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        blur, conv = self.skip
        kept = blur(x, down=conv.stride)  # blurred only where the strided 1x1 convolution looks
        skip = F.conv2d(kept, conv.scaled())
        return (self.conv2(self.conv1(x)) + skip) / ROOT_TWO
