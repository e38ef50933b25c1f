"""Which names are those of masks: that of a picture, and an ending."""

from __future__ import annotations

import re

__all__ = ["KNOWN_ENDINGS", "without_ending"]

ENDINGS = ("mask", "masks", "label", "labels", "seg", "segmentation", "gt", "cp_masks", "0000")
ENDING = re.compile(rf"[_\-. ](?:{'|'.join(ENDINGS)})$", re.IGNORECASE)
KNOWN_ENDINGS = f"the picture's name and _ with {', '.join(ENDINGS)}, or nothing"


def without_ending(name: str) -> str:
    """The name of the picture that the name of a mask begins with, or else the name.

    Example:
        >>> without_ending("day1/a_cp_masks"), without_ending("a-Mask"), without_ending("amask")
        ('day1/a', 'a', 'amask')
    """
    return ENDING.sub("", name)
