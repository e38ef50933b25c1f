"""The numbers that a TIFF holds, before any meaning is given to them."""

from __future__ import annotations

import math
import os
import warnings
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image
from PIL.TiffImagePlugin import TiffImageFile
from tifffile import (
    COMPRESSION,
    EXTRASAMPLE,
    PHOTOMETRIC,
    PLANARCONFIG,
    SAMPLEFORMAT,
    TiffFile,
    TiffPage,
    TiffPageSeries,
)

from .faults import Fault
from .files import PACKED, check_promise
from .stored_picture import StoredPicture, check_size, decode, decode_16_bits, decode_as, layout_of

__all__ = ["TIFF_SIGNATURES", "read_stored_tiff"]

TIFF_SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
ORIENTATION = 274  # tag
AXES = ("YX", "YXS", "YXC", "SYX", "CYX")  # S: samples of a pixel, C: channels
DECODED_BY_TIFFFILE = (COMPRESSION.NONE, COMPRESSION.ADOBE_DEFLATE, COMPRESSION.DEFLATE, COMPRESSION.PACKBITS)
DEFLATE = (COMPRESSION.ADOBE_DEFLATE, COMPRESSION.DEFLATE)
SLACK = 2  # times the pixels of a strip or tile: no more are unpacked
CONVERTED_BY_PILLOW = (PHOTOMETRIC.SEPARATED, PHOTOMETRIC.YCBCR)
PLAIN = (PHOTOMETRIC.MINISWHITE, PHOTOMETRIC.MINISBLACK, PHOTOMETRIC.RGB, PHOTOMETRIC.PALETTE)
PLAIN_REMEDY = "save it as grey or RGB of 8 or 16 bits, uncompressed or with Deflate"


def read_stored_tiff(path: Path, file: BinaryIO, max_pixels: int) -> StoredPicture:
    """Read a TIFF of one picture; smaller copies of it (a pyramid) and transparency masks are left aside.

    tifffile tells what there is, and reads what is uncompressed or packed by Deflate or PackBits; the rest (LZW, JPEG,
    fax) is decoded by libtiff, through Pillow.

    Args:
        path: name for the errors.
        file: the same, open.
        max_pixels: largest height x width.

    Raises:
        Fault: too large, of several pages, or of an unsupported kind. The libraries raise errors of many other types
            for a damaged file.
    """
    file.seek(0)
    with TiffFile(file) as tiff:
        pages = [page for page in tiff.pages if isinstance(page, TiffPage) and not (page.is_reduced or page.is_mask)]
        if not pages:
            raise Fault(path, "a TIFF without a picture, perhaps truncated", "copy it again")
        page = pages[0]
        check_size(path, page.imagelength, page.imagewidth, max_pixels)
        check_size(path, page.tilelength, page.tilewidth, max_pixels)
        _check_strips(path, file, pages)
        source: TiffPage | TiffPageSeries = page
        described = 1
        if len(pages) > 1 or page.is_imagej or page.is_shaped:  # only the description tells planes from channels
            source = tiff.series[0]
            described = len(source.pages)
        layout = {axis: n for axis, n in zip(source.axes, source.shape, strict=True) if n > 1 or axis in "YX"}
        axes = "".join(layout)
        if axes not in AXES or len(pages) > described:
            count = max(len(pages), math.prod(n for axis, n in layout.items() if axis not in "YXS"))
            remedy = "save the page that is meant as a file of its own; pages that are channels need the axis C"
            raise Fault(path, f"{count} pages", remedy)

        has_alpha = _check_channels(path, page, layout.get("S", layout.get("C", 1)))
        if _tifffile_decodes(page):
            values = source.asarray().reshape(tuple(layout.values()))
            values = np.moveaxis(values, 0, -1) if axes in ("SYX", "CYX") else values
            values = values.reshape(page.imagelength, page.imagewidth, -1)
            varying_alpha = has_alpha and bool(np.ptp(values[..., -1]))
            values = values[..., :-1] if has_alpha else values
            orientation = page.tags.valueof(ORIENTATION, default=1)
        else:
            values = np.concatenate([_decode_with_pillow(path, file, page) for page in pages], axis=-1)
            orientation = 1  # Pillow has turned it upright
            varying_alpha = False
        return StoredPicture(
            values=values.astype(np.uint8) if values.dtype == bool else values,
            bits=page.bitspersample,
            palette=_palette(page),
            zero_is_white=page.photometric == PHOTOMETRIC.MINISWHITE,
            orientation=orientation,
            varying_alpha=varying_alpha,
        )


