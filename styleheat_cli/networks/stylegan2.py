"""StyleGAN2, taken apart at the 64x64 feature: the generator that warped features enter.

Sources: StyleGAN2 (Karras et al. 2020); StyleHEAT (Yin et al. 2022), eq. 1: the feature f of one level is replaced,
warped and calibrated. Noise inputs are part of the published files and are never added, as in the official release.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from .layers import EqualLinear, FusedLeakyReLU, ModulatedConv2d, blur_kernel, upfirdn
from .warper import warp


@dataclass(frozen=True)
class Conditions:
    """What happens to f between the up-sampling and the second convolution of its level, in this order.

    inversion: (scale, shift), f * (1 + scale) + shift; the f that is returned is copied after it.
    f: replaces f.
    warps: deformations, each a resampling of its own.
    refining: f * (1 + scale) + shift with the calibrated pair.
    """

    inversion: tuple[Tensor, Tensor] | None = None
    f: Tensor | None = None
    warps: Sequence[Tensor] = ()
    refining: tuple[Tensor, Tensor] | None = None

    def before(self, f: Tensor) -> Tensor:
        """The feature that counts as f."""
        return f if self.inversion is None else modulate(f, *self.inversion)

    def after(self, f: Tensor) -> Tensor:
        """The feature that the rest of the generator sees."""
        f = f if self.f is None else self.f
        for deformation in self.warps:
            f = warp(f, deformation)
        return f if self.refining is None else modulate(f, *self.refining)


def modulate(f: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """f * (1 + scale) + shift."""
    return f * (1 + scale) + shift


@dataclass(frozen=True)
class Level:
    """One resolution: the feature after its second convolution, the picture so far, and f at f's own level."""

    size: int
    feature: Tensor
    rgb: Tensor
    f: Tensor | None = None


@dataclass(frozen=True)
class Synthesis:
    """(N, 3, S, S) image, not clamped; the (N, L, D) codes used; the (N, C, 64, 64) feature f."""

    image: Tensor
    codes: Tensor
    f: Tensor


class PixelNorm(nn.Module):
    """Each row divided by its root mean square."""

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.rsqrt(x.square().mean(1, keepdim=True) + 1e-8)


