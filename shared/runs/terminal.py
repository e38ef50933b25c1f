"""Whether a person is watching."""

from __future__ import annotations

import sys

__all__ = ["on_terminal"]


def on_terminal() -> bool:
    """Whether messages go to a terminal: then a progress bar may be drawn, otherwise it would fill a log."""
    return sys.stderr.isatty()
