"""Converted networks on the disk, where they outlive the process."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..atomic import part_name, remove_parts

__all__ = ["MODEL", "cache_folder", "store", "workplace"]

VARIABLE = "SEGMENTATION_BUNDLES_CACHE"
MODEL = "model.xml"
KEPT = 16  # entries; each is about as large as the weights in float32


def cache_folder() -> Path:
    """Where converted networks are kept.

    That is the folder named by the environment's ``SEGMENTATION_BUNDLES_CACHE``, else ``segmentation-bundles`` in the
    user's cache folder: ``XDG_CACHE_HOME``, else ``~/.cache``. It can be deleted at any time.
    """
    if own := os.environ.get(VARIABLE):
        return Path(own)
    home = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if not home.is_absolute():  # unset, or against the standard, which asks to ignore it
        home = Path.home() / ".cache"
    return home / "segmentation-bundles"


@contextmanager
def workplace(entry: Path) -> Iterator[Path]:
    """Give an empty folder beside an entry of the cache, where one left by a process that was killed is found and
    deleted, or, if that cannot be written, one for temporary files; it is deleted in the end.
    """
    made = entry.with_name(part_name())
    try:
        made.mkdir(parents=True)
    except OSError:
        made = Path(tempfile.mkdtemp())
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def store(made: Path, entry: Path) -> None:
    """Copy the folder ``made`` to ``entry``, whole or not at all; beyond ``KEPT`` entries the oldest go.

    A cache that cannot be written is told in the log and is no error: the network in memory works as well.

    Args:
        made: folder of files.
        entry: folder in the cache. If it is there already, another process was faster with the same, and it stays.
    """
    try:
        entry.parent.mkdir(parents=True, exist_ok=True)
        part = entry.with_name(part_name())
        part.mkdir()
        try:
            for file in made.iterdir():
                with (part / file.name).open("wb") as target, file.open("rb") as source:
                    shutil.copyfileobj(source, target)
                    os.fsync(target.fileno())  # on the disk before it has its name
            part.rename(entry)
        except OSError:
            if not entry.exists():
                raise
        finally:
            shutil.rmtree(part, ignore_errors=True)
        remove_parts(entry.parent)
        entries = sorted(entry.parent.glob("[!.]*"), key=lambda path: path.stat().st_mtime)
        for old in entries[:-KEPT]:
            shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        logging.getLogger(__name__).warning(
            "engine: %s cannot be written (%s), so the network is converted anew each time; set %s to another folder",
            *(entry.parent, error.strerror, VARIABLE),
        )
