"""Encoder and generator: to give a picture back, and to commute with warping.

Source: the inversion of StyleHEAT (Yin et al. 2022, section 3.1) asks that warping f warps the picture (their figure 2);
here that is a loss: G(warp(E(x))) against warp(x) under smooth random flows.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ..engine.heal import SIDE
from ..networks.codec import STRIDE, Encoder, Generator
from . import samples
from .loop import Losses, half
from .material import Tracked

PATCH = 128  # pixels of a training patch
FLOW_PX = 14.0  # standard deviation of the strongest random flow, pixels at 512
EDGE = 16  # pixels at the patch's rim where the warp looks outside


def pictures(items: Iterable[Tracked], per_clip: int, smallest_px: int) -> np.ndarray:
    """(N, 512, 512, 3) uint8: crops of all portraits and of frames spread over each clip, none much enlarged."""
    made = []
    for found in items:
        if found.side < smallest_px:
            continue
        rows = np.flatnonzero(found.seen)
        wanted = rows[np.linspace(0, len(rows) - 1, min(per_clip, len(rows))).round().astype(int)]
        made += found.pictures({int(r) for r in wanted}, SIDE).values()
    return np.stack(made)


class CodecJob:
    """One step of the training: a batch of patches, their reconstruction and their warp."""

    def __init__(self, encoder: Encoder, generator: Generator, images: np.ndarray, batch: int, seed: int):
        self.encoder, self.generator, self.images, self.batch, self.seed = encoder, generator, images, batch, seed

    def __call__(self, step: int, share: float) -> Losses:
        generator = np.random.default_rng([self.seed, step])
        x = self._patches(generator)
        grid, coarse = random_grids(len(x), PATCH, generator, x.device)
        warped = F.grid_sample(x, grid, padding_mode="border", align_corners=False)
        with half(x.device):
            y, moved = self._made(x, coarse)
        inner = slice(EDGE, PATCH - EDGE)
        losses = {
            "reconstruction": (y - x).abs().mean(),
            "commutes": (moved - warped)[..., inner, inner].abs().mean(),
            "edges": edges(y, x),
        }
        return {**losses, "total": sum(losses.values())}

    @torch.no_grad()
    def samples(self) -> np.ndarray:
        """The sheet of some patches, given back and moved."""
        generator = np.random.default_rng(self.seed)
        x = self._patches(generator)[: samples.COUNT]
        grid, coarse = random_grids(len(x), PATCH, generator, x.device)
        warped = F.grid_sample(x, grid, padding_mode="border", align_corners=False)
        y, moved = self._made(x, coarse)
        return samples.pictures(picture=x, given_back=y, moved=warped, made_of_the_moved_f=moved)

    def _made(self, x: Tensor, coarse: Tensor) -> tuple[Tensor, Tensor]:
        """What encoder and generator give back of pictures, (N, 3, H, W) each: of f as it is, and of f moved by a coarse grid."""
        f, w = self.encoder(x)
        turned = F.grid_sample(f.float(), coarse, padding_mode="border", align_corners=False)
        return self.generator(torch.cat([f, turned.to(f)]), torch.cat([w, w])).float().chunk(2)

    def _patches(self, generator: np.random.Generator) -> Tensor:
        """(B, 3, 128, 128) in [-1, 1], most of them from the face, colours and light varied."""
        chosen = generator.integers(len(self.images), size=self.batch)
        corners = np.clip(generator.normal(SIDE / 2 - PATCH / 2, 90, (self.batch, 2)), 0, SIDE - PATCH).astype(int)
        cut = [self.images[i, y : y + PATCH, x : x + PATCH] for i, (x, y) in zip(chosen, corners, strict=True)]
        x = torch.from_numpy(np.stack(cut)).permute(0, 3, 1, 2).float() / 127.5 - 1
        x = x.flip(3) if generator.random() < 0.5 else x
        x = relit(x, generator).to(next(self.encoder.parameters()).device)
        return x.contiguous(memory_format=torch.channels_last)


def relit(x: Tensor, generator: np.random.Generator) -> Tensor:
    """The picture (N, 3, H, W) under another light: gain and offset by channel, values kept in range."""
    gain = torch.from_numpy(generator.uniform(0.82, 1.18, (len(x), 3, 1, 1)).astype(np.float32))
    offset = torch.from_numpy(generator.uniform(-0.12, 0.12, (len(x), 3, 1, 1)).astype(np.float32))
    return (x * gain + offset).clamp(-1, 1)


def random_grids(count: int, side: int, generator: np.random.Generator, device: torch.device) -> tuple[Tensor, Tensor]:
    """A smooth random flow as sampling grids (N, H, W, 2), for the picture and for f."""
    size = generator.uniform(0, FLOW_PX, (count, 1, 1, 1))
    flow = torch.from_numpy((generator.normal(size=(count, 2, 4, 4)) * size).astype(np.float32)).to(device)
    flow = F.interpolate(flow, size=(side, side), mode="bicubic", align_corners=True).permute(0, 2, 3, 1)
    still = F.affine_grid(torch.eye(2, 3, device=device)[None], (1, 1, side, side), align_corners=False)
    grid = still + flow / (side / 2)
    coarse = F.avg_pool2d(grid.permute(0, 3, 1, 2), STRIDE).permute(0, 2, 3, 1)
    return grid, coarse


def edges(made: Tensor, real: Tensor, weight: Tensor | None = None, scales: int = 1) -> Tensor:
    """Mean absolute difference of horizontal and vertical gradients, summed over halved scales."""
    total = made.new_zeros(())
    weight = torch.ones_like(made[:, :1]) if weight is None else weight
    for scale in range(scales):
        if scale:
            made, real, weight = (F.avg_pool2d(x, 2) for x in (made, real, weight))
        away = made - real
        total = total + ((away[..., 1:] - away[..., :-1]).abs() * weight[..., 1:]).mean() / weight.mean()
        total = total + ((away[..., 1:, :] - away[..., :-1, :]).abs() * weight[..., 1:, :]).mean() / weight.mean()
    return total
