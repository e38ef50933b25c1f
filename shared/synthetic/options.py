"""Options that every stand-in has, checked before anything is written."""

from __future__ import annotations

import math
import re
import reprlib

from ..errors import UserError
from ..machine import free_memory

__all__ = ["check_memory", "check_options", "parse_size"]

DRAWN = 100  # bytes per pixel or voxel while one is drawn


def check_options(cases: int, seed: int) -> None:
    """Refuse numbers that cannot be.

    Raises:
        UserError: ``cases`` is below 1 or ``seed`` below 0.
    """
    if cases < 1:
        raise UserError(f"cases: {cases} is too few; give 1 or more")
    if seed < 0:
        raise UserError(f"seed: {seed} is negative; give 0 or more")


def parse_size(size: str, smallest: int) -> tuple[int, int]:
    """Height and width in pixels of e.g. ``256x320``.

    Args:
        size: ``HEIGHTxWIDTH``.
        smallest: side in pixels.

    Raises:
        UserError: it is something else, or smaller.

    Example:
        >>> parse_size("256x320", smallest=16)
        (256, 320)
    """
    sides = re.fullmatch(r"(\d{1,9})x(\d{1,9})", size)
    if not sides or min(shape := (int(sides[1]), int(sides[2]))) < smallest:
        raise UserError(f"size: {reprlib.repr(size)} is not HEIGHTxWIDTH of {smallest} pixels or more, such as 256x320")
    check_memory(shape)
    return shape


def check_memory(shape: tuple[int, ...]) -> None:
    """Refuse a shape of which drawing pictures or volumes takes more memory than is free.

    Raises:
        UserError: it does.
    """
    if (needed := DRAWN * math.prod(shape)) > (free := free_memory()):
        size = "x".join(map(str, shape))
        numbers = f"takes about {needed / 1e9:,.1f} GB of memory, {free / 1e9:.1f} GB are free"
        raise UserError(f"size: drawing {size} {numbers}; give smaller sides")
