"""Every folder below a folder."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..errors import UserError

__all__ = ["in_words", "is_result", "is_run", "walk_folder"]

WRITTEN = frozenset({"findings.csv", "model.pt", "curves.csv", "summary.json"})  # by a run, beside its run.json


def walk_folder(root: Path) -> Iterator[tuple[Path, list[str], list[str]]]:
    """``os.walk`` in a fixed order that follows links, but not round in circles, and leaves out nothing in silence.

    Args:
        root: folder to begin with.

    Yields:
        A folder, the names of its sub-folders, of which those deleted by the caller are not entered, and of its files.

    Raises:
        UserError: a folder may not be read.
    """
    for folder, subfolders, files in os.walk(root, followlinks=True, onerror=_refuse):
        here = Path(folder)
        above = here.parents[: len(here.relative_to(root).parts)]
        if here.is_symlink() and here.resolve() in {place.resolve() for place in above}:
            subfolders.clear()
            continue
        subfolders.sort()
        yield here, subfolders, sorted(files)


def in_words(path: Path) -> str:
    """A path as a text; in full if it begins with a ``~``, behind which MONAI would look for somebody's home.

    Example:
        >>> in_words(Path("a.png")), in_words(Path("~a.png")).endswith("/~a.png")
        ('a.png', True)
    """
    return str(path.absolute() if str(path).startswith("~") else path)


def is_result(file: Path, output: Path, root: Path) -> bool:
    """Whether a file below ``root`` lies in the folder of the results (resolved), unless that holds all of ``root``."""
    place, top = (Path(os.path.realpath(path)) for path in (file, root))  # a link to itself has no place to resolve
    return output in place.parents and output not in top.parents


def is_run(files: Sequence[str]) -> bool:
    """Whether a folder with these files is that of an inference, a training or an evaluation.

    Example:
        >>> is_run(["a_seg.png", "findings.csv", "run.json"]), is_run(["a.png", "run.json"])
        (True, False)
    """
    return "run.json" in files and not WRITTEN.isdisjoint(files)


def _refuse(error: OSError) -> None:
    raise UserError(f"{error.filename}: cannot be read ({error.strerror}); give yourself the right, or move it away")
