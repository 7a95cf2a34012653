"""Networks that metrics ask, laid out so that the published state dicts fit key by key.

Sources: Inception v3 as FID's first implementation had it (Szegedy et al. 2015; Heusel et al. 2017), LPIPS v0.1 (Zhang et
al. 2018) on AlexNet and VGG16, SyncNet v2 (Chung and Zisserman 2016).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Convolution(nn.Module):
    """Convolution without bias, batch normalisation, ReLU."""

    def __init__(self, inputs: int, outputs: int, size, stride: int = 1, padding=0):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, size, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(outputs, eps=0.001)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bn(self.conv(x)))


def _mean3(x: Tensor) -> Tensor:
    """3×3 mean that leaves the zeros beyond the border out of the count, as TensorFlow does."""
    return F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)


class BlockA(nn.Module):
    """35×35 pixels: 1×1, 5×5, twice 3×3, mean."""

    def __init__(self, inputs: int, pooled: int):
        super().__init__()
        self.branch1x1 = Convolution(inputs, 64, 1)
        self.branch5x5_1, self.branch5x5_2 = Convolution(inputs, 48, 1), Convolution(48, 64, 5, padding=2)
        self.branch3x3dbl_1, self.branch3x3dbl_2 = Convolution(inputs, 64, 1), Convolution(64, 96, 3, padding=1)
        self.branch3x3dbl_3 = Convolution(96, 96, 3, padding=1)
        self.branch_pool = Convolution(inputs, pooled, 1)

    def forward(self, x: Tensor) -> Tensor:
        double = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return torch.cat(
            [self.branch1x1(x), self.branch5x5_2(self.branch5x5_1(x)), double, self.branch_pool(_mean3(x))], 1
        )


class BlockB(nn.Module):
    """From 35×35 to 17×17 pixels."""

    def __init__(self, inputs: int):
        super().__init__()
        self.branch3x3 = Convolution(inputs, 384, 3, 2)
        self.branch3x3dbl_1, self.branch3x3dbl_2 = Convolution(inputs, 64, 1), Convolution(64, 96, 3, padding=1)
        self.branch3x3dbl_3 = Convolution(96, 96, 3, 2)

    def forward(self, x: Tensor) -> Tensor:
        double = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return torch.cat([self.branch3x3(x), double, F.max_pool2d(x, 3, 2)], 1)


class BlockC(nn.Module):
    """17×17 pixels: 7×7 kernels taken apart into rows and columns."""

    def __init__(self, inputs: int, width: int):
        super().__init__()
        row, column = {"size": (1, 7), "padding": (0, 3)}, {"size": (7, 1), "padding": (3, 0)}
        self.branch1x1 = Convolution(inputs, 192, 1)
        self.branch7x7_1, self.branch7x7_2 = Convolution(inputs, width, 1), Convolution(width, width, **row)
        self.branch7x7_3 = Convolution(width, 192, **column)
        self.branch7x7dbl_1, self.branch7x7dbl_2 = Convolution(inputs, width, 1), Convolution(width, width, **column)
        self.branch7x7dbl_3, self.branch7x7dbl_4 = Convolution(width, width, **row), Convolution(width, width, **column)
        self.branch7x7dbl_5 = Convolution(width, 192, **row)
        self.branch_pool = Convolution(inputs, 192, 1)

    def forward(self, x: Tensor) -> Tensor:
        single = self.branch7x7_3(self.branch7x7_2(self.branch7x7_1(x)))
        double = self.branch7x7dbl_3(self.branch7x7dbl_2(self.branch7x7dbl_1(x)))
        double = self.branch7x7dbl_5(self.branch7x7dbl_4(double))
        return torch.cat([self.branch1x1(x), single, double, self.branch_pool(_mean3(x))], 1)


class BlockD(nn.Module):
    """From 17×17 to 8×8 pixels."""

    def __init__(self, inputs: int):
        super().__init__()
        self.branch3x3_1, self.branch3x3_2 = Convolution(inputs, 192, 1), Convolution(192, 320, 3, 2)
        self.branch7x7x3_1 = Convolution(inputs, 192, 1)
        self.branch7x7x3_2 = Convolution(192, 192, (1, 7), padding=(0, 3))
        self.branch7x7x3_3 = Convolution(192, 192, (7, 1), padding=(3, 0))
        self.branch7x7x3_4 = Convolution(192, 192, 3, 2)

    def forward(self, x: Tensor) -> Tensor:
        second = self.branch7x7x3_4(self.branch7x7x3_3(self.branch7x7x3_2(self.branch7x7x3_1(x))))
        return torch.cat([self.branch3x3_2(self.branch3x3_1(x)), second, F.max_pool2d(x, 3, 2)], 1)


class BlockE(nn.Module):
    """8×8 pixels; `largest`: the pooled branch takes the largest instead of the mean, as the published weights want."""

    def __init__(self, inputs: int, largest: bool):
        super().__init__()
        row, column = {"size": (1, 3), "padding": (0, 1)}, {"size": (3, 1), "padding": (1, 0)}
        self.largest = largest
        self.branch1x1 = Convolution(inputs, 320, 1)
        self.branch3x3_1 = Convolution(inputs, 384, 1)
        self.branch3x3_2a, self.branch3x3_2b = Convolution(384, 384, **row), Convolution(384, 384, **column)
        self.branch3x3dbl_1, self.branch3x3dbl_2 = Convolution(inputs, 448, 1), Convolution(448, 384, 3, padding=1)
        self.branch3x3dbl_3a, self.branch3x3dbl_3b = Convolution(384, 384, **row), Convolution(384, 384, **column)
        self.branch_pool = Convolution(inputs, 192, 1)

    def forward(self, x: Tensor) -> Tensor:
        single, double = self.branch3x3_1(x), self.branch3x3dbl_2(self.branch3x3dbl_1(x))
        pooled = F.max_pool2d(x, 3, stride=1, padding=1) if self.largest else _mean3(x)
        parts = [self.branch1x1(x), self.branch3x3_2a(single), self.branch3x3_2b(single)]
        return torch.cat(
            [*parts, self.branch3x3dbl_3a(double), self.branch3x3dbl_3b(double), self.branch_pool(pooled)], 1
        )


class InceptionFeatures(nn.Module):
    """The 2,048 pooled features that FID compares."""

    def __init__(self) -> None:
        super().__init__()
        self.Conv2d_1a_3x3, self.Conv2d_2a_3x3 = Convolution(3, 32, 3, 2), Convolution(32, 32, 3)
        self.Conv2d_2b_3x3, self.Conv2d_3b_1x1 = Convolution(32, 64, 3, padding=1), Convolution(64, 80, 1)
        self.Conv2d_4a_3x3 = Convolution(80, 192, 3)
        self.Mixed_5b, self.Mixed_5c, self.Mixed_5d = BlockA(192, 32), BlockA(256, 64), BlockA(288, 64)
        self.Mixed_6a, self.Mixed_6b, self.Mixed_6c = BlockB(288), BlockC(768, 128), BlockC(768, 160)
        self.Mixed_6d, self.Mixed_6e = BlockC(768, 160), BlockC(768, 192)
        self.Mixed_7a, self.Mixed_7b, self.Mixed_7c = BlockD(768), BlockE(1280, False), BlockE(2048, True)

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) in [-1, 1], resized to 299 bilinearly -> (N, 2048)."""
        x = F.interpolate(images, (299, 299), mode="bilinear", align_corners=False)
        x = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x)))
        x = self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(F.max_pool2d(x, 3, 2)))
        x = self.Mixed_5d(self.Mixed_5c(self.Mixed_5b(F.max_pool2d(x, 3, 2))))
        x = self.Mixed_6e(self.Mixed_6d(self.Mixed_6c(self.Mixed_6b(self.Mixed_6a(x)))))
        return self.Mixed_7c(self.Mixed_7b(self.Mixed_7a(x))).mean((2, 3))


