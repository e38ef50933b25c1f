"""The one exception that is meant for the person at the keyboard."""

from __future__ import annotations

import re

__all__ = ["UserError", "user_error_behind"]


class UserError(ValueError):
    """A mistake in the data, an option or the environment that a person can put right.

    The message names the file or option, says what is wrong and what to do. Command lines print it without a traceback
    and end with a non-zero exit code; callers from Python get it as an ordinary ``ValueError``.
    """


def user_error_behind(error: BaseException | None) -> UserError | None:
    """The person's mistake behind an error that libraries have wrapped in their own, None if there is none.

    Of what went wrong in a process that loads data PyTorch hands on the text alone.
    """
    texts = []
    while error is not None and not isinstance(error, UserError):
        texts.append(str(error))
        error = error.__cause__ or error.__context__
    if error is None:
        told = re.search(rf"^(?:\w+\.)*{UserError.__name__}: (.+)$", "\n".join(texts), flags=re.MULTILINE)
        return UserError(told[1]) if told else None
    return error
