"""The one exception that is meant for the person at the keyboard."""

from __future__ import annotations

__all__ = ["UserError"]


class UserError(ValueError):
    """A mistake in the data, an option or the environment that a person can put right.

    The message names the file or option, says what is wrong and what to do. Command lines print it without a traceback
    and end with a non-zero exit code; callers from Python get it as an ordinary ``ValueError``.
    """