ALEX = ((64, 11, 4, 2), 0, (192, 5, 1, 2), 0, (384, 3, 1, 1), (256, 3, 1, 1), (256, 3, 1, 1))
VGG16 = tuple(
    (w, 3, 1, 1) if w else 0 for w in (64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512)
)
BACKBONES = {"alex": (ALEX, (1, 4, 7, 9, 11), 3), "vgg": (VGG16, (3, 8, 15, 22, 29), 2)}
"""Layout (width, size, stride, padding; 0 is a pooling), places of the ReLUs that are compared, size of the pooling."""
WIDTHS = {"alex": (64, 192, 384, 256, 256), "vgg": (64, 128, 256, 512, 512)}
SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
"""ImageNet's mean and deviation for pictures in [-1, 1]."""


class PerceptualFeatures(nn.Module):
    """The features that LPIPS compares, of unit length along the channels, layer by layer."""

    def __init__(self, backbone: str):
        super().__init__()
        layout, self.taps, pooling = BACKBONES[backbone]
        layers, inputs = [], 3
        for row in layout:
            if row:
                layers += [nn.Conv2d(inputs, row[0], *row[1:]), nn.ReLU()]
                inputs = row[0]
            else:
                layers.append(nn.MaxPool2d(pooling, 2))
        self.features = nn.Sequential(*layers)

    def forward(self, images: Tensor) -> list[Tensor]:
        """(N, 3, H, W) in [-1, 1] -> five of (N, C, h, w)."""
        shift, scale = (images.new_tensor(row)[:, None, None] for row in (SHIFT, SCALE))
        x, found = (images - shift) / scale, []
        for place, layer in enumerate(self.features):
            x = layer(x)
            if place in self.taps:
                found.append(x / (x.square().sum(1, keepdim=True).sqrt() + 1e-10))
        return found


