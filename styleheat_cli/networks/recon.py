"""Deep3D: a face to the 257 numbers of a morphable model, and to the 73 that StyleHEAT is driven by.

Source: Deng et al. 2019 (accurate 3D face reconstruction with weakly-supervised learning), section 3; the network is a
ResNet-50 (He et al. 2016) with its stride on the 3x3 convolution.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

HEADS = (80, 64, 80, 3, 27, 2, 1)
"""Identity, expression, texture, angles, lighting, translation x y, translation z."""


class Bottleneck(nn.Module):
    """1x1, 3x3, 1x1; four times as wide at the end."""

    def __init__(self, inputs: int, width: int, stride: int = 1):
        super().__init__()
        outputs = 4 * width
        self.conv1 = nn.Conv2d(inputs, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.downsample = None
        if stride > 1 or inputs != outputs:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x if self.downsample is None else self.downsample(x)
        x = F.relu(self.bn1(self.conv1(x)))
        x = F.relu(self.bn2(self.conv2(x)))
        return F.relu(self.bn3(self.conv3(x)) + shortcut)


class ResNet(nn.Module):
    """A picture to one pixel of features."""

    def __init__(self, blocks: Sequence[int] = (3, 4, 6, 3), width: int = 64):
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        inputs, self.stages = width, len(blocks)
        for i, count in enumerate(blocks):
            stage = []
            for j in range(count):
                stage.append(Bottleneck(inputs, width * 2**i, stride=2 if i and not j else 1))
                inputs = 4 * width * 2**i
            self.add_module(f"layer{i + 1}", nn.Sequential(*stage))
        self.outputs = inputs

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        for i in range(self.stages):
            x = self.get_submodule(f"layer{i + 1}")(x)
        return x.mean((2, 3), keepdim=True)


class ReconNet(nn.Module):
    """Args: blocks and width of the ResNet; heads: lengths of the parts of the coefficients."""

    def __init__(self, blocks: Sequence[int] = (3, 4, 6, 3), width: int = 64, heads: Sequence[int] = HEADS):
        super().__init__()
        self.backbone = ResNet(blocks, width)
        self.final_layers = nn.ModuleList(nn.Conv2d(self.backbone.outputs, length, 1) for length in heads)

    def forward(self, face: Tensor) -> Tensor:
        """(N, 3, 224, 224) RGB in [0, 1] -> (N, 257)."""
        x = self.backbone(face)
        return torch.cat([layer(x) for layer in self.final_layers], 1).flatten(1)


@dataclass(frozen=True)
class FaceCoefficients:
    """The 257 numbers by name; each (N, length)."""

    identity: Tensor
    expression: Tensor
    texture: Tensor
    angles: Tensor
    lighting: Tensor
    translation: Tensor


def split_coefficients(coefficients: Tensor) -> FaceCoefficients:
    """(N, 257) -> its parts."""
    return FaceCoefficients(*coefficients.split((80, 64, 80, 3, 27, 3), 1))


def motion_coefficients(coefficients: Tensor, crop: Tensor) -> Tensor:
    """(N, 257) and (N, 3) crop numbers (s, tx, ty) -> the (N, 73) numbers of a frame."""
    parts = split_coefficients(coefficients)
    return torch.cat([parts.expression, parts.angles, parts.translation, crop], 1)
