"""The one exception that is meant for the person at the keyboard."""

from __future__ import annotations

__all__ = ["UserError", "user_error_behind"]


class UserError(ValueError):
    """A mistake in the data, an option or the environment that a person can put right.

    The message names the file or option, says what is wrong and what to do. Command lines print it without a traceback
    and end with a non-zero exit code; callers from Python get it as an ordinary ``ValueError``.
    """


def user_error_behind(error: BaseException | None) -> UserError | None:
    """The person's mistake behind an error that libraries have wrapped in their own, None if there is none."""
    while error is not None and not isinstance(error, UserError):
        error = error.__cause__ or error.__context__
    return error
