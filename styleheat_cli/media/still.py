"""Photos: one upright RGB picture in, one out."""

from __future__ import annotations

import io
import json
import logging
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, ImageOps, PngImagePlugin, UnidentifiedImageError

from ..errors import InputError
from .container import check_readable

log = logging.getLogger(__name__)

Image.init()
FORMATS = tuple({"JPEG", "MPO", "PNG", "WEBP", "BMP", "TIFF", "AVIF"} & set(Image.OPEN))
OPAQUE = 255
DESCRIPTION = 0x010E  # the EXIF tag that holds our metadata, as JSON


def is_still(path: Path) -> bool:
    """Whether a file is a photo by its content, whatever its name says."""
    try:
        with Image.open(path, formats=FORMATS):
            return True
    except Image.DecompressionBombError:
        return True
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError):
        return False


def read_image(path: Path) -> np.ndarray:
    """(H, W, 3) uint8 RGB, turned as its EXIF says, in sRGB; of an animation the first picture; alpha is dropped."""
    path = Path(path)
    check_readable(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=FORMATS) as image:
                return _rgb(image, path)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise InputError(f"{path.name} is larger than 89 megapixels", file=path, hint="scale the photo down first") from None
    except (OSError, ValueError, SyntaxError) as error:
        raise InputError(f"{path.name} is a damaged photo ({error})", file=path, hint="save or copy it again") from None


def _rgb(image: Image.Image, path: Path) -> np.ndarray:
    if getattr(image, "n_frames", 1) > 1 and image.format != "MPO":
        log.warning("%s holds %d pictures; the first is used", path.name, image.n_frames)
    if "transparency" in image.info or ("A" in image.getbands() and image.getchannel("A").getextrema()[0] < OPAQUE):
        log.warning("%s has transparency, which is dropped", path.name)
    profile = image.info.get("icc_profile")
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith(("I", "F")):
        return _deep_grey(image)
    return np.array(_in_srgb(image, profile, path).convert("RGB"))


def _deep_grey(image: Image.Image) -> np.ndarray:
    """16-bit grey as 8-bit RGB."""
    grey = np.array(image).astype(np.float32) / (257 if image.mode.startswith("I") else 1)
    return np.repeat(grey.round().clip(0, 255).astype(np.uint8)[..., None], 3, axis=2)


def _in_srgb(image: Image.Image, profile: bytes | None, path: Path) -> Image.Image:
    if not profile or image.mode not in ("RGB", "CMYK"):
        return image
    try:
        given = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        return ImageCms.profileToProfile(image, given, ImageCms.createProfile("sRGB"), outputMode="RGB") or image
    except (ImageCms.PyCMSError, OSError):
        log.warning("%s has a colour profile that cannot be read; it is taken as sRGB", path.name)
        return image


def save_image(part: Path, image: np.ndarray, suffix: str, metadata: dict[str, str], quality: int = 95) -> None:
    """Writes a picture in the format of `suffix`, with its metadata as text inside; `quality` of what loses some, up to 100."""
    picture = Image.fromarray(image)
    if suffix.lower() == ".png":
        notes = PngImagePlugin.PngInfo()
        for key, value in metadata.items():
            notes.add_itxt(key, value)
        picture.save(part, "PNG", pnginfo=notes)
        return
    exif = Image.Exif()
    if metadata:
        exif[DESCRIPTION] = json.dumps(metadata)
    if suffix.lower() == ".webp":
        picture.save(part, "WEBP", quality=quality, exif=exif)
    else:
        picture.save(part, "JPEG", quality=quality, subsampling=0, exif=exif)
