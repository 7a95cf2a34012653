"""The motion generators: a picture and a window of motion (or sound) to a flow of the 64x64 feature.

Sources: StyleHEAT (Yin et al. 2022), sections 4.1 and 4.3; PIRenderer (Ren et al. 2021) for the network's shape.
Convention of the flow: channel 0 to the right, channel 1 down, in pixels of its own grid.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .layers import AdaIN

SLOPE = 0.1


def deformation(flow: Tensor) -> Tensor:
    """Where each pixel looks, as sampling coordinates.

    Convention: the grid spans [-1, 1] with both ends *included*. `warp` reads it with ends *excluded*, so a flow
    of zeros enlarges slightly. The published weights were trained with this mismatch, so it stays.

    Args:
        flow: (N, 2, h, w) displacement in pixels, x first.

    Returns:
        (N, h, w, 2), x first.
    """
    height, width = flow.shape[-2:]
    # The order of operations is the official one: steep images turn its last bits into visible differences.
    x, y = (2 * (torch.arange(n, device=flow.device).to(flow.dtype) / (n - 1)) - 1 for n in (width, height))
    base = torch.stack(torch.meshgrid(x, y, indexing="xy"))  # [2 h w]
    step = 2 * (flow / flow.new_tensor([width - 1, height - 1])[:, None, None])
    return (base + step).permute(0, 2, 3, 1)


def warp(image: Tensor, deformation: Tensor) -> Tensor:
    """Sample an image where the deformation looks: bilinear, zeros outside, ends excluded (align_corners=False).

    Args:
        image: (N, C, H, W).
        deformation: (N, h, w, 2); resized bilinearly to the image's size when it differs.
    """
    size = image.shape[-2:]
    if deformation.shape[1:3] != size:
        grid = F.interpolate(deformation.permute(0, 3, 1, 2), size=size, mode="bilinear", align_corners=False)
        deformation = grid.permute(0, 2, 3, 1)
    image = image.expand(len(deformation), -1, -1, -1) if len(image) == 1 else image
    return F.grid_sample(image, deformation, mode="bilinear", padding_mode="zeros", align_corners=False)


class Descriptor(nn.Module):
    """A window of rows to one vector."""

    LAYERS = 3
    DILATION = 3

    def __init__(self, rows: int, width: int = 256):
        super().__init__()
        self.first = nn.Sequential(nn.Conv1d(rows, width, 7))
        for layer in range(self.LAYERS):
            dilated = nn.Conv1d(width, width, 3, dilation=self.DILATION)
            self.add_module(f"encoder{layer}", nn.Sequential(nn.LeakyReLU(SLOPE), dilated))

    def forward(self, window: Tensor) -> Tensor:
        """(N, rows, T) -> (N, width, 1): the mean over the columns that the convolutions leave."""
        x = self.first(window)
        for layer in range(self.LAYERS):
            x = self.get_submodule(f"encoder{layer}")(x) + x[..., self.DILATION : -self.DILATION]
        return x.mean(2, keepdim=True)


class EncoderBlock(nn.Module):
    """To half the size."""

    def __init__(self, inputs: int, outputs: int, descriptor: int):
        super().__init__()
        self.conv_0 = nn.Conv2d(inputs, outputs, 4, stride=2, padding=1)
        self.conv_1 = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.norm_0 = AdaIN(inputs, descriptor)
        self.norm_1 = AdaIN(outputs, descriptor)

    def forward(self, normalised: Tensor, z: Tensor) -> Tensor:
        """The input is instance-normalised already, so that it may be shared by many descriptors."""
        x = self.conv_0(F.leaky_relu(self.norm_0.shade(normalised, z), SLOPE))
        return self.conv_1(F.leaky_relu(self.norm_1(x, z), SLOPE))


class DecoderBlock(nn.Module):
    """To twice the size."""

    def __init__(self, inputs: int, outputs: int, descriptor: int):
        super().__init__()
        self.conv_0 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.conv_1 = nn.ConvTranspose2d(outputs, outputs, 3, stride=2, padding=1, output_padding=1)
        self.conv_s = nn.ConvTranspose2d(inputs, outputs, 3, stride=2, padding=1, output_padding=1)
        self.norm_0 = AdaIN(inputs, descriptor)
        self.norm_1 = AdaIN(outputs, descriptor)
        self.norm_s = AdaIN(inputs, descriptor)

    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        normalised = instance_norm(x)
        shortcut = self.conv_s(F.leaky_relu(self.norm_s.shade(normalised, z), SLOPE))
        x = self.conv_0(F.leaky_relu(self.norm_0.shade(normalised, z), SLOPE))
        return shortcut + self.conv_1(F.leaky_relu(self.norm_1(x, z), SLOPE))


def instance_norm(x: Tensor) -> Tensor:
    """Each channel of each sample to mean 0 and (biased) variance 1."""
    return F.instance_norm(x, eps=1e-5)


class Encoder(nn.Module):
    """Picture to a pyramid of features."""

    def __init__(self, widths: Sequence[int], descriptor: int):
        super().__init__()
        self.input_layer = nn.Conv2d(3, widths[0], 7, padding=3)
        self.blocks = len(widths) - 1
        for i in range(self.blocks):
            self.add_module(f"encoder{i}", EncoderBlock(widths[i], widths[i + 1], descriptor))

    def prepare(self, image: Tensor) -> Tensor:
        """What depends on the picture alone: its first features, instance-normalised."""
        return instance_norm(self.input_layer(image))

    def forward(self, prepared: Tensor, z: Tensor) -> list[Tensor]:
        """Features from the largest to the smallest."""
        pyramid, x = [], prepared
        for i in range(self.blocks):
            x = self.get_submodule(f"encoder{i}")(instance_norm(x) if i else x, z)
            pyramid.append(x)
        return pyramid


class Decoder(nn.Module):
    """Pyramid of features back to the size of the flow; joins the encoder's feature of each size."""

    def __init__(self, encoder: Sequence[int], widths: Sequence[int], descriptor: int):
        super().__init__()
        inputs, self.names = encoder[-1], []
        for step, width in enumerate(widths):
            level = len(encoder) - 2 - step
            self.names.append(f"decoder{level}")
            self.add_module(self.names[-1], DecoderBlock(inputs, width, descriptor))
            inputs = width + encoder[level]
        self.outputs = inputs

    def forward(self, pyramid: Sequence[Tensor], z: Tensor) -> Tensor:
        *larger, x = pyramid
        for name, skip in zip(self.names, reversed(larger), strict=False):
            x = torch.cat([self.get_submodule(name)(x, z), skip], 1)
        return x


