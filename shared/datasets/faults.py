"""The faults of a data set, collected so that a person sees all of them in one go."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from unicodedata import normalize

import numpy as np

from ..errors import UserError

__all__ = ["Fault", "encoding_faults", "mistake", "raise_faults", "refuse_huge", "space_faults", "twins"]

MAX_SHOWN = 100
LARGEST = 1e15


class Fault(Exception):
    """One thing that is wrong with one file; reads ``file: what is wrong -> remedy``.

    Example:
        >>> str(Fault("a.png", "is empty", "download it again"))
        'a.png: is empty -> download it again'
    """

    def __init__(self, file: object, wrong: str, remedy: str) -> None:
        super().__init__(f"{file}: {wrong} -> {remedy}")


def mistake(file: object, wrong: str, remedy: str) -> UserError:
    """The error to raise where one file is at fault and no others are looked at; reads as ``Fault`` does."""
    return UserError(str(Fault(file, wrong, remedy)))


def refuse_huge(file: object, values: np.ndarray) -> None:
    """Refuse values beyond 1e15, which no camera or scanner measures; beside one of them all others are as one number.

    Args:
        file: that holds them.
        values: finite numbers, at least one.

    Raises:
        UserError: naming the file.
    """
    if (greatest := max(abs(float(values.min())), abs(float(values.max())))) > LARGEST:
        remedy = "replace values that mean 'no data' by one of the background"
        raise mistake(file, f"holds values up to {greatest:.3g}, which nothing measures", remedy)


def raise_faults(source: object, faults: Sequence[str]) -> None:
    """Raise one ``UserError`` that lists the first 100 of ``faults`` and counts the rest; do nothing if there are none.

    Args:
        source: what was checked, e.g. the path of the zip.
        faults: one line each, as ``str(Fault(...))`` gives it.
    """
    if not faults:
        return
    lines = list(faults[:MAX_SHOWN])
    if len(faults) > MAX_SHOWN:
        lines.append(f"... and {len(faults) - MAX_SHOWN} more")
    count = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
    raise UserError("\n  ".join([f"{source}: {count}; nothing was written:", *lines]))


def space_faults(needed: int, folder: Path) -> list[str]:
    """One line if the disk of ``folder`` has less than ``needed`` bytes free, else none."""
    free = shutil.disk_usage(folder).free
    if needed <= free:
        return []
    wrong = f"needs about {needed / 1e6:,.1f} MB, the disk has {free / 1e6:,.1f} MB free"
    return [str(Fault("output", wrong, "free some space or choose another disk"))]


def encoding_faults(files: Iterable[Path]) -> list[str]:
    """One line for each file whose name is not UTF-8, as old disks have them, since no table could hold it.

    Example:
        >>> encoding_faults([Path("a.png"), Path("caf\\udce9.png")])
        ["'caf\\\\udce9.png': the name is not UTF-8 -> rename it"]
    """
    wrong = (ascii(str(file)) for file in files if re.search("[\ud800-\udfff]", str(file)))
    return [str(Fault(name, "the name is not UTF-8", "rename it")) for name in wrong]


def twins(names: Iterable[str]) -> Iterator[tuple[int, int]]:
    """Find names that equal an earlier one but for letter case or Unicode form, which do not count on every disk.

    Args:
        names: of files to be.

    Returns:
        Pairs of the number of a name and that of the first like it.

    Example:
        >>> list(twins(["a", "b", "A", "a"]))
        [(2, 0), (3, 0)]
    """
    first: dict[str, int] = {}
    for number, name in enumerate(names):
        if (earlier := first.setdefault(normalize("NFC", name).casefold(), number)) != number:
            yield number, earlier
