"""What a picture holds: whether there is anything to find, as its type says, and whether another holds the same."""

from __future__ import annotations

import hashlib
import re

import numpy as np

__all__ = ["EMPTY", "FOREGROUND", "content_of", "digest_of", "warn_of_much"]

FOREGROUND, EMPTY = "foreground", "empty"
WORDS = {"foreground": FOREGROUND, "defective": FOREGROUND, "empty": EMPTY, "defect-free": EMPTY}
# Of prepare folder and of prepare dagm, behind the name of a set that was joined with others.
TYPE = re.compile(r"(?:.+: )?(?:(?:\w+-\d+px-)?(foreground|empty)|(defective|defect-free))")


def content_of(type_: str) -> str:
    """What a picture's type says of it, if it is one of ``prepare``: ``foreground``, ``empty``, or nothing.

    Example:
        >>> content_of("grey-512px-empty"), content_of("defective"), content_of("256x320-colour-bright")
        ('empty', 'foreground', '')
    """
    told = TYPE.fullmatch(type_)
    return WORDS[told[1] or told[2]] if told else ""


def digest_of(values: np.ndarray) -> str:
    """A name of an array's numbers, type and shape, which no other array has.

    Example:
        >>> digest_of(np.zeros((2, 3))) == digest_of(np.zeros((3, 2)))
        False
    """
    about = f"{values.dtype} {values.shape} ".encode()
    return hashlib.blake2b(about + np.ascontiguousarray(values).tobytes(), digest_size=16).hexdigest()


def warn_of_much(share: float) -> list[str]:
    """What a summary says of a foreground that covers more than half of all pixels, else no line.

    Example:
        >>> warn_of_much(0.5), len(warn_of_much(0.92))
        ([], 1)
    """
    if share <= 0.5:
        return []
    return [f"WARNING    {share:.0%} of all pixels are foreground; are black and white of the masks swapped?"]
