"""Files and folders that exist complete or not at all."""

from __future__ import annotations

import csv
import errno
import io
import json
import os
import platform
import re
import secrets
import shutil
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

from .errors import FULL, UserError, chain_of

__all__ = [
    "atomic_folder",
    "atomic_path",
    "atomic_write_json",
    "atomic_write_table",
    "atomic_write_text",
    "part_name",
    "remove_parts",
]

NODE = f"{zlib.crc32(platform.node().encode()):08x}"  # this machine; disks may be shared
PART = re.compile(r"\.([0-9a-f]{8})-(\d+)-[0-9a-f]{8}\.part(\..+)?|\.[0-9a-f]{16}\.part(\..+)?")  # the latter of 0.3
STALE = 24 * 3600  # seconds; nothing is written for so long
SLACK = 60  # seconds by which clocks of one machine may differ


def part_name(suffix: str = "") -> str:
    """A name for what is not complete yet, by which it is known once the process that wrote it is gone.

    Args:
        suffix: of the name to come.
    """
    return f".{NODE}-{os.getpid()}-{secrets.token_hex(4)}.part{suffix}"


def remove_parts(folder: str | Path, pattern: str = "**/.*.part*") -> None:
    """Delete what processes that were killed have left incomplete in a folder and below it.

    Those of this machine are known to be gone; of others what is older than a day counts as left.
    """
    for path in [path for path in Path(folder).glob(pattern) if PART.fullmatch(path.name)]:
        with suppress(FileNotFoundError):  # one that has just become what it was to be
            if _is_left(path):
                shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink()


def _is_left(path: Path) -> bool:
    node, number, *_ = PART.fullmatch(path.name).groups()  # type: ignore[union-attr]
    written = path.stat().st_mtime
    if node != NODE:
        return time.time() - written > STALE
    try:
        process = psutil.Process(int(number))
        is_other = process.create_time() > written + SLACK  # which has its number by now
        return is_other or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Give a temporary path beside ``path`` and rename it to ``path`` when the block ends without an error.

    The temporary name keeps the suffix, since writers choose the format by it, and is short, so that a long ``path``
    fits the disk if its own name does. After an error it is deleted and ``path`` is as it was before.

    Args:
        path: the file to be written; its folder is made if it is not there.

    Raises:
        OSError: it cannot be written, as where the disk is full; ``filename`` is ``path``.

    Example:
        >>> import tempfile
        >>> target = Path(tempfile.mkdtemp()) / "a.txt"
        >>> with atomic_path(target) as temporary:
        ...     _ = temporary.write_text("complete")
        >>> target.read_text()
        'complete'
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(part_name(path.suffix))
    try:
        yield temporary
        with temporary.open("r+b") as file:  # on the disk before it has its name, or a power failure leaves it empty
            os.fsync(file.fileno())
        temporary.replace(path)
    except Exception as error:
        for each in chain_of(error):
            is_write = isinstance(each, OSError) and each.errno in FULL
            if isinstance(each, OSError) and (each.filename == str(temporary) or (is_write and not each.filename)):
                each.filename = str(path)
        raise
    finally:
        temporary.unlink(missing_ok=True)


def atomic_write_text(path: str | Path, text: str) -> None:
    """Write ``text`` as UTF-8 to ``path``, complete or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="")


def atomic_write_json(
    path: str | Path, content: Any, indent: int = 1, default: Callable[[Any], Any] | None = None
) -> None:
    """Write ``content`` as JSON, complete or not at all; ``default`` makes of what JSON has no form for what it has."""
    atomic_write_text(path, json.dumps(content, indent=indent, ensure_ascii=False, default=default) + "\n")


def atomic_write_table(path: str | Path, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Write ``rows`` as CSV, complete or not at all; a column that a row lacks is an empty cell.

    Raises:
        ValueError: a row has what is no column.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    atomic_write_text(path, text.getvalue())


@contextmanager
def atomic_folder(output: Path) -> Iterator[Path]:
    """Give an empty folder beside ``output`` and rename it to ``output`` when the block ends without an error.

    After an error it is deleted. One left by a run that was killed is replaced. Of several that are at ``output`` at
    once, one goes on.

    Args:
        output: must be new or an empty folder.

    Raises:
        UserError: ``output`` holds something, another process is making it, or the disk cannot be written to, or is
            full.

    Example:
        >>> import tempfile
        >>> output = Path(tempfile.mkdtemp()) / "made"
        >>> with atomic_folder(output) as part:
        ...     _ = (part / "a.txt").write_text("complete")
        >>> [file.name for file in output.iterdir()]
        ['a.txt']
    """
    output = output.resolve()
    suffix = f".{zlib.crc32(output.name.encode()):08x}"
    part = output.with_name(part_name(suffix))
    try:
        _refuse_taken(output, suffix)
        part.mkdir(parents=True)
        _refuse_taken(output, suffix, part.name)  # of several that were made at once that of the least name goes on
        yield part
        _refuse_taken(output)
        if output.exists():
            output.rmdir()
        part.rename(output)
    except OSError as error:
        ours = error.filename is None or part in (Path(error.filename), *Path(error.filename).parents)
        if not ours and error.errno != errno.ENOSPC:
            raise
        raise UserError(
            f"output: cannot write {output} ({error.strerror}); choose a folder you may write to, "
            "on a disk with space enough"
        ) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _refuse_taken(output: Path, suffix: str | None = None, name: str = "~") -> None:
    """Refuse a folder that holds something, or for which others are at work whose parts have lesser names."""
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise UserError(f"output: {output} exists and is not an empty folder; choose another, or delete it")
    if suffix is None:
        return
    pattern = f".*.part{suffix}"
    remove_parts(output.parent, pattern)
    if any(other.name < name for other in output.parent.glob(pattern)):
        raise UserError(f"output: another process is making {output}; wait for it, or choose another folder")
