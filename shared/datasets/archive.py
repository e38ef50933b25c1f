"""The files of a data set as it was downloaded: those of a zip or of a folder, in one form."""

from __future__ import annotations

import re
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ..errors import UserError
from .faults import Fault
from .files import LARGEST, read_small, what_instead
from .walk import walk_folder

__all__ = [
    "NOT_READ",
    "Member",
    "is_junk",
    "is_safe",
    "list_members",
    "name_faults",
    "open_reader",
    "parts_of",
    "read_member",
]

# What reading a member raises; RuntimeError: it is encrypted, or compressed in a way Python does not know.
NOT_READ = (OSError, EOFError, ValueError, RuntimeError, zlib.error, zipfile.BadZipFile)


@dataclass(frozen=True)
class Member:
    """A file of the source; a folder if the name ends with a slash. ``size`` is in bytes, unpacked."""

    name: str
    size: int

    @property
    def is_folder(self) -> bool:
        """Whether it holds others."""
        return self.name.endswith(("/", "\\"))


def list_members(source: Path, wanted: str, deepest: int | None = None) -> list[Member]:
    """List what is in a zip or a folder.

    Args:
        source: the zip or the folder.
        wanted: what a person should give, for the error.
        deepest: levels of folders below ``source`` that are searched, by default all.

    Raises:
        UserError: the source does not exist, or is neither a folder nor a sound zip.
    """
    if source.is_dir():
        return list(_walk(source, deepest))
    if not source.exists():
        raise UserError(f"source: {source} does not exist; give {wanted}")
    if what := what_instead(source):
        raise UserError(f"source: {source} is {what} and no file; give {wanted}")
    try:
        with zipfile.ZipFile(source) as archive:
            return [Member(info.filename, info.file_size) for info in archive.infolist()]
    except PermissionError as error:
        raise UserError(f"source: {source} may not be read; give yourself the right to") from error
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise UserError(
            f"source: {source} is not a zip, or a download that was cut short ({error}); download it again"
        ) from error


def _walk(root: Path, deepest: int | None) -> Iterator[Member]:
    for here, subfolders, files in walk_folder(root):
        if len(here.relative_to(root).parts) == deepest:
            subfolders.clear()
        for name in subfolders:
            yield Member(f"{(here / name).relative_to(root).as_posix()}/", 0)
        for name in files:
            file = here / name
            size = file.stat().st_size if file.exists() else 0  # a dangling link is a fault when it is read
            yield Member(file.relative_to(root).as_posix(), size)


@contextmanager
def open_reader(source: Path) -> Iterator[Callable[[str], bytes]]:
    """Give a function that reads a member by its name."""
    if source.is_dir():
        yield lambda name: read_small(source / name)
    else:
        with zipfile.ZipFile(source) as archive:
            yield lambda name: _unpacked(archive, name)


def _unpacked(archive: zipfile.ZipFile, name: str) -> bytes:
    """A member, of which zipfile unpacks no more than its entry promises."""
    if (size := archive.getinfo(name).file_size) > LARGEST:
        wrong = f"unpacks to {size / 1e6:,.0f} MB, more than the {LARGEST / 1e6:.0f} MB of any file of the data"
        raise Fault(name, wrong, "do not trust this zip, download it again")
    return archive.read(name)


def read_member(name: str, read: Callable[[str], bytes]) -> bytes:
    """Read a member.

    Raises:
        Fault: it cannot be read.
    """
    try:
        return read(name)
    except NOT_READ as error:
        raise Fault(name, f"cannot be read ({error})", "download or unpack it again") from error


def parts_of(member: Member) -> list[str]:
    """Names of the folders and of the file; old zips of Windows have backslashes."""
    return [part for part in re.split(r"[/\\]", member.name) if part not in ("", ".")]


def is_junk(parts: Sequence[str]) -> bool:
    """Whether a file is none of the data set, but left by an operating system."""
    return not parts or any(part.startswith(".") or part in ("__MACOSX", "Thumbs.db", "desktop.ini") for part in parts)


def is_safe(member: Member) -> bool:
    """Whether a member would be unpacked below the folder it is unpacked to."""
    return ".." not in parts_of(member) and not re.match(r"[/\\]|[A-Za-z]:", member.name)


def name_faults(members: Sequence[Member]) -> Iterator[Fault]:
    """Find members that would be written elsewhere, or occur twice."""
    for member in members:
        if not is_safe(member):
            yield Fault(member.name, "would be written outside the output", "do not trust this zip, download it again")
    for name, count in Counter(member.name for member in members).items():
        if count > 1:
            yield Fault(name, f"occurs {count} times in the zip", "make the zip anew")
