"""The layout of DAGM 2007 (``ClassN/{Train,Test}``), found in a zip, in a folder of zips, or in folders."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import UserError
from .archive import Member, is_junk, is_safe, list_members, parts_of
from .faults import Fault

__all__ = ["CLASSES", "HALVES", "WANTED", "Half", "Place", "choose_place", "find_halves", "find_places", "list_place"]

CLASSES = range(1, 11)
HALVES = ("Train", "Test")
WANTED = "ClassN.zip, a folder of such zips, or the folder ClassN that one was unpacked to"
DEEPEST = 5  # folder levels searched: raw_images/private/Class1/Train/Label
UNKNOWN = 0  # class of a folder that does not say it
CLASS = re.compile(r"class[ _-]?0*(\d+)", re.IGNORECASE)


@dataclass(frozen=True)
class Place:
    """Where a class lies: below ``base`` (names of folders) in ``root``, a zip or a folder."""

    root: Path
    base: tuple[str, ...] = ()

    def __str__(self) -> str:
        return str(self.root.joinpath(*self.base))


@dataclass
class Half:
    """``Train`` or ``Test`` of a class: its files by their names in small letters.

    Args:
        folder: its name in the source, e.g. ``Class1/Train``.
        pictures: those directly in it.
        labels: those in its folder ``Label``.
        table: ``Label/Labels.txt``.
        twins: files whose names differ by letter case only from one that is among the others.
    """

    folder: str
    pictures: dict[str, Member] = field(default_factory=dict)
    labels: dict[str, Member] = field(default_factory=dict)
    table: Member | None = None
    twins: list[Member] = field(default_factory=list)

    def faults(self) -> Iterator[Fault]:
        """Find what is wrong with its names alone."""
        for twin in self.twins:
            yield Fault(twin.name, "another name differs from it by letter case only", "delete or rename one of them")
        if not self.pictures:
            yield Fault(self.folder, "no picture (*.PNG)", "unpack it again, or delete the folder")
        if self.table is None:
            wrong = "no Labels.txt, which says what pictures are defective"
            yield Fault(f"{self.folder}/Label", wrong, "download or unpack it again")


def find_places(source: Path) -> dict[int, list[Place]]:
    """Find the classes that a zip or a folder holds.

    A folder counts as class N if it holds ``Train`` or ``Test`` and is called ``ClassN``; where the source itself holds
    them its own name counts. So does that of a zip directly in a folder; what is in it is not looked at yet.

    Returns:
        Places by the number of the class, 0 for one that is not told by a name.

    Raises:
        UserError: the source does not exist, or is neither a folder nor a sound zip.
    """
    places: defaultdict[int, list[Place]] = defaultdict(list)
    bases = {parts[:half] for parts, half in _in_halves(list_members(source, WANTED, DEEPEST))}
    for base in sorted(bases):
        name = base[-1] if base else (source.name if source.is_dir() else source.stem)
        places[_class_of(name)].append(Place(source, base))
    if source.is_dir():
        for file in sorted(source.iterdir()):
            if file.suffix.lower() == ".zip" and _class_of(file.stem):
                places[_class_of(file.stem)].append(Place(file))
    return dict(places)


def choose_place(source: Path, class_id: int | None) -> tuple[int, Place]:
    """Return the class that is asked for, by default the only one, and where it lies.

    Raises:
        UserError: there is no class, not this one, or it is there twice; or there are several and none is asked for.
    """
    if class_id is not None and class_id not in CLASSES:
        raise UserError(f"class_id: {class_id} is not one of {CLASSES.start}..{CLASSES.stop - 1}")
    places = find_places(source)
    if not places:
        raise UserError(f"source: no ClassN/Train and no ClassN/Test in {source}; give {WANTED}")
    known = sorted(number for number in places if number != UNKNOWN)
    if class_id is None:
        if len(known) > 1:
            classes = ", ".join(map(str, known))
            raise UserError(f"class_id: {source} holds the classes {classes}; choose one: --class_id {known[0]}")
        if not known:
            raise UserError(f"class_id: no name in {source} tells the class; give it, such as --class_id 1")
        (class_id,) = known
    found = places.get(class_id, [] if known else places[UNKNOWN])
    if not found:
        raise UserError(f"class_id: {source} does not hold class {class_id} but {', '.join(map(str, known))}")
    if len(found) > 1:
        raise UserError(
            f"source: class {class_id} is there {len(found)} times; give one of them:\n  "
            + "\n  ".join(str(place) for place in found)
        )
    return class_id, found[0]


def list_place(place: Place) -> tuple[Place, list[Member]]:
    """List the members of the place's zip or folder; a zip that holds the class in a folder gets its ``base`` now.

    Raises:
        UserError: it is no sound zip, or holds no class, or more than one.
    """
    members = list_members(place.root, WANTED, DEEPEST)
    bases = sorted({parts[:half] for parts, half in _in_halves(members)})
    if place.base in bases:
        return place, members
    if len(bases) != 1:
        raise UserError(
            f"source: {len(bases)} folders with Train or Test in {place.root} instead of one; give {WANTED}"
        )
    return Place(place.root, bases[0]), members


def find_halves(base: tuple[str, ...], members: Sequence[Member]) -> dict[str, Half]:
    """Sort what lies below ``base`` into ``Train`` and ``Test``; only PNG and ``Labels.txt`` count."""
    halves: dict[str, Half] = {}
    for member in members:
        parts = tuple(parts_of(member))
        if is_junk(parts) or not is_safe(member) or parts[: len(base)] != base:
            continue
        folders = parts if member.is_folder else parts[:-1]
        inside = [name.casefold() for name in folders[len(base) :]]
        if inside[:1] not in (["train"], ["test"]):
            continue
        half = halves.setdefault(inside[0].capitalize(), Half("/".join(parts[: len(base) + 1])))
        if not member.is_folder and inside[1:] in ([], ["label"]):
            _add(half, member, parts[-1].casefold(), is_label=inside[1:] == ["label"])
    return {name: halves[name] for name in HALVES if name in halves}


def _add(half: Half, member: Member, name: str, is_label: bool) -> None:
    if is_label and name == "labels.txt":
        half.table = half.table or member
        first = half.table
    elif name.endswith(".png"):
        files = half.labels if is_label else half.pictures
        first = files.setdefault(name, member)
    else:
        return
    if first.name != member.name:  # the same name twice is a fault of the zip
        half.twins.append(member)


def _in_halves(members: Sequence[Member]) -> Iterator[tuple[tuple[str, ...], int]]:
    """Parts of the names of what lies in ``Train`` or ``Test``, and the place of that folder among them."""
    for member in members:
        parts = tuple(parts_of(member))
        if is_junk(parts) or not is_safe(member):
            continue
        folders = parts if member.is_folder else parts[:-1]
        halves = [i for i, name in enumerate(folders) if name.capitalize() in HALVES]
        if halves:
            yield parts, halves[-1]


def _class_of(name: str) -> int:
    match = CLASS.fullmatch(name)
    return int(match[1]) if match and int(match[1]) in CLASSES else UNKNOWN
