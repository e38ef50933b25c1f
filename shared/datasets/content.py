"""Whether a picture holds anything to find, as its type says."""

from __future__ import annotations

import re

__all__ = ["EMPTY", "FOREGROUND", "content_of"]

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
