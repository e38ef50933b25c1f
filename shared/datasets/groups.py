"""The table that says which cases belong together, e.g. pictures cut from one slide."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from unicodedata import normalize

from ..errors import UserError
from ..tables import read_table
from .faults import Fault
from .folds import fold_faults

__all__ = ["Twins", "format_twins", "join_twins", "public_groups", "read_groups"]

COLUMNS = ("id", "group")
PUBLIC = Path(__file__).with_name("dsb_groups.csv")  # of 600 pictures in the training set of stage 1; CC0
SHOWN = 5  # names

Twins = dict[str, str]  # by the id of a picture that repeats another, that of the first of its content


def read_groups(path: Path, ids: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """Read a CSV file with the columns ``id`` and ``group``; names are compared in the Unicode form NFC.

    Args:
        path: the table; it may hold more ids than the data, since it may cover a larger release.
        ids: the cases that need a group.

    Returns:
        The group of every id in the table, under the data's own form of it, and one line per fault.

    Raises:
        UserError: there is no such file.
    """
    if not path.is_file():
        raise UserError(f"groups: {path} does not exist; give a CSV file with the columns id,group, or leave it out")
    try:
        columns, rows = read_table(path)
    except UserError as error:
        return {}, [str(error)]
    if missing := [column for column in COLUMNS if column not in columns]:
        wrong = f"lacks the column {' and '.join(missing)}; it has {', '.join(columns) or 'none'}"
        return {}, [str(Fault(path, wrong, "name the columns id,group in the first line"))]

    own = {normalize("NFC", id_): id_ for id_ in ids}
    group_of: dict[str, str] = {}
    faults = []
    for line, row in rows:
        id_, group = (normalize("NFC", row[column] or "").strip() for column in COLUMNS)
        id_ = own.get(id_, id_)
        if not id_ or not group:
            faults.append(str(Fault(f"{path}, line {line}", "no id or no group", "complete or delete the line")))
        elif id_ in group_of:
            faults.append(str(Fault(f"{path}, line {line}", f"id {id_} occurs twice", "keep one of the lines")))
        else:
            group_of[id_] = group
    if lacking := sorted(set(ids) - set(group_of)):
        names = ", ".join(lacking[:5]) + (", ..." if len(lacking) > 5 else "")
        faults.append(str(Fault(path, f"lacks {len(lacking)} ids of the data: {names}", "add them")))
    return group_of, faults


def public_groups(ids: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """The groups of the Data Science Bowl's public training set, in which many pictures are tiles of a larger one.

    Args:
        ids: the pictures.

    Returns:
        The group of each, and the ids that the table does not have, each of which is a group of its own.
    """
    _, rows = read_table(PUBLIC)
    known = {row["id"]: row["group"] for _, row in rows}
    return {id_: known.get(id_, id_) for id_ in ids}, [id_ for id_ in ids if id_ not in known]


def join_twins(
    groups: Sequence[str], ids: Sequence[str], contents: Sequence[str], num_folds: int
) -> tuple[list[str], Twins]:
    """Make one group of the groups whose pictures hold the same, since a network would be scored on what it learned.

    Args:
        groups: of each picture.
        ids: of each picture.
        contents: of each picture, a digest of its pixels.
        num_folds: how many folds the groups are for.

    Returns:
        The groups, each with the name of the first of those that it is made of, and the pictures that repeat others.

    Raises:
        UserError: too few groups are left.

    Example:
        >>> join_twins(["1", "2", "2", "3"], ["a", "b", "c", "d"], ["x", "y", "x", "z"], num_folds=2)
        (['1', '1', '1', '3'], {'c': 'a'})
    """
    first: dict[str, int] = {}
    twins: Twins = {}
    joined = [*groups]
    for number, content in enumerate(contents):
        if (earlier := first.setdefault(content, number)) != number:
            twins[ids[number]] = ids[earlier]
            own, other = joined[number], joined[earlier]
            joined = [other if group == own else group for group in joined]
    if twins and (faults := fold_faults(joined, num_folds)):
        raise UserError(f"{faults[0]}; {_count(twins)}")
    return joined, twins


def format_twins(twins: Twins) -> list[str]:
    """What a summary says of pictures that repeat others; no line if there are none."""
    return [f"WARNING    {_count(twins)}, so that these are in one fold"] if twins else []


def _count(twins: Twins) -> str:
    named = [f"{id_} ({first})" for id_, first in twins.items()]
    shown = ", ".join(named[:SHOWN]) + (", ..." if len(named) > SHOWN else "")
    return f"{len(twins)} pictures repeat others pixel by pixel: {shown}"