class Hourglass(nn.Module):
    """Encoder and decoder."""

    def __init__(self, widths: Sequence[int], decoder: Sequence[int], descriptor: int):
        super().__init__()
        self.encoder = Encoder(widths, descriptor)
        self.decoder = Decoder(widths, decoder, descriptor)


class FieldNorm(nn.Module):
    """Layer normalisation over channels and space together, with a weight and a bias per channel."""

    def __init__(self, channels: int):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels, 1, 1))
        self.bias = nn.Parameter(torch.zeros(channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return F.layer_norm(x, x.shape[1:], self.weight.expand(x.shape[1:]), self.bias.expand(x.shape[1:]), 1e-5)


class WarpingNet(nn.Module):
    """Picture and descriptor to flow."""

    def __init__(self, widths: Sequence[int], decoder: Sequence[int], descriptor: int):
        super().__init__()
        self.hourglass = Hourglass(widths, decoder, descriptor)
        channels = self.hourglass.decoder.outputs
        self.flow_out = nn.Sequential(FieldNorm(channels), nn.LeakyReLU(SLOPE), nn.Conv2d(channels, 2, 7, padding=3))

    def forward(self, prepared: Tensor, z: Tensor) -> Tensor:
        return self.flow_out(self.hourglass.decoder(self.hourglass.encoder(prepared, z), z))


@dataclass(frozen=True)
class Motion:
    """(N, 2, 64, 64) flow in pixels and the (N, 256, 1) descriptor it came from."""

    flow: Tensor
    descriptor: Tensor

    @property
    def deformation(self) -> Tensor:
        """(N, 64, 64, 2) sampling coordinates."""
        return deformation(self.flow)


WIDTHS = (32, 64, 128, 256, 256, 256)
DECODER = (256, 256, 128)


class VideoWarper(nn.Module):
    """Motion from a window of 27 frames of 73 coefficients.

    Args:
        rows: numbers a frame.
        widths: channels of the encoder, one more than its blocks.
        decoder: channels of the decoder; each block doubles the size.
        descriptor: length of the window's descriptor.
    """

    def __init__(
        self,
        rows: int = 73,
        widths: Sequence[int] = WIDTHS,
        decoder: Sequence[int] = DECODER,
        descriptor: int = 256,
    ):
        super().__init__()
        self.mapping_net = Descriptor(rows, descriptor)
        self.warping_net = WarpingNet(widths, decoder, descriptor)

    def prepare(self, image: Tensor) -> Tensor:
        """What depends on the source picture alone: once per clip."""
        return self.warping_net.hourglass.encoder.prepare(image)

    def forward(self, prepared: Tensor, window: Tensor) -> Motion:
        """The prepared (N or 1, ...) source and (N, 73, 27) windows -> motion."""
        return _motion(self.mapping_net, self.warping_net, prepared, window)


class AudioWarper(nn.Module):
    """Motion from a window of 32 columns of 80 mel bands; arguments as of `VideoWarper`."""

    def __init__(
        self,
        rows: int = 80,
        widths: Sequence[int] = WIDTHS,
        decoder: Sequence[int] = DECODER,
        descriptor: int = 256,
    ):
        super().__init__()
        self.audio_encoder = Descriptor(rows, descriptor)
        self.warpping_net = WarpingNet(widths, decoder, descriptor)  # spelt so in the published keys

    def prepare(self, image: Tensor) -> Tensor:
        """What depends on the picture alone."""
        return self.warpping_net.hourglass.encoder.prepare(image)

    def forward(self, prepared: Tensor, window: Tensor) -> Motion:
        """The prepared (N or 1, ...) picture and (N, 80, 32) windows -> motion."""
        return _motion(self.audio_encoder, self.warpping_net, prepared, window)


def _motion(mapping: Descriptor, warping: WarpingNet, prepared: Tensor, window: Tensor) -> Motion:
    descriptor = mapping(window)
    return Motion(warping(prepared, descriptor.flatten(1)), descriptor)