class InactiveNoise(nn.Module):
    """A noise strength that the official release never applies; kept so that its files load unchanged."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))


class Constant(nn.Module):
    """The learned 4x4 start."""

    def __init__(self, channels: int):
        super().__init__()
        self.input = nn.Parameter(torch.randn(1, channels, 4, 4))

    def forward(self, batch: int) -> Tensor:
        return self.input.expand(batch, -1, -1, -1)


class StyledConv(nn.Module):
    """Modulated convolution, bias, activation."""

    def __init__(self, inputs: int, outputs: int, style: int, upsample: bool = False):
        super().__init__()
        self.conv = ModulatedConv2d(inputs, outputs, 3, style, upsample=upsample)
        self.noise = InactiveNoise()
        self.activate = FusedLeakyReLU(outputs)

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        return self.activate(self.conv(x, w))


class Upsample(nn.Module):
    """Twice the size through the blur kernel."""

    def __init__(self):
        super().__init__()
        self.register_buffer("kernel", blur_kernel(4.0))

    def forward(self, x: Tensor) -> Tensor:
        return upfirdn(x, self.kernel, up=2, pad=(2, 1))


class ToRGB(nn.Module):
    """Colour of one level, added to the doubled picture of the level below."""

    def __init__(self, inputs: int, style: int, upsample: bool = True):
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(1, 3, 1, 1))
        self.upsample = Upsample() if upsample else None
        self.conv = ModulatedConv2d(inputs, 3, 1, style, demodulate=False)

    def forward(self, x: Tensor, w: Tensor, below: Tensor | None = None) -> Tensor:
        rgb = self.conv(x, w) + self.bias
        return rgb if below is None else rgb + self.upsample(below)


class Generator(nn.Module):
    """Codes to picture.

    Args:
        size: side of the picture, a power of two.
        style: width of a code row.
        mapping_layers: depth of the mapping network.
        channel_multiplier: 2 for the published weights: 256 channels at 128 px, halved with each level above.
        max_channels: width of the small levels.
        entry: side of the feature f.
    """

    def __init__(
        self,
        size: int = 1024,
        style: int = 512,
        mapping_layers: int = 8,
        channel_multiplier: float = 2,
        max_channels: int = 512,
        entry: int = 64,
    ):
        super().__init__()
        self.size, self.entry, self.style_width = size, entry, style
        self.levels = int(math.log2(size)) - 1
        self.rows = 2 * self.levels
        self.entry_level = int(math.log2(entry)) - 2
        widths = [min(max_channels, int(16384 * channel_multiplier) // 2 ** (i + 2)) for i in range(self.levels)]
        self.widths = tuple(widths)
        self.style = nn.Sequential(
            PixelNorm(), *(EqualLinear(style, style, multiplier=0.01, activated=True) for _ in range(mapping_layers))
        )
        self.input = Constant(widths[0])
        self.conv1 = StyledConv(widths[0], widths[0], style)
        self.to_rgb1 = ToRGB(widths[0], style, upsample=False)
        self.convs = nn.ModuleList()
        self.to_rgbs = nn.ModuleList()
        for below, width in pairwise(widths):
            self.convs.append(StyledConv(below, width, style, upsample=True))
            self.convs.append(StyledConv(width, width, style))
            self.to_rgbs.append(ToRGB(width, style))
        self.noises = nn.Module()
        for layer in range(self.rows - 1):
            side = 2 ** ((layer + 5) // 2)
            self.noises.register_buffer(f"noise_{layer}", torch.zeros(1, 1, side, side))

    def map(self, z: Tensor) -> Tensor:
        """(N, D) normal noise -> (N, D) codes w."""
        return self.style(z)

    def w_plus(self, w: Tensor, other: Tensor | None = None, splice_at: int = 0) -> Tensor:
        """(N, L, D): one w repeated for all rows, or two spliced: rows before `splice_at` from the first."""
        rows = w[:, None].expand(-1, self.rows, -1)
        if other is None:
            return rows
        return torch.cat([rows[:, :splice_at], other[:, None].expand(-1, self.rows - splice_at, -1)], 1)

    def forward(self, codes: Tensor, conditions: Conditions | None = None) -> Synthesis:
        """(N, L, D) codes, optionally with conditions on f -> picture, codes, f."""
        f = None
        for level in self.trace(codes, conditions or Conditions()):
            f = f if level.f is None else level.f
        return Synthesis(level.rgb, codes, f)

    def enter(self, f: Tensor, codes: Tensor, rgb: Tensor) -> Tensor:
        """The picture from a finished feature f and the picture below it (`skip`): nothing else matters.

        Where gradients are wanted, each level is computed again on the way back: at 1024 px keeping all of them takes 2 GB more.
        """
        x, rgb = self._finish(self.entry_level, f, codes, rgb)
        for level in range(self.entry_level + 1, self.levels):
            if torch.is_grad_enabled():
                x, rgb = checkpoint(self._raise, level, x, codes, rgb, use_reentrant=False)
            else:
                x, rgb = self._raise(level, x, codes, rgb)
        return rgb

    def _raise(self, level: int, x: Tensor, codes: Tensor, rgb: Tensor) -> tuple[Tensor, Tensor]:
        return self._finish(level, self._double(level, x, codes), codes, rgb)

    def skip(self, codes: Tensor) -> Tensor:
        """The (N, 3, 32, 32) picture of the levels below f."""
        for level in self.trace(codes, Conditions()):
            if level.size * 2 == self.entry:
                return level.rgb
        raise ValueError(f"no level below {self.entry} px")

    def trace(self, codes: Tensor, conditions: Conditions) -> Iterator[Level]:
        """Level by level, from 4 px up.

        The picture of the levels below f is never warped, replaced or refined: it depends on the codes alone.
        """
        x = self.conv1(self.input(len(codes)), codes[:, 0])
        rgb = self.to_rgb1(x, codes[:, 1])
        yield Level(4, x, rgb)
        for level in range(1, self.levels):
            x, f = self._double(level, x, codes), None
            if level == self.entry_level:
                f = conditions.before(x)
                x = conditions.after(f)
            x, rgb = self._finish(level, x, codes, rgb)
            yield Level(2 ** (level + 2), x, rgb, f)

    def _double(self, level: int, x: Tensor, codes: Tensor) -> Tensor:
        """The up-sampling convolution of a level."""
        return self.convs[2 * level - 2](x, codes[:, 2 * level - 1])

    def _finish(self, level: int, x: Tensor, codes: Tensor, rgb: Tensor) -> tuple[Tensor, Tensor]:
        """The second convolution of a level and the picture up to it."""
        x = self.convs[2 * level - 1](x, codes[:, 2 * level])
        return x, self.to_rgbs[level - 1](x, codes[:, 2 * level + 1], rgb)


def truncate(codes: Tensor, center: Tensor, share: float) -> Tensor:
    """Codes drawn towards a centre; a share of 1 leaves them."""
    return center + share * (codes - center)
