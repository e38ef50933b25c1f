"""The table of groups and what may be wrong with it."""

from __future__ import annotations

from pathlib import Path
from unicodedata import normalize

import pytest

from shared.datasets.groups import read_groups
from shared.errors import UserError


def test_reads_what_spreadsheets_write(tmp_path: Path) -> None:
    """Byte order mark, other columns, also without names, carriage returns; ids of a larger release are allowed."""
    path = tmp_path / "groups.csv"
    path.write_bytes("\ufeffid,note,group,,\r\na,x, slide 1 ,,\r\nz,,2,,\r\n".encode())
    assert read_groups(path, ["a"]) == ({"a": "slide 1", "z": "2"}, [])


def test_unicode_forms_are_one(tmp_path: Path) -> None:
    """The data keeps its form of an id; groups are brought to one, since two would part them."""
    composed, apart = (normalize(form, "Zürich") for form in ("NFC", "NFD"))
    path = tmp_path / "groups.csv"
    path.write_text(f"id,group\n{composed},{apart}\nb,{composed}\n", encoding="utf-8")
    assert read_groups(path, [apart, "b"]) == ({apart: composed, "b": composed}, [])


@pytest.mark.parametrize(
    ("table", "wrong"),
    [
        (
            "id;group\na;1\n",
            ": lacks the column id and group; it has id;group -> name the columns id,group in the first",
        ),
        ("", ": lacks the column id and group; it has none -> name the columns id,group in the first line"),
        ("id,group\na,1\nz,2\n", ": lacks 1 ids of the data: b -> add them"),
        ("id,group\na,1\nb,2\na,3\n", ", line 4: id a occurs twice -> keep one of the lines"),
        ("id,group\na,1\nb,2\nc\n", ", line 4: no id or no group -> complete or delete the line"),
        ("id,group,group\na,1,2\n", ": columns of one name ('group', 'group') -> keep one, or rename the others"),
        ("id,group\na,Zürich\n", ": no CSV in UTF-8 ("),
    ],
)
def test_faults(tmp_path: Path, table: str, wrong: str) -> None:
    path = tmp_path / "groups.csv"
    path.write_bytes(table.encode("latin-1"))
    _, (line,) = read_groups(path, ["a", "b"])
    assert line.startswith(f"{path}{wrong}")


def test_many_missing_ids_are_one_line(tmp_path: Path) -> None:
    path = tmp_path / "groups.csv"
    path.write_text("id,group\n")
    assert read_groups(path, list("gfedcba"))[1] == [f"{path}: lacks 7 ids of the data: a, b, c, d, e, ... -> add them"]


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"groups: .*none\.csv does not exist; give a CSV file with the columns id,group"
    ):
        read_groups(tmp_path / "none.csv", ["a"])
