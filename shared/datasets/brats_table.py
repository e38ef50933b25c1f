"""The table that says which files make up a case, for data that has no known layout."""

from __future__ import annotations

from pathlib import Path

from ..errors import UserError
from ..tables import read_table as read_csv
from .brats_conventions import MODALITIES
from .brats_names import GRADES, UNKNOWN_GRADE
from .brats_source import Case, Found, case_faults, twin_faults
from .faults import Fault
from .volume import VOLUME_SUFFIXES, without_suffix

__all__ = ["read_table"]

NEEDED = ("case", "seg")
OPTIONAL = ("grade", "group", "mask")
FILES = (*MODALITIES, "seg", "mask")


def read_table(table: Path, source: Path, convention: str, allow_missing: bool = False) -> Found:
    """Read a CSV file with a line for each case.

    Its columns are ``case``, ``seg`` and the modalities ``t1, t1ce, t2, flair``; and, where wanted, ``grade`` (HGG or
    LGG), ``group`` (the patient, by default the case) and ``mask`` (file of the brain's mask, where the background is
    not 0). An empty field is a file that is not there.

    Args:
        table: the file.
        source: folder from which its paths count.
        convention: how the labels are numbered, one of ``CONVENTIONS``.
        allow_missing: a case may lack modalities, but not all of them.

    Raises:
        UserError: there is no such table or folder.
    """
    if not table.is_file():
        raise UserError(
            f"table: {table} does not exist; give a CSV file with the columns case, t1, t1ce, t2, flair, seg"
        )
    if not source.is_dir():
        raise UserError(f"source: {source} is no folder; give the one from which the paths of the table count")
    found = Found()
    try:
        columns, rows = read_csv(table, lambda name: name.strip().casefold())
    except UserError as error:
        return Found(faults=[str(error)])
    wrong = [f"lacks the column {name}" for name in NEEDED if name not in columns]
    wrong += [f"has a column {name!r}" for name in columns if name not in (*NEEDED, *MODALITIES, *OPTIONAL)]
    if wrong or not rows:
        remedy = f"the columns are {', '.join((*NEEDED, *MODALITIES, *OPTIONAL))}"
        return Found(faults=[str(Fault(table, "; ".join(wrong) or "no line but the first", remedy))])
    for line, row in rows:
        try:
            found.cases.append(_case(row, source, convention))
        except Fault as fault:
            found.faults.append(f"{table}, line {line}, {fault}")
    found.cases.sort(key=lambda case: case.id)
    found.faults += [str(fault) for fault in twin_faults(found.cases)]
    found.faults += [str(fault) for fault in case_faults(found.cases, [], allow_missing)]
    return found


def _case(row: dict[str, str | None], source: Path, convention: str) -> Case:
    if None in row or None in row.values():
        raise Fault("the whole", "more or fewer fields than there are columns", "complete it")
    fields = {name: (value or "").strip() for name, value in row.items()}
    if not fields["case"]:
        raise Fault("case", "no name", "complete or delete the line")
    grade = fields.get("grade", "").upper() or UNKNOWN_GRADE
    if grade not in (*GRADES, UNKNOWN_GRADE):
        raise Fault("grade", f"{fields['grade']!r}", f"give {' or '.join(GRADES)}, or leave it empty")
    files = {role: source / fields[role] for role in FILES if fields.get(role)}
    for role, path in files.items():
        if not without_suffix(path.name):
            raise Fault(role, f"{path} is none of {', '.join(VOLUME_SUFFIXES)}", "convert it")
    return Case(fields["case"], source, convention, files, grade, fields.get("group") or fields["case"])
