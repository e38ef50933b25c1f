"""Converted networks on the disk, where they outlive the process."""

from __future__ import annotations

import logging
import os
import secrets
import shutil
import time
from contextlib import suppress
from pathlib import Path

__all__ = ["MODEL", "cache_folder", "store"]

VARIABLE = "SEGMENTATION_BUNDLES_CACHE"
MODEL = "model.xml"
STALE = 3600  # seconds; no copy takes as long
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


def store(made: Path, entry: Path) -> None:
    """Copy the folder ``made`` to ``entry``, whole or not at all; beyond ``KEPT`` entries the oldest go.

    A cache that cannot be written is told in the log and is no error: the network in memory works as well.

    Args:
        made: folder of files.
        entry: folder in the cache. If it is there already, another process was faster with the same, and it stays.
    """
    try:
        entry.parent.mkdir(parents=True, exist_ok=True)
        part = entry.with_name(f".part-{secrets.token_hex(8)}")
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
        for left in entry.parent.glob(".part-*"):  # by processes that were killed
            with suppress(FileNotFoundError):  # one that has just become an entry
                if time.time() - left.stat().st_mtime > STALE:
                    shutil.rmtree(left, ignore_errors=True)
        entries = sorted(entry.parent.glob("[!.]*"), key=lambda path: path.stat().st_mtime)
        for old in entries[:-KEPT]:
            shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        logging.getLogger(__name__).warning(
            "engine: %s cannot be written (%s), so the network is converted anew each time; set %s to another folder",
            *(entry.parent, error.strerror, VARIABLE),
        )
