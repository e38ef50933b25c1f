"""The one exception that is meant for the person at the keyboard, and what else a person can put right."""

from __future__ import annotations

import errno
import os
import re
import textwrap
from collections.abc import Iterator

__all__ = ["FULL", "UserError", "chain_of", "in_short", "is_out_of_memory", "message_behind", "user_error_behind"]

# What may be wrong with a place that a person has named, and what to do.
FULL = dict.fromkeys((errno.EDQUOT, errno.EFBIG, errno.ENOSPC), "free some space, or name a place on another disk")
BARRED = (errno.EACCES, errno.EEXIST, errno.EISDIR, errno.ELOOP, errno.ENOTDIR, errno.EPERM, errno.EROFS)
PLACES = FULL | dict.fromkeys(BARRED, "name a place that can be written and read")
PLACES |= {errno.ENAMETOOLONG: "name a shorter one"}
# What PyTorch raises where the machine is too small for what a person asked.
MACHINE = {
    "OutOfMemoryError": "device: out of memory ({}); take a smaller --batch_size or --patch_size, or --device cpu",
    "BackendCompilerFailed": "engine: PyTorch cannot compile the network here ({}); take --engine eager",
}
MEMORY = "memory: too little is free; take a smaller --batch_size, --patch_size or --size, or larger voxels"
LOOP = re.compile(r"Symlink loop from '(.+)'$")


class UserError(ValueError):
    """A mistake in the data, an option or the environment that a person can put right.

    The message names the file or option, says what is wrong and what to do. Command lines print it without a traceback
    and end with a non-zero exit code; callers from Python get it as an ordinary ``ValueError``.
    """


def chain_of(error: BaseException | None) -> Iterator[BaseException]:
    """An error and what is behind it, one after the other."""
    while error is not None:
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def user_error_behind(error: BaseException | None) -> UserError | None:
    """The person's mistake behind an error that libraries have wrapped in their own, None if there is none.

    Of what went wrong in a process that loads data PyTorch hands on the text alone.
    """
    texts = []
    for each in chain_of(error):
        if isinstance(each, UserError):
            return each
        texts.append(str(each))
    told = re.search(rf"^(?:\w+\.)*{UserError.__name__}: (.+)$", "\n".join(texts), flags=re.MULTILINE)
    return UserError(told[1]) if told else None


def is_out_of_memory(error: BaseException) -> bool:
    """Whether there was too little memory, as Python, NumPy or PyTorch say it."""
    return any(isinstance(each, MemoryError) or "DefaultCPUAllocator" in str(each) for each in chain_of(error))


def in_short(error: BaseException) -> str:
    """What an error says, on one line of 150 letters at most."""
    return textwrap.shorten(str(error), 150, placeholder=" ...")


def message_behind(error: BaseException) -> str | None:
    """What to tell the person about an error in one line, None if it is a bug, which needs its traceback.

    It is the person's mistake behind it, what is wrong with a place that is written to, or a GPU or compiler that does
    not suffice. Only a full disk is told without a file: any other error of the system that names none is about
    something else.
    """
    for each in chain_of(error):
        if isinstance(each, UserError):
            break
        if isinstance(each, OSError) and (remedy := (PLACES if each.filename else FULL).get(each.errno or 0)):
            return f"{each.filename or 'the disk'}: {each.strerror}; {remedy}"
        if told := next((MACHINE[kind.__name__] for kind in type(each).__mro__ if kind.__name__ in MACHINE), None):
            return told.format(in_short(each))
        if isinstance(each, RuntimeError) and (loop := LOOP.match(str(each))):  # of Python up to 3.12
            return f"{loop[1]}: {os.strerror(errno.ELOOP)}; {PLACES[errno.ELOOP]}"
    if mistake := user_error_behind(error):
        return str(mistake)
    return MEMORY if is_out_of_memory(error) else None
