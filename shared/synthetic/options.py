"""Options that every stand-in has, checked before anything is written."""

from __future__ import annotations

import re

from ..errors import UserError

__all__ = ["check_options", "parse_size"]


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
    sides = re.fullmatch(r"(\d+)x(\d+)", size)
    if not sides or min(shape := (int(sides[1]), int(sides[2]))) < smallest:
        raise UserError(f"size: {size!r} is not HEIGHTxWIDTH of {smallest} pixels or more, such as 256x320")
    return shape
