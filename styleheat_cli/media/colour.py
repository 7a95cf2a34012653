"""FFmpeg pictures to upright 8-bit RGB and back, as their colour tags say."""

from __future__ import annotations

from dataclasses import replace

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter
from PIL import Image

from ..shot import Colour

UNSPECIFIED = 2
BT709, BT470BG, SMPTE170M, SMPTE240M, FCC = 1, 5, 6, 7, 4
BT2020 = (9, 10)
PQ, HLG = 16, 18
RGB_MATRIX = 0
LIMITED, FULL = 1, 2
HD_HEIGHT = 720

# the matrix numbers of streams -> the names that the scaler has for them
MATRICES = {
    BT709: Colorspace.ITU709, FCC: Colorspace.FCC, BT470BG: Colorspace.ITU601, SMPTE170M: Colorspace.ITU601,
    SMPTE240M: Colorspace.SMPTE240M, 9: Colorspace.BT2020, 10: Colorspace.BT2020,
}  # fmt: skip


def colour_of(frame: av.VideoFrame) -> Colour:
    """The tags of a decoded picture; the range is taken from the pixel format where the tag is silent."""
    tagged = int(frame.color_range)
    full = frame.format.name.startswith("yuvj") or frame.format.is_rgb or frame.format.name.startswith("gray")
    return Colour(
        int(frame.colorspace), int(frame.color_primaries), int(frame.color_trc), tagged or (FULL if full else LIMITED)
    )


def resolved(colour: Colour, height: int) -> Colour:
    """The same tags with the blanks filled the way that players do: BT.709 from 720 lines up, else BT.601."""
    guess = BT709 if height >= HD_HEIGHT else SMPTE170M
    space = colour.space if colour.space in MATRICES else guess
    return replace(colour, space=space, range=colour.range or LIMITED)


class ToRGB:
    """Turns decoded pictures of one clip into (height, width, 3) uint8 RGB of one size."""

    def __init__(self, height: int, width: int):
        self.height, self.width = height, width
        self._scaler = VideoReformatter()

    def __call__(self, frame: av.VideoFrame) -> np.ndarray:
        colour = resolved(colour_of(frame), frame.height)
        same_size = (frame.height, frame.width) == (self.height, self.width)
        rgb = self._scaler.reformat(
            frame, self.width, self.height, "rgb24",
            src_colorspace=MATRICES[colour.space], src_color_range=ColorRange(colour.range),
            dst_color_range=ColorRange.JPEG,
            interpolation=Interpolation.BILINEAR if same_size else Interpolation.BICUBIC, threads=1,
        )  # fmt: skip
        return rgb.to_ndarray()


class FromRGB:
    """Turns (H, W, 3) uint8 RGB into pictures for an encoder, with the colour tags that were resolved."""

    def __init__(self, pixel_format: str, colour: Colour):
        self.pixel_format, self.colour = pixel_format, colour
        self._scaler = VideoReformatter()

    def __call__(self, image: np.ndarray) -> av.VideoFrame:
        if self.pixel_format == "pal8":
            return _with_palette(image)
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), "rgb24")
        if not self.pixel_format.startswith("yuv"):
            return self._scaler.reformat(frame, format=self.pixel_format, threads=1)
        return self._scaler.reformat(
            frame, format=self.pixel_format, dst_colorspace=MATRICES[self.colour.space],
            src_color_range=ColorRange.JPEG, dst_color_range=ColorRange(self.colour.range), threads=1,
        )  # fmt: skip


def _with_palette(image: np.ndarray) -> av.VideoFrame:
    """A picture in its own best 256 colours."""
    indexed = Image.fromarray(image).quantize(256, Image.Quantize.FASTOCTREE)
    rgba = np.asarray(indexed.getpalette("RGBA"), np.uint8).reshape(-1, 4)
    palette = np.zeros((256, 4), np.uint8)
    palette[: len(rgba)] = rgba[:, [3, 0, 1, 2]]
    return av.VideoFrame.from_ndarray((np.asarray(indexed), palette), "pal8")
