"""Kaggle's layout of the 2018 Data Science Bowl, found in a zip, in a zip within a zip, or in a folder."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from .archive import Member, is_junk, is_safe, name_faults, parts_of
from .faults import Fault

__all__ = ["DEEPEST", "INNER_ZIP", "WANTED", "Case", "find_cases", "find_inner_zip"]

INNER_ZIP = "stage1_train.zip"
WANTED = f"{INNER_ZIP} or the folder it was unpacked to"
DEEPEST = 4  # folder levels searched: <download>/stage1_train/<id>/masks
ROOMS = ("images", "masks")


@dataclass
class Case:
    """A picture and the masks of its nuclei; ``others`` are files that do not belong in their folders."""

    id: str
    images: list[Member] = field(default_factory=list)
    masks: list[Member] = field(default_factory=list)
    others: list[Member] = field(default_factory=list)


def find_inner_zip(members: Sequence[Member]) -> Member | None:
    """Return ``stage1_train.zip`` within the zip of the whole competition."""
    inner = [m for m in members if parts_of(m)[-1:] == [INNER_ZIP] and not is_junk(parts_of(m))]
    return inner[0] if inner else None


def find_cases(members: Sequence[Member]) -> tuple[list[Case], list[str]]:
    """Sort ``<id>/images/<id>.png`` and ``<id>/masks/*.png`` into cases.

    The ids lie at the root or below a folder, e.g. ``stage1_train/``. A folder whose cases have no mask at all, such as
    ``stage1_test/``, is left out beside one that has, as are ``__MACOSX``, hidden files and loose files.

    Returns:
        The cases sorted by id, their masks sorted by name; and one line per fault.
    """
    faults = list(name_faults(members))
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
        parts = parts_of(member)
        if is_junk(parts) or not is_safe(member):
            continue
        folders = parts if member.is_folder else parts[:-1]
        room = max((i for i, part in enumerate(folders) if i and part in ROOMS), default=0)
        if not room:
            others.add(tuple(folders))
            continue
        case = bases[tuple(parts[: room - 1])].setdefault(parts[room - 1], Case(parts[room - 1]))
        if len(parts) > room + 2 or (not member.is_folder and not parts[-1].lower().endswith(".png")):
            case.others.append(member)
        elif not member.is_folder:
            (case.images if parts[room] == "images" else case.masks).append(member)
    for cases in bases.values():
        for case in cases.values():
            case.masks.sort(key=lambda mask: parts_of(mask)[-1])
    return bases, others


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
