"""The table of cases."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.datasets.brats_names import UNKNOWN_GRADE
from shared.datasets.brats_table import read_table
from shared.errors import UserError


def table(folder: Path, text: str) -> Path:
    (folder / "cases.csv").write_text(text, encoding="utf-8-sig")
    return folder / "cases.csv"


def test_rows_become_cases(tmp_path: Path) -> None:
    rows = "Case,FLAIR,t1,seg,grade,group,mask\nb,b/f.mha,,b/s.nrrd,lgg,p1,b/m.nii\na, /x/f.nii.gz ,t.nii,s.nii,,,\n"
    found = read_table(table(tmp_path, rows), tmp_path, "2023", allow_missing=True)
    assert found.faults == []
    a, b = found.cases
    assert (a.id, a.group, a.grade, a.convention) == ("a", "a", UNKNOWN_GRADE, "2023")
    assert a.files == {"t1": tmp_path / "t.nii", "flair": Path("/x/f.nii.gz"), "seg": tmp_path / "s.nii"}
    assert (a.channel_order, a.images) == (["t1", "flair"], [tmp_path / "t.nii", Path("/x/f.nii.gz")])
    assert (b.id, b.group, b.grade, b.files["mask"]) == ("b", "p1", "LGG", tmp_path / "b/m.nii")


def test_faults_of_rows(tmp_path: Path) -> None:
    rows = "case,t1,seg,grade\n,a.nii,s.nii,\nb,b.png,s.nii,\nc,c.nii,s.nii,III\nd,d.nii\ne,e.nii,,\nE,e.nii,s.nii,\n"
    path = table(tmp_path, rows)
    faults = read_table(path, tmp_path, "2019", allow_missing=True).faults
    assert faults == [
        f"{path}, line 2, case: no name -> complete or delete the line",
        f"{path}, line 3, t1: {tmp_path}/b.png is none of .nii.gz, .nii, .mha, .nrrd -> convert it",
        f"{path}, line 4, grade: 'III' -> give HGG or LGG, or leave it empty",
        f"{path}, line 5, the whole: more or fewer fields than there are columns -> complete it",
        f"{tmp_path}/e: the id is also that of {tmp_path}/E -> rename one of them",
        f"{tmp_path}/e: no labels -> add them, or move the case elsewhere",
    ]
    strict = read_table(path, tmp_path, "2019").faults
    assert f"{tmp_path}/E: no t1ce, no t2, no flair -> add it, or give --allow_missing" in strict


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("case,t1\na,b.nii\n", "lacks the column seg"),
        ("case,seg,t1gd\na,b.nii,c.nii\n", "has a column 't1gd'"),
        ("case,seg,t1\n", "no line but the first"),
        ("", "lacks the column case; lacks the column seg"),
    ],
)
def test_faults_of_the_table(tmp_path: Path, text: str, wrong: str) -> None:
    path = table(tmp_path, text)
    columns = "case, seg, t1, t1ce, t2, flair, grade, group, mask"
    assert read_table(path, tmp_path, "2019").faults == [f"{path}: {wrong} -> the columns are {columns}"]


def test_columns_of_one_name(tmp_path: Path) -> None:
    path = table(tmp_path, "case,seg,T1, t1\na,s.nii,b.nii,c.nii\n")
    wrong = "columns of one name ('T1', ' t1') -> keep one, or rename the others"
    assert read_table(path, tmp_path, "2019").faults == [f"{path}: {wrong}"]


def test_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="table: .*none.csv does not exist; give a CSV file with the columns case, t1"):
        read_table(tmp_path / "none.csv", tmp_path, "2019")
    with pytest.raises(UserError, match="source: .*none is no folder"):
        read_table(table(tmp_path, "case,seg,t1\n"), tmp_path / "none", "2019")
