"""Pictures of people, (H, W, 3) uint8, and pictures of networks, (N, 3, H, W) float in [-1, 1]."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch


def to_tensor(images: np.ndarray) -> torch.Tensor:
    """(N, H, W, 3) or (H, W, 3) uint8 -> (N, 3, H, W) float32 in [-1, 1]: 0 is -1, 255 is 1."""
    import torch

    batch = images[None] if images.ndim == 3 else images
    return torch.from_numpy(np.require(batch, requirements="CW")).permute(0, 3, 1, 2).float() / 127.5 - 1


def to_images(tensor: torch.Tensor) -> np.ndarray:
    """(N, 3, H, W) in [-1, 1], any float type -> (N, H, W, 3) uint8, rounded, clipped."""
    scaled = (tensor.detach().float() * 127.5 + 127.5).round().clamp(0, 255)
    return scaled.byte().permute(0, 2, 3, 1).contiguous().cpu().numpy()
