"""The table that says which cases belong together, e.g. pictures cut from one slide."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from unicodedata import normalize

from ..errors import UserError
from ..tables import read_table
from .faults import Fault

__all__ = ["read_groups"]

COLUMNS = ("id", "group")


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
