"""Many pictures on one: contact sheets and pictures side by side."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFont

GAP = 6  # px between pictures
PAPER = (24, 24, 26)
INK = (225, 225, 225)
LABEL_HEIGHT = 22  # px


def contact_sheet(rows: list[list[np.ndarray]], labels: list[str] = (), *, height: int = 256) -> np.ndarray:
    """(H, W, 3) uint8: a line of pictures for each row, all `height` px high, with its label above."""
    strips = [_labelled(side_by_side(row, height), labels[i] if i < len(labels) else "") for i, row in enumerate(rows)]
    width = max(strip.shape[1] for strip in strips)
    return np.concatenate([_widened(strip, width) for strip in strips])


def tiled(images: list[np.ndarray], labels: tuple[str, ...], across: int) -> np.ndarray:
    """(H, W, 3) uint8: pictures of one size, each under its label, `across` in a line."""
    tiles = [_labelled(image, label) for image, label in zip(images, labels, strict=True)]
    return contact_sheet([tiles[start : start + across] for start in range(0, len(tiles), across)], height=len(tiles[0]))


def side_by_side(images: list[np.ndarray], height: int) -> np.ndarray:
    """(height, W, 3) uint8: pictures of any size in one line, each scaled to `height`."""
    scaled = [_scaled(image, height) for image in images]
    gap = np.full((height, GAP, 3), PAPER, np.uint8)
    return np.concatenate([part for image in scaled for part in (gap, image)][1:], axis=1)


def _scaled(image: np.ndarray, height: int) -> np.ndarray:
    if image.shape[0] == height:
        return image
    width = max(1, round(image.shape[1] * height / image.shape[0]))
    return np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.LANCZOS))


def _labelled(strip: np.ndarray, label: str) -> np.ndarray:
    paper = Image.new("RGB", (strip.shape[1], LABEL_HEIGHT if label else GAP), PAPER)
    if label:
        ImageDraw.Draw(paper).text((GAP, 3), label, INK, font=ImageFont.load_default(size=14))
    return np.concatenate([np.asarray(paper), strip])


def _widened(strip: np.ndarray, width: int) -> np.ndarray:
    paper = np.full((strip.shape[0], width, 3), PAPER, np.uint8)
    paper[:, : strip.shape[1]] = strip
    return paper
