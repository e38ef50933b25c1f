"""`Labels.txt` against the files: every disagreement with its line."""

from __future__ import annotations

import pytest

from shared.datasets.archive import Member
from shared.datasets.dagm_source import find_halves
from shared.datasets.dagm_table import match_files, read_table

SOUND = ("1", "0001\t1\t0001.PNG\t0\t0001_label.PNG", "0002\t0\t0002.PNG\t0\t0\t")
FILES = ("0001.PNG", "0002.PNG", "Label/0001_label.PNG", "Label/Labels.txt")


def match(lines: tuple[str, ...], names: tuple[str, ...], end: str = "\n") -> tuple[list, list[str]]:
    """Cases as (id, picture, label), and faults without the common folder."""
    (half,) = find_halves((), [Member(f"Test/{name}", 1) for name in names]).values()
    rows, row_faults = read_table("Test/Label/Labels.txt", "".join(line + end for line in lines).encode())
    cases, faults = match_files("Test", half, rows)
    return [(c.id, c.picture.name, c.label and c.label.name) for c in cases], row_faults + faults


CASES = [("Test/0001", "Test/0001.PNG", "Test/Label/0001_label.PNG"), ("Test/0002", "Test/0002.PNG", None)]


@pytest.mark.parametrize(
    ("lines", "end"),
    [(SOUND, "\n"), (SOUND, "\r\n"), (SOUND[1:], "\n"), ((*SOUND, "", " "), "\n"), (("\ufeff1", *SOUND[:0:-1]), "\n")],
)
def test_sound_tables(lines: tuple[str, ...], end: str) -> None:
    assert match(lines, FILES, end) == (CASES, [])


def test_letter_case_and_spaces_do_not_count() -> None:
    lines = ("1", "0001 1 0001.png 0 0001_LABEL.png", "0002  0  0002.PNG  0  0")
    names = ("0001.PNG", "0002.Png", "Label/0001_label.PNG", "Label/Labels.txt")
    cases, faults = match(lines, names)
    assert [id_ for id_, _, _ in cases] == ["Test/0001", "Test/0002"]
    assert faults == []


@pytest.mark.parametrize(
    ("line", "name", "fault"),
    [
        ("0003\t0\t0003.PNG\t0\t0\t", "", "line 4: Test/0003.PNG is not there -> add it or delete the line"),
        (
            "0003\t1\t0003.PNG\t0\t0003_label.PNG",
            "0003.PNG",
            "line 4: Test/Label/0003_label.PNG is not there, but 0003.PNG is defective -> download or unpack it again",
        ),
        (
            "0003\t1\t0003.PNG\t0\t0\t",
            "0003.PNG",
            "line 4: 0003.PNG is defective, but has no label -> correct the line, or download it again",
        ),
        (
            "0003\t0\t0003.PNG\t0\t0003_label.PNG",
            "0003.PNG",
            "line 4: 0003.PNG is free of defects, but has the label 0003_label.PNG -> correct the line, or download it "
            "again",
        ),
        (
            "0003\tyes\t0003.PNG\t0\t0\t",
            "0003.PNG",
            "line 4: 'yes' instead of 1 (defective) or 0 -> correct the line, or download it again",
        ),
        (
            "0003\t0",
            "",
            "line 4: 2 columns instead of 5 (number, 0 or 1, picture, 0, label or 0) -> correct the line, or download "
            "it again",
        ),
        ("0002\t0\t0002.PNG\t0\t0\t", "", "line 4: 0002.PNG is also in line 3 -> keep one of the lines"),
        (
            "0003\t1\t0003.PNG\t0\t0001_label.PNG",
            "0003.PNG",
            "line 4: 0001_label.PNG is also in line 2 -> keep one of the lines",
        ),
        ("", "0003.PNG", "Test/0003.PNG: no line in Test/Label/Labels.txt -> add one or delete the picture"),
        (
            "",
            "Label/0003_label.PNG",
            "Test/Label/0003_label.PNG: no line in Test/Label/Labels.txt names it -> add one or delete the label",
        ),
        (
            "",
            "Label/0002_label.PNG",
            "line 3: 0002.PNG is free of defects, but Test/Label/0002_label.PNG is there -> delete it, or correct the "
            "line",
        ),
    ],
)
def test_each_disagreement_is_one_fault(line: str, name: str, fault: str) -> None:
    where = "Test/Label/Labels.txt, " if fault.startswith("line") else ""
    assert match((*SOUND, line), (*FILES, name) if name else FILES)[1] == [where + fault]


def test_no_text() -> None:
    assert read_table("Labels.txt", b"\xff\xfe1\0") == (
        [],
        ["Labels.txt: not a text in UTF-8 (invalid start byte) -> download or unpack it again"],
    )
