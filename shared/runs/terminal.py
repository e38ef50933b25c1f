"""Whether a person is watching."""

from __future__ import annotations

import sys

from .processes import is_first

__all__ = ["on_terminal"]


def on_terminal() -> bool:
    """Whether messages go to a terminal: then a progress bar may be drawn, otherwise it would fill a log.

    Of several processes only the first may draw one.
    """
    return sys.stderr.isatty() and is_first()
