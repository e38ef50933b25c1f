"""Several files that become new together: a process that is killed in between leaves word of what is to be done."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from .atomic import atomic_write_json
from .json_file import read_json

__all__ = ["JOURNAL", "complete_release", "replace_together"]

JOURNAL = ".release.json"


def replace_together(bundle: Path, new: Mapping[Path, Path]) -> None:
    """Put complete files and folders in the place of others, all of them or, until ``complete_release``, none.

    Args:
        bundle: folder that keeps the word.
        new: by the place of each where it lies until then, on the same disk.
    """
    moves = [[os.path.relpath(path, bundle) for path in (source, target)] for target, source in new.items()]
    atomic_write_json(bundle / JOURNAL, moves)
    complete_release(bundle)


def complete_release(bundle: str | Path) -> bool:
    """Do what is left of a release into a bundle that was cut short; whether there was one.

    Args:
        bundle: folder of the bundle.

    Raises:
        UserError: the word that it left is damaged.
        OSError: the bundle cannot be written.
    """
    bundle = Path(bundle)
    if not (bundle / JOURNAL).is_file():
        return False
    for source, target in ((bundle / each for each in move) for move in read_json(bundle / JOURNAL)):
        if source.exists():
            if target.is_dir():
                shutil.rmtree(target)
            source.replace(target)
    (bundle / JOURNAL).unlink()
    return True