def _check_strips(path: Path, file: BinaryIO, pages: Sequence[TiffPage]) -> None:
    """Refuse what its header promises too much of, or a strip that would become more than its header says."""
    promised, page = sum(page.nbytes for page in pages), pages[0]
    held = file.seek(0, os.SEEK_END) * PACKED if _tifffile_decodes(page) else None
    check_promise(path, promised, 2 * promised, held)
    for page in pages:
        most = SLACK * math.prod(page.chunks) * max(1, page.bitspersample // 8)
        for offset, count in zip(page.dataoffsets, page.databytecounts, strict=False):
            if page.compression in DEFLATE and count * PACKED > most:
                file.seek(offset)
                if len(zlib.decompressobj().decompress(file.read(count), most + 1)) > most:
                    raise Fault(path, "a part that is larger than its header says", "save it anew")


def _check_channels(path: Path, page: TiffPage, channels: int) -> bool:
    """Refuse what is neither grey nor in colour; tell whether the last channel is alpha."""
    if page.photometric in CONVERTED_BY_PILLOW and page.bitspersample == 8:
        return False
    if page.photometric not in PLAIN:
        raise Fault(path, f"colours of the kind {_name(page.photometric)}", PLAIN_REMEDY)
    marked = page.extrasamples[-1:] in ((EXTRASAMPLE.ASSOCALPHA,), (EXTRASAMPLE.UNASSALPHA,))
    has_alpha = channels > 1 and (marked or (page.photometric == PHOTOMETRIC.RGB and channels == 4))
    if channels - has_alpha not in (1, 3):
        raise Fault(path, f"{channels - has_alpha} channels", "save it as grey (1 channel) or RGB (3)")
    return has_alpha


def _tifffile_decodes(page: TiffPage) -> bool:
    return (
        page.compression in DECODED_BY_TIFFFILE
        and page.predictor in (1, 2)
        and page.fillorder == 1
        and page.bitspersample in (1, 8, 16, 32, 64)
        and page.photometric in PLAIN
    )


def _decode_with_pillow(path: Path, file: BinaryIO, page: TiffPage) -> np.ndarray:
    """Return the numbers (H, W, C) of one page, without alpha and upright."""
    bits = page.bitspersample
    # Pillow misreads two things without a word. libtiff gives the machine's byte order and Pillow takes the file's, but
    # for unsigned numbers of 16 bits; and decoding with another layout than Pillow's takes planes for pixels.
    if bits > 8 and (page.sampleformat != SAMPLEFORMAT.UINT or bits > 16) and page.parent.byteorder == ">":
        raise Fault(path, f"{_name(page.compression)} compression of big-endian {page.dtype}", PLAIN_REMEDY)
    in_planes = page.samplesperpixel > 1 and page.planarconfig == PLANARCONFIG.SEPARATE
    if in_planes and (bits > 8 or EXTRASAMPLE.ASSOCALPHA in page.extrasamples):
        wrong = f"{_name(page.compression)} compression of {bits} bits in planes" + (
            ", with alpha" if bits == 8 else ""
        )
        raise Fault(path, wrong, PLAIN_REMEDY)

    def open_page() -> TiffImageFile:
        file.seek(0)
        image = TiffImageFile(file)
        image.seek(page.index)
        return image

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # the size has been checked
        image = open_page()
        colours, _, depth = layout_of(image).partition(";")
        if depth.startswith("16") and image.mode in ("RGB", "RGBA"):
            return decode_16_bits(open_page, colours.replace("a", "A"), "=u2")
        if colours == "RGBa":  # Pillow would divide by alpha
            return decode_as(image, "RGBA")[..., :3]
        values = decode(path, image, bits)
    if page.photometric == PHOTOMETRIC.MINISWHITE and bits <= 8:  # where Pillow has turned black and white round
        values = 2**bits - 1 - values
    return values


def _palette(page: TiffPage) -> np.ndarray | None:
    if page.photometric != PHOTOMETRIC.PALETTE or page.colormap is None:
        return None
    return np.right_shift(page.colormap, 8).astype(np.uint8).T  # a TIFF has colours of 16 bits


def _name(code: int) -> str:
    """tifffile gives what it knows as a member of an enumeration, the rest as a number."""
    return str(getattr(code, "name", code))
