"""The generator from f on, made for one code: ordinary convolutions, nothing computed twice.

The code is constant over a clip, so its modulation and demodulation go into the weights once (StyleGAN2, equations 1 and
3), and so do the gains: a leaky ReLU passes a positive factor through. The picture below f depends on the code alone
and is kept. A transposed 3x3 convolution of stride 2 is four small convolutions, one for each parity of row and column:
nine taps a pixel in all, as before, but on the fast path of every back end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from .layers import ROOT_TWO, STYLEGAN_SLOPE, Blur, double
from .stylegan2 import Generator, StyledConv, ToRGB


@dataclass(frozen=True)
class Convolution:
    """Weight and bias, gains inside; what follows is a plain leaky ReLU."""

    weight: Tensor
    bias: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        return F.leaky_relu_(F.conv2d(x, self.weight, self.bias, padding=1), STYLEGAN_SLOPE)


PARITIES = ((0, 0), (0, 1), (1, 0), (1, 1))
"""Even or odd row, even or odd column of a doubled picture; even ones see two samples, odd ones one."""


@dataclass(frozen=True)
class Doubling:
    """Transposed convolution of stride 2 and the blur after it, first down the columns, then along the rows.

    weights: one for each of `PARITIES`. columns, rows: (C, 1, 4, 1) and (C, 1, 1, 4) taps of the blur. bias: (C,).
    """

    weights: Sequence[Tensor]
    columns: Tensor
    rows: Tensor
    bias: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        n, _, height, width = x.shape
        channels, last = len(self.bias), x.is_contiguous(memory_format=torch.channels_last)
        spread = torch.empty(
            (n, channels, 2 * height + 1, 2 * width + 1),
            dtype=x.dtype,
            device=x.device,
            memory_format=torch.channels_last if last else torch.contiguous_format,
        )
        for (row, column), weight in zip(PARITIES, self.weights, strict=True):
            spread[:, :, row::2, column::2] = F.conv2d(x, weight, padding=(1 - row, 1 - column))
        spread = F.conv2d(spread, self.columns, padding=(1, 0), groups=channels)
        spread = F.conv2d(spread, self.rows, self.bias, padding=(0, 1), groups=channels)
        return F.leaky_relu_(spread, STYLEGAN_SLOPE)


@dataclass(frozen=True)
class Colour:
    """1x1 convolution to RGB."""

    weight: Tensor
    bias: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.weight, self.bias).float()


@dataclass(frozen=True)
class FoldedLevel:
    """One resolution; the first has nothing to double."""

    doubling: Doubling | None
    convolution: Convolution
    colour: Colour


@dataclass(frozen=True)
class FoldedGenerator:
    """Finished features f to pictures, for one code.

    below: (1, 3, 64, 64), the doubled picture of the levels below f. kernel: of the doubling of pictures.
    """

    levels: Sequence[FoldedLevel]
    below: Tensor
    kernel: Tensor

    def __call__(self, f: Tensor) -> Tensor:
        """(N, C, 64, 64) in the folded type -> (N, 3, S, S) float32, not clamped."""
        x, rgb = f, self.below
        for level in self.levels:
            if level.doubling is not None:
                x, rgb = level.doubling(x), double(rgb, self.kernel)
            x = level.convolution(x)
            rgb = rgb + level.colour(x)
        return rgb


def fold(
    generator: Generator, codes: Tensor, dtype: torch.dtype = torch.float32, channels_last: bool = True
) -> FoldedGenerator:
    """The generator made for one (1, L, D) code."""

    def laid_out(weight: Tensor) -> Tensor:
        layout = torch.channels_last if channels_last else torch.contiguous_format
        return weight.to(dtype).contiguous(memory_format=layout)

    levels, w = [], codes[0]
    for level in range(generator.entry_level, generator.levels):
        up, conv, rgb = generator.convs[2 * level - 2], generator.convs[2 * level - 1], generator.to_rgbs[level - 1]
        doubling = _doubling(up, w[2 * level - 1]) if levels else None
        levels.append(FoldedLevel(doubling, _convolution(conv, w[2 * level]), _colour(rgb, w[2 * level + 1])))
    kernel = generator.to_rgbs[0].upsample.kernel
    folded = FoldedGenerator(levels, double(generator.skip(codes), kernel), kernel)
    return _converted(folded, laid_out, dtype)


def _convolution(layer: StyledConv, w: Tensor) -> Convolution:
    return Convolution(layer.conv.folded(w[None])[0] * ROOT_TWO, layer.activate.bias * ROOT_TWO)


def _doubling(layer: StyledConv, w: Tensor) -> Doubling:
    """T[m] = sum of x[i] W[m - 2i]: even m see W[2] and W[0] of two neighbours, odd m W[1] of one sample."""
    weight = layer.conv.folded(w[None])[0] * ROOT_TWO
    taps = ([2, 0], [1])
    weights = [weight[:, :, taps[row]][:, :, :, taps[column]] for row, column in PARITIES]
    return Doubling(weights, *_separated(layer.conv.blur, len(weight)), layer.activate.bias * ROOT_TWO)


def _separated(blur: Blur, channels: int) -> tuple[Tensor, Tensor]:
    """The blur as taps down the columns and along the rows."""
    kernel = blur.kernel.flip(0, 1)
    columns, rows = kernel.sum(1), kernel.sum(0) / kernel.sum()
    if not torch.allclose(torch.outer(columns, rows), kernel, atol=1e-6):
        raise ValueError("the blur kernel is no product of a column and a row")
    return columns[:, None].expand(channels, 1, -1, -1), rows[None, :].expand(channels, 1, -1, -1)


def _colour(layer: ToRGB, w: Tensor) -> Colour:
    return Colour(layer.conv.folded(w[None])[0], layer.bias.flatten())


def _converted(folded: FoldedGenerator, laid_out, dtype: torch.dtype) -> FoldedGenerator:
    """Weights in their final type and layout; the picture stays in float32."""
    levels = []
    for level in folded.levels:
        doubling = level.doubling and Doubling(
            [laid_out(weight) for weight in level.doubling.weights],
            laid_out(level.doubling.columns),
            laid_out(level.doubling.rows),
            level.doubling.bias.to(dtype),
        )
        convolution = Convolution(laid_out(level.convolution.weight), level.convolution.bias.to(dtype))
        colour = Colour(laid_out(level.colour.weight), level.colour.bias.to(dtype))
        levels.append(FoldedLevel(doubling, convolution, colour))
    return FoldedGenerator(levels, folded.below.float(), folded.kernel.float())
