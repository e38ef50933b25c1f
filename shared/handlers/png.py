"""Writes a PNG strip by strip; Pillow wants the whole picture, and for colour a copy of four bytes per pixel."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np

__all__ = ["write_png"]

COLOUR_TYPES = {1: 0, 3: 2}  # by the number of channels
SUB = 1  # filter: each byte less the one of the pixel to the left, which packs better


def write_png(path: Path, shape: tuple[int, ...], strips: Iterable[np.ndarray]) -> None:
    """Write a picture of 8 or 16 bits.

    Args:
        path: the file.
        shape: (H, W) or (H, W, 3) of the whole picture.
        strips: whole rows of it from top to bottom, uint8 or uint16, one or more.

    Raises:
        ValueError: the strips have not ``shape`` together, or are of another type.

    Reference:
        ISO/IEC 15948, Portable Network Graphics.
    """
    height, width, channels = (*shape, 1)[:3]
    packer = zlib.compressobj()
    written, dtype = 0, np.dtype("V")
    with path.open("wb") as file:
        for strip in strips:
            if not written:
                dtype = strip.dtype
                if dtype not in (np.uint8, np.uint16):
                    raise ValueError(f"strips must be uint8 or uint16, got {dtype}")
                header = struct.pack(">IIBBBBB", width, height, 8 * dtype.itemsize, COLOUR_TYPES[channels], 0, 0, 0)
                file.write(b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header))
            if strip.dtype != dtype or strip.shape[1:] != shape[1:]:
                raise ValueError(f"strips must be {dtype} of {shape}, got {strip.dtype} of {strip.shape}")
            written += len(strip)
            file.write(_chunk(b"IDAT", packer.compress(_filtered(strip, channels * dtype.itemsize).data)))
        if written != height:
            raise ValueError(f"strips must have {height} rows together, got {written}")
        file.write(_chunk(b"IDAT", packer.flush()) + _chunk(b"IEND", b""))


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(data, zlib.crc32(name)))


def _filtered(strip: np.ndarray, step: int) -> np.ndarray:
    """Rows of bytes, the most significant first, each row with its filter in front."""
    stored = np.ascontiguousarray(strip, strip.dtype.newbyteorder(">")).view(np.uint8).reshape(len(strip), -1)
    rows = np.empty((stored.shape[0], 1 + stored.shape[1]), np.uint8)
    rows[:, 0] = SUB
    rows[:, 1 : 1 + step] = stored[:, :step]
    np.subtract(stored[:, step:], stored[:, :-step], out=rows[:, 1 + step :])
    return rows
