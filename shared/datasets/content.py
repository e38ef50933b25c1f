"""Whether a picture holds anything to find, as its type says."""

from __future__ import annotations

__all__ = ["EMPTY", "FOREGROUND", "content_of"]

FOREGROUND, EMPTY = "foreground", "empty"
SAYS = {"foreground": FOREGROUND, "defective": FOREGROUND, "empty": EMPTY, "defect-free": EMPTY}


def content_of(type_: str) -> str:
    """What the end of a picture's type says of it: ``foreground``, ``empty``, or nothing.

    Example:
        >>> content_of("grey-512px-empty"), content_of("defective"), content_of("256x320-colour-bright")
        ('empty', 'foreground', '')
    """
    return next((content for word, content in SAYS.items() if type_.endswith(word)), "")