class PerceptualHeads(nn.Module):
    """LPIPS: squared differences of features, weighted by channel, averaged over pixels, summed over layers."""

    def __init__(self, backbone: str):
        super().__init__()
        for place, width in enumerate(WIDTHS[backbone]):
            self.add_module(f"lin{place}", _Head(width))

    def forward(self, a: list[Tensor], b: list[Tensor]) -> Tensor:
        """Features of two pictures, layer by layer -> (N,)."""
        layers = zip(self.children(), a, b, strict=True)
        return torch.stack([weigh((x - y).square()).mean((1, 2, 3)) for weigh, x, y in layers]).sum(0)


class _Head(nn.Module):
    """One weight a channel."""

    def __init__(self, width: int):
        super().__init__()
        self.model = nn.Sequential(nn.Dropout(), nn.Conv2d(width, 1, 1, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x)


class SyncNet(nn.Module):
    """Two towers that put five frames of a mouth and 0.2 s of sound at one place where they belong together."""

    def __init__(self) -> None:
        super().__init__()
        self.netcnnaud = nn.Sequential(
            *_tower2d(1, 64, 3, 1), nn.MaxPool2d(1, 1),
            *_tower2d(64, 192, 3, 1), nn.MaxPool2d(3, (1, 2)),
            *_tower2d(192, 384, 3, 1), *_tower2d(384, 256, 3, 1), *_tower2d(256, 256, 3, 1), nn.MaxPool2d(3, 2),
            *_tower2d(256, 512, (5, 4), 0),
        )  # fmt: skip
        self.netcnnlip = nn.Sequential(
            *_tower3d(3, 96, (5, 7, 7), (1, 2, 2), 0), nn.MaxPool3d((1, 3, 3), (1, 2, 2)),
            *_tower3d(96, 256, (1, 5, 5), (1, 2, 2), (0, 1, 1)), nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1)),
            *_tower3d(256, 256, (1, 3, 3), 1, (0, 1, 1)), *_tower3d(256, 256, (1, 3, 3), 1, (0, 1, 1)),
            *_tower3d(256, 256, (1, 3, 3), 1, (0, 1, 1)), nn.MaxPool3d((1, 3, 3), (1, 2, 2)),
            *_tower3d(256, 512, (1, 6, 6), 1, 0),
        )  # fmt: skip
        self.netfcaud, self.netfclip = _head(), _head()

    def see(self, mouths: Tensor) -> Tensor:
        """(N, 3, 5, 224, 224) BGR in 0..255, five frames at 25 frames/s -> (N, 1024)."""
        return self.netfclip(self.netcnnlip(mouths).flatten(1))

    def hear(self, sounds: Tensor) -> Tensor:
        """(N, 1, 13, 20) MFCC at 100 rows/s -> (N, 1024)."""
        return self.netfcaud(self.netcnnaud(sounds).flatten(1))


def _tower2d(inputs: int, outputs: int, size, padding) -> tuple[nn.Module, ...]:
    return nn.Conv2d(inputs, outputs, size, padding=padding), nn.BatchNorm2d(outputs), nn.ReLU()


def _tower3d(inputs: int, outputs: int, size, stride, padding) -> tuple[nn.Module, ...]:
    return nn.Conv3d(inputs, outputs, size, stride, padding), nn.BatchNorm3d(outputs), nn.ReLU()


def _head() -> nn.Sequential:
    return nn.Sequential(nn.Linear(512, 512), nn.BatchNorm1d(512), nn.ReLU(), nn.Linear(512, 1024))
