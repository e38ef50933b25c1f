"""The numbers that the file of a picture holds, before any meaning is given to them: PNG, JPEG and BMP."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import ExifTags
from PIL.BmpImagePlugin import BmpImageFile
from PIL.Image import Image
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile

from .faults import Fault
from .files import check_promise

__all__ = [
    "BIT_DEPTH",
    "OPENERS",
    "StoredPicture",
    "check_size",
    "decode",
    "decode_16_bits",
    "decode_as",
    "has_varying_alpha",
    "layout_of",
    "read_stored",
    "upright",
]

# Known by their first bytes, since people change a suffix without converting the picture. These classes stand in for
# Image.open, whose limit of pixels is a global of Pillow and not the caller's.
OPENERS: dict[bytes, type[ImageFile]] = {
    b"\x89PNG\r\n\x1a\n": PngImageFile,
    b"\xff\xd8\xff": JpegImageFile,
    b"BM": BmpImageFile,
}
DECODED = 8  # bytes of a pixel: Pillow's four, and as many again as an array
BIT_DEPTH = 24  # place of this byte in a PNG: signature, then the chunk IHDR

# What turns a picture upright, by its orientation in EXIF and TIFF.
UPRIGHT: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    2: lambda values: values[:, ::-1],
    3: lambda values: values[::-1, ::-1],
    4: lambda values: values[::-1],
    5: lambda values: values.swapaxes(0, 1),
    6: lambda values: values[::-1].swapaxes(0, 1),
    7: lambda values: values[::-1, ::-1].swapaxes(0, 1),
    8: lambda values: values[:, ::-1].swapaxes(0, 1),
}


@dataclass(frozen=True)
class StoredPicture:
    """The numbers of a picture, and what is needed to make sense of them.

    Args:
        values: (H, W, C) without alpha, rows and columns as in the file.
        bits: of one value; where they are 1, 2 or 4, the largest value is 1, 3 or 15.
        palette: (N, 3) uint8, the colour that each value stands for.
        zero_is_white: the largest value is black.
        orientation: 1 to 8 as in EXIF; 1 is upright.
        varying_alpha: transparency, which ``values`` are without, is not the same throughout.
    """

    values: np.ndarray
    bits: int = 8
    palette: np.ndarray | None = None
    zero_is_white: bool = False
    orientation: int = 1
    varying_alpha: bool = False


def has_varying_alpha(image: Image) -> bool:
    """Whether parts of a picture are more transparent than others."""
    if not image.has_transparency_data:
        return False
    least, most = image.convert("RGBA").getchannel("A").getextrema()
    return least != most


def read_stored(path: Path, file: BinaryIO, opener: type[ImageFile], max_pixels: int) -> StoredPicture:
    """Read a PNG, JPEG or BMP.

    Args:
        path: name for the errors.
        file: the same, open.
        opener: one of ``OPENERS``.
        max_pixels: largest height x width.

    Raises:
        Fault: too large, or of an unsupported kind. Pillow raises errors of many other types for a damaged file.
    """
    image = _open(opener, file)
    check_size(path, image.height, image.width, max_pixels)
    check_promise(path, 0, image.height * image.width * DECODED)
    if (frames := getattr(image, "n_frames", 1)) > 1:
        raise Fault(path, f"an animation of {frames} pictures", "save the one that is meant as a file of its own")
    bits = 8
    if opener is PngImageFile:
        file.seek(BIT_DEPTH)
        bits = file.read(1)[0]
    palette = None
    if bits == 16 and image.mode != "I;16":
        values = _decode_16_bit_png(lambda: _open(opener, file))
    else:
        values = decode(path, image, bits)
        if image.mode == "P":
            palette = np.array(image.getpalette(), np.uint8).reshape(-1, 3)
    bits = 1 if image.mode == "1" else bits
    return StoredPicture(
        values,
        bits,
        palette,
        orientation=image.getexif().get(ExifTags.Base.Orientation, 1),
        varying_alpha=bits <= 8 and has_varying_alpha(image),
    )


def check_size(path: Path, height: int, width: int, max_pixels: int) -> None:
    """Refuse a picture that is too large, before it is decoded."""
    if height * width > max_pixels:
        wrong = f"{height} x {width} pixels (height x width), more than the {max_pixels} that are allowed"
        raise Fault(path, wrong, "cut it into tiles or make it smaller")


def decode(path: Path, image: ImageFile, bits: int) -> np.ndarray:
    """Return the numbers (H, W, C) of a picture without alpha.

    Args:
        path: name for the error.
        image: opened by Pillow.
        bits: of one value in the file; Pillow stretches grey values of 2 and 4 bits to 0..255, which is taken back.

    Raises:
        Fault: a kind of pixels that is not supported.
    """
    mode = image.mode
    if mode in ("RGBA", "CMYK", "YCbCr"):
        values = np.asarray(image.convert("RGB"))
    elif mode == "LA":
        values = np.asarray(image.convert("L"))
    elif mode in ("1", "L", "P", "RGB", "I;16", "I;16B", "I", "F"):
        values = np.asarray(image)
    else:
        raise Fault(path, f"pixels of the kind {mode}", "save it as grey or RGB")
    if mode == "1":
        values = values.astype(np.uint8)
    elif mode == "I;16B":
        values = values.astype(np.uint16)
    elif mode == "L" and bits < 8:
        values = values // (255 // (2**bits - 1))
    return values.reshape(*values.shape[:2], -1)


def decode_16_bits(open_image: Callable[[], ImageFile], colours: str, dtype: str) -> np.ndarray:
    """Return the numbers of a colour picture of 16 bits, of which Pillow gives only one byte each.

    It is decoded twice, as if its bytes were big-endian, which gives the first of each pair, and as if they were
    little-endian, which gives the second.

    Args:
        open_image: opens the picture anew.
        colours: Pillow's name of the samples, e.g. ``RGBA``.
        dtype: uint16 in the byte order of the decoder, e.g. ``>u2``.

    Returns:
        (H, W, 3) uint16, without alpha.
    """
    pairs = np.stack([decode_as(open_image(), f"{colours};16{order}")[..., :3] for order in "BL"], axis=-1)
    return pairs.view(dtype)[..., 0].astype(np.uint16)


def layout_of(image: ImageFile) -> str:
    """Return Pillow's name of how the samples lie in the file, e.g. ``RGB;16B`` (its documentation: raw modes)."""
    args = image.tile[0].args
    return args if isinstance(args, str) else str((args or ("",))[0])


def decode_as(image: ImageFile, layout: str) -> np.ndarray:
    """Decode a picture as if its samples lay in another way than the one Pillow has chosen."""
    (tile,) = image.tile
    args = tile.args[1:] if isinstance(tile.args, tuple) else None
    image.tile = [tile._replace(args=layout if args is None else (layout, *args))]
    return np.asarray(image)


def upright(values: np.ndarray, orientation: int) -> np.ndarray:
    """Turn (H, W, ...) upright; an orientation that the standard does not know (cameras write 0) counts as upright."""
    if orientation in UPRIGHT:
        values = UPRIGHT[orientation](values)
    return np.require(values, requirements=["C_CONTIGUOUS", "WRITEABLE"])


def _decode_16_bit_png(open_image: Callable[[], ImageFile]) -> np.ndarray:
    image = open_image()
    if layout_of(image) == "LA;16B":  # two numbers of two bytes; Pillow can take them for four of one byte
        return decode_as(image, "RGBA").view(">u2")[..., :1].astype(np.uint16)
    return decode_16_bits(open_image, layout_of(image).removesuffix(";16B"), ">u2")


def _open(opener: type[ImageFile], file: BinaryIO) -> ImageFile:
    file.seek(0)
    return opener(file)
