"""Files that anybody may have made: opened if they are files, and read as far as their headers promise."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import BinaryIO

from ..machine import free_memory
from .faults import Fault

__all__ = ["LARGEST", "PACKED", "check_promise", "open_file", "read_small", "what_instead"]

PACKED = 1032  # Deflate, of gzip, zip, PNG and TIFF, makes at most so many bytes of one
LARGEST = 2**28  # bytes of a file that is read as a whole whatever it is, such as a mask
NO_FILES = {stat.S_ISFIFO: "a named pipe", stat.S_ISSOCK: "a socket", stat.S_ISCHR: "a device", stat.S_ISBLK: "a disk"}


def what_instead(path: str | Path) -> str:
    """What is there instead of a file or folder, such as a pipe, or a link to a device; empty if nothing is."""
    mode = Path(path).stat().st_mode
    return next((name for is_such, name in NO_FILES.items() if is_such(mode)), "")


def open_file(path: str | Path) -> BinaryIO:
    """Open a file to read its bytes. A pipe would keep its reader waiting, and a device may never end.

    Raises:
        Fault: it is no file.
        OSError: it cannot be opened.
    """
    if what := what_instead(path):
        raise Fault(path, f"{what} and no file", "move it away, or put a file in its place")
    return Path(path).open("rb")


def read_small(path: str | Path) -> bytes:
    """All bytes of a file.

    Raises:
        Fault: it is no file, or larger than ``LARGEST``.
        OSError: it cannot be read.
    """
    with open_file(path) as file:
        data = file.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise Fault(path, f"larger than {LARGEST / 1e6:.0f} MB", "look at what it is, and replace it")
    return data


def check_promise(path: str | Path, promised: int, taken: int, held: int | None = None) -> None:
    """Refuse a file that promises more than it can hold, or than fits into memory, before any is taken.

    Args:
        path: the file.
        promised: bytes of its contents by its header.
        taken: bytes of memory for reading it.
        held: bytes that its contents can have by its length; None if that tells nothing.

    Raises:
        Fault: naming the file.
    """
    if held is not None and promised > held:
        wrong = f"its header promises {promised:,} bytes, the file holds {held:,} at most"
        raise Fault(path, wrong, "copy it again, or correct its header")
    if taken > (free := free_memory()):
        wrong = f"reading it takes about {taken / 1e9:.1f} GB of memory, {free / 1e9:.1f} GB are free"
        raise Fault(path, wrong, "make it smaller, or read it on a larger machine")
