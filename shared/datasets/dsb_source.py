"""Kaggle's layout of the 2018 Data Science Bowl, found in a zip, in a zip within a zip, or in a folder."""

from __future__ import annotations

import os
import re
import zipfile
import zlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import UserError
from .faults import Fault

__all__ = ["INNER_ZIP", "NOT_READ", "Case", "Member", "find_cases", "find_inner_zip", "list_members", "open_reader"]

INNER_ZIP = "stage1_train.zip"
DEEPEST = 4  # folder levels searched: <download>/stage1_train/<id>/masks
ROOMS = ("images", "masks")
# What reading a member raises; RuntimeError: it is encrypted, or compressed in a way Python does not know.
NOT_READ = (OSError, EOFError, ValueError, RuntimeError, zlib.error, zipfile.BadZipFile)


@dataclass(frozen=True)
class Member:
    """A file of the source; a folder if the name ends with a slash. ``size`` is in bytes, unpacked."""

    name: str
    size: int


@dataclass
class Case:
    """A picture and the masks of its nuclei; ``others`` are files that do not belong in their folders."""

    id: str
    images: list[Member] = field(default_factory=list)
    masks: list[Member] = field(default_factory=list)
    others: list[Member] = field(default_factory=list)


def list_members(source: Path) -> list[Member]:
    """List what is in a zip or a folder.

    Raises:
        UserError: the source does not exist, or is neither a folder nor a sound zip.
    """
    if source.is_dir():
        return list(_walk(source))
    if not source.is_file():
        raise UserError(f"source: {source} does not exist; give {INNER_ZIP} or the folder it was unpacked to")
    try:
        with zipfile.ZipFile(source) as archive:
            return [Member(info.filename, info.file_size) for info in archive.infolist()]
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise UserError(
            f"source: {source} is not a zip, or a download that was cut short ({error}); download it again"
        ) from error


def _walk(root: Path) -> Iterator[Member]:
    for folder, subfolders, files in os.walk(root, followlinks=True):
        here = Path(folder)
        if len(here.relative_to(root).parts) == DEEPEST:
            subfolders.clear()
        for name in subfolders:
            yield Member(f"{(here / name).relative_to(root).as_posix()}/", 0)
        for name in files:
            file = here / name
            size = file.stat().st_size if file.exists() else 0  # a dangling link is a fault when it is read
            yield Member(file.relative_to(root).as_posix(), size)


def find_inner_zip(members: Sequence[Member]) -> Member | None:
    """Return ``stage1_train.zip`` within the zip of the whole competition."""
    inner = [m for m in members if _parts(m)[-1:] == [INNER_ZIP] and not _is_junk(_parts(m))]
    return inner[0] if inner else None


@contextmanager
def open_reader(source: Path) -> Iterator[Callable[[str], bytes]]:
    """Give a function that reads a member by its name."""
    if source.is_dir():
        yield lambda name: (source / name).read_bytes()
    else:
        with zipfile.ZipFile(source) as archive:
            yield archive.read


def find_cases(members: Sequence[Member]) -> tuple[list[Case], list[str]]:
    """Sort ``<id>/images/<id>.png`` and ``<id>/masks/*.png`` into cases.

    The ids lie at the root or below a folder, e.g. ``stage1_train/``. A folder whose cases have no mask at all, such as
    ``stage1_test/``, is left out beside one that has, as are ``__MACOSX``, hidden files and loose files.

    Returns:
        The cases sorted by id, their masks sorted by name; and one line per fault.
    """
    faults = list(_name_faults(members))
    bases, others = _sort_members(members)
    chosen = [base for base, cases in bases.items() if any(case.masks for case in cases.values())] or list(bases)
    if len(chosen) == 1:
        base, cases = chosen[0], sorted(bases[chosen[0]].values(), key=lambda case: case.id)
        beside = {folder[: len(base) + 1] for folder in others if folder[: len(base)] == base != folder}
        beside -= {other[: len(base) + 1] for other in bases}
        faults += _layout_faults(base, cases, {folder[-1] for folder in beside} - {case.id for case in cases})
        return cases, [str(fault) for fault in faults]
    if chosen:
        names = ", ".join(sorted("/".join(base) or "(root)" for base in chosen))
        faults.append(Fault(names, "cases in several folders", "unpack it and give one of them as --source"))
    return [], [str(fault) for fault in faults]


def _sort_members(members: Sequence[Member]) -> tuple[dict[tuple[str, ...], dict[str, Case]], set[tuple[str, ...]]]:
    """Return the cases by the folder they lie in, and the folders of everything else."""
    bases: defaultdict[tuple[str, ...], dict[str, Case]] = defaultdict(dict)
    others: set[tuple[str, ...]] = set()
    for member in members:
        parts = _parts(member)
        if _is_junk(parts) or not _is_safe(member):
            continue
        is_folder = member.name.endswith(("/", "\\"))
        folders = parts if is_folder else parts[:-1]
        room = max((i for i, part in enumerate(folders) if i and part in ROOMS), default=0)
        if not room:
            others.add(tuple(folders))
            continue
        case = bases[tuple(parts[: room - 1])].setdefault(parts[room - 1], Case(parts[room - 1]))
        if len(parts) > room + 2 or (not is_folder and not parts[-1].lower().endswith(".png")):
            case.others.append(member)
        elif not is_folder:
            (case.images if parts[room] == "images" else case.masks).append(member)
    for cases in bases.values():
        for case in cases.values():
            case.masks.sort(key=lambda mask: _parts(mask)[-1])
    return bases, others


def _parts(member: Member) -> list[str]:
    return [part for part in re.split(r"[/\\]", member.name) if part not in ("", ".")]


def _is_junk(parts: Sequence[str]) -> bool:
    return not parts or any(part.startswith(".") or part in ("__MACOSX", "Thumbs.db", "desktop.ini") for part in parts)


def _is_safe(member: Member) -> bool:
    return ".." not in _parts(member) and not re.match(r"[/\\]|[A-Za-z]:", member.name)


def _name_faults(members: Sequence[Member]) -> Iterator[Fault]:
    for member in members:
        if not _is_safe(member):
            yield Fault(member.name, "would be written outside the output", "do not trust this zip, download it again")
    for name, count in Counter(member.name for member in members).items():
        if count > 1:
            yield Fault(name, f"occurs {count} times in the zip", "make the zip anew")


def _layout_faults(base: Sequence[str], cases: Sequence[Case], beside: set[str]) -> Iterator[Fault]:
    """Find what is wrong with the names in ``base``: its ``cases``, and other folders beside them."""
    for name in sorted(beside):
        yield Fault("/".join((*base, name)), "has neither images/ nor masks/", "complete or delete it")
    letters = Counter(case.id.casefold() for case in cases)
    for case in cases:
        folder = "/".join((*base, case.id))
        if letters[case.id.casefold()] > 1:
            yield Fault(folder, "another id differs from it by letter case only", "rename one of them")
        if not case.images:
            yield Fault(f"{folder}/images", "no picture", "add the PNG or delete the case")
        if len(case.images) > 1:
            yield Fault(f"{folder}/images", f"{len(case.images)} pictures in one case", "keep one of them")
        if not case.masks:
            yield Fault(f"{folder}/masks", "no masks", "add one PNG per nucleus or delete the case")
        for member in case.others:
            yield Fault(member.name, "is no PNG directly in images/ or masks/", "convert, move or delete it")
