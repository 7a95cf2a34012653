"""VGG19's features, the measure of the optimising inversion.

Source: Simonyan and Zisserman 2015; layout of the keys as in torchvision.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

LAYOUT = (64, 64, 0, 128, 128, 0, 256, 256, 256, 256, 0, 512, 512, 512, 512, 0, 512)
"""Widths of the convolutions up to relu 5_1; 0 is a pooling."""
TAPS = {"relu_1_1": 1, "relu_2_1": 6, "relu_3_1": 11, "relu_4_1": 20, "relu_5_1": 29}
MEAN = (0.485, 0.456, 0.406)
DEVIATION = (0.229, 0.224, 0.225)


class VGGFeatures(nn.Module):
    """Args: layout of the convolutions; taps: name and place of the features to give."""

    def __init__(self, layout: tuple[int, ...] = LAYOUT, taps: dict[str, int] | None = None):
        super().__init__()
        layers: list[nn.Module] = []
        inputs = 3
        for width in layout:
            if width:
                layers += [nn.Conv2d(inputs, width, 3, padding=1), nn.ReLU()]
                inputs = width
            else:
                layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        self.taps = {place: name for name, place in (taps or TAPS).items()}

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """(N, 3, H, W), `standardised` where they are pictures -> features by name."""
        x, found = images, {}
        for place, layer in enumerate(self.features):
            x = layer(x)
            if place in self.taps:
                found[self.taps[place]] = x
        return found


def standardised(images: Tensor) -> Tensor:
    """(N, 3, H, W) in [-1, 1] -> with ImageNet's mean and deviation taken out."""
    mean, deviation = (images.new_tensor(row)[:, None, None] for row in (MEAN, DEVIATION))
    return ((images + 1) / 2 - mean) / deviation


def gram(feature: Tensor) -> Tensor:
    """(N, C, H, W) -> (N, C, C): products of channels, divided by C * H * W."""
    flat = feature.flatten(2)
    return torch.bmm(flat, flat.transpose(1, 2)) / flat[0].numel()
