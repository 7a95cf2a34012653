"""FFmpeg's pictures to 8-bit RGB and back, as their colour tags say."""

from __future__ import annotations

from dataclasses import replace

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter
from PIL import Image

from ..shot import Colour
from .hdr import TRANSFERS, hdr_to_sdr

BT709, SMPTE170M = 1, 6
LIMITED, FULL = 1, 2
HD_HEIGHT = 720
SDR = Colour(space=BT709, primaries=BT709, transfer=BT709, range=LIMITED)

# the matrix numbers of streams -> the names that the scaler has for them
MATRICES = {
    1: Colorspace.ITU709, 4: Colorspace.FCC, 5: Colorspace.ITU601, 6: Colorspace.ITU601, 7: Colorspace.SMPTE240M,
    9: Colorspace.BT2020, 10: Colorspace.BT2020,
}  # fmt: skip

# Without these the scaler repeats chroma samples and rounds down: one level darker, 3 to 6 dB further off.
CAREFUL = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT


def colour_of(frame: av.VideoFrame) -> Colour:
    """The tags of a decoded picture; the range is taken from the pixel format where the tag is silent."""
    kind = frame.format
    full = kind.name.startswith(("yuvj", "gray", "pal")) or kind.is_rgb
    tagged = int(frame.color_range)
    return Colour(
        int(frame.colorspace), int(frame.color_primaries), int(frame.color_trc), tagged or (FULL if full else LIMITED)
    )


def is_hdr(colour: Colour) -> bool:
    """Whether the picture's numbers stand for more light than a plain screen gives (PQ or HLG)."""
    return colour.transfer in TRANSFERS


def resolved(colour: Colour, height: int) -> Colour:
    """The same tags with the blanks filled the way that players do: BT.709 from 720 lines up, else BT.601."""
    guess = BT709 if height >= HD_HEIGHT else SMPTE170M
    space = colour.space if colour.space in MATRICES else guess
    return replace(colour, space=space, range=colour.range or LIMITED)


def written(colour: Colour, height: int) -> Colour:
    """The tags for RGB pictures that were read with `colour`: the same, save that HDR has become BT.709."""
    return SDR if is_hdr(colour) else resolved(colour, height)


class ToRGB:
    """Turns decoded pictures of one clip into (height, width, 3) uint8 RGB of one size; alpha is dropped."""

    def __init__(self, height: int, width: int):
        self.height, self.width = height, width
        self._scaler = VideoReformatter()

    def __call__(self, frame: av.VideoFrame) -> np.ndarray:
        colour = resolved(colour_of(frame), frame.height)
        hdr = is_hdr(colour)
        rgb = self._scaler.reformat(
            frame, self.width, self.height, "rgb48le" if hdr else "rgb24",
            src_colorspace=MATRICES[colour.space], src_color_range=ColorRange(colour.range),
            dst_color_range=ColorRange.JPEG, interpolation=CAREFUL, threads=1,
        )  # fmt: skip
        return hdr_to_sdr(rgb.to_ndarray(), colour) if hdr else rgb.to_ndarray()


class FromRGB:
    """Turns (H, W, 3) uint8 RGB into pictures for an encoder; `colour` has no blanks."""

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
            src_color_range=ColorRange.JPEG, dst_color_range=ColorRange(self.colour.range), interpolation=CAREFUL,
            threads=1,
        )  # fmt: skip


def _with_palette(image: np.ndarray) -> av.VideoFrame:
    """A picture in its own best 256 colours."""
    indexed = Image.fromarray(image).quantize(256, Image.Quantize.FASTOCTREE)
    rgba = np.asarray(indexed.getpalette("RGBA"), np.uint8).reshape(-1, 4)
    palette = np.zeros((256, 4), np.uint8)
    palette[: len(rgba)] = rgba[:, [3, 0, 1, 2]]
    return av.VideoFrame.from_ndarray((np.asarray(indexed), palette), "pal8")
