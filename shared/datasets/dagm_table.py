"""`Labels.txt` of DAGM 2007: which pictures are defective, held against the files that are there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from operator import attrgetter

from .archive import Member
from .dagm_source import Half
from .faults import Fault

__all__ = ["Case", "Row", "match_files", "read_table"]

COLUMNS = 5
NO_LABEL = "0"
REMEDY = "correct the line, or download it again"


@dataclass(frozen=True)
class Row:
    """A line of the table: a picture and the name of its label, empty if it has no defect.

    A line that contradicts itself is not ``sound``: it says no more than that it speaks of these files.
    """

    line: int
    picture: str
    label: str
    sound: bool = True


@dataclass(frozen=True)
class Case:
    """A picture and the mask of its defect, if it has one. ``id`` is e.g. ``Test/0002``."""

    id: str
    picture: Member
    label: Member | None = None


def read_table(name: str, data: bytes) -> tuple[list[Row], list[str]]:
    """Read ``Labels.txt``: a first line with a number, then a line for each picture.

    Its columns are: number of the picture, 1 (defective) or 0, file, 0, file of the label or 0. They are parted by
    tabs; other white space is taken as well.

    Args:
        name: of the table, for the faults.
        data: its bytes.

    Returns:
        The rows, and one line per fault.

    Example:
        >>> read_table("Labels.txt", b"1\\n0001\\t0\\t0001.PNG\\t0\\t0\\t\\n0002\\t1\\t0002.PNG\\t0\\t2.PNG\\n")[0][1]
        Row(line=3, picture='0002.PNG', label='2.PNG', sound=True)
    """
    try:
        lines = data.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        return [], [str(Fault(name, f"not a text in UTF-8 ({error.reason})", "download or unpack it again"))]
    rows: list[Row] = []
    faults: list[str] = []
    line_of: dict[str, int] = {}
    for number, line in enumerate(lines, start=1):
        columns = line.split()
        if not columns or (number == 1 and len(columns) == 1):
            continue
        wrong = _row_fault(columns)
        if wrong:
            faults.append(str(Fault(f"{name}, line {number}", wrong, REMEDY)))
            columns += [""] * COLUMNS
        picture, label = columns[2], columns[4]
        for file in {picture.casefold(), label.casefold()} - {NO_LABEL, ""}:
            if (other := line_of.setdefault(file, number)) != number:
                twice = f"{picture if file == picture.casefold() else label} is also in line {other}"
                faults.append(str(Fault(f"{name}, line {number}", twice, "keep one of the lines")))
        rows.append(Row(number, picture, "" if label == NO_LABEL else label, sound=not wrong))
    return rows, faults


def _row_fault(columns: list[str]) -> str | None:
    if len(columns) != COLUMNS:
        return f"{len(columns)} columns instead of {COLUMNS} (number, 0 or 1, picture, 0, label or 0)"
    if columns[1] not in ("0", "1"):
        return f"{columns[1]!r} instead of 1 (defective) or 0"
    if columns[1] == "1" and columns[4] == NO_LABEL:
        return f"{columns[2]} is defective, but has no label"
    if columns[1] == "0" and columns[4] != NO_LABEL:
        return f"{columns[2]} is free of defects, but has the label {columns[4]}"
    return None


def match_files(prefix: str, half: Half, rows: list[Row]) -> tuple[list[Case], list[str]]:
    """Find the files that the rows name; letter case does not count.

    Args:
        prefix: in front of the ids, ``Train`` or ``Test``.
        half: files that are there, with a table.
        rows: of its table.

    Returns:
        The cases sorted by id, without those whose files are not there; and one line per fault.
    """
    table = half.table.name if half.table else ""
    cases, faults = [], []
    for row in filter(attrgetter("sound"), rows):
        where = f"{table}, line {row.line}"
        picture = half.pictures.get(row.picture.casefold())
        label = half.labels.get(row.label.casefold())
        if picture is None:
            faults.append(str(Fault(where, f"{half.folder}/{row.picture} is not there", "add it or delete the line")))
        if row.label and label is None:
            wrong = f"{half.folder}/Label/{row.label} is not there, but {row.picture} is defective"
            faults.append(str(Fault(where, wrong, "download or unpack it again")))
        if not row.label and (surplus := half.labels.get(_usual_label(row.picture))):
            wrong = f"{row.picture} is free of defects, but {surplus.name} is there"
            faults.append(str(Fault(where, wrong, "delete it, or correct the line")))
        if picture is not None:
            cases.append(Case(f"{prefix}/{row.picture.rpartition('.')[0]}", picture, label))
    faults += [str(fault) for fault in _left_over(table, half, rows)]
    return sorted(cases, key=lambda case: case.id), faults


def _left_over(table: str, half: Half, rows: list[Row]) -> Iterator[Fault]:
    """Find files that no row speaks of."""
    pictures = {row.picture.casefold() for row in rows}
    labels = {row.label.casefold() for row in rows}
    labels |= {_usual_label(row.picture) for row in rows if not row.label}  # told already
    for name in sorted(set(half.pictures) - pictures):
        yield Fault(half.pictures[name].name, f"no line in {table}", "add one or delete the picture")
    for name in sorted(set(half.labels) - labels):
        yield Fault(half.labels[name].name, f"no line in {table} names it", "add one or delete the label")


def _usual_label(picture: str) -> str:
    return f"{picture.casefold().removesuffix('.png')}_label.png"
