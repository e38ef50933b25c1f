import json
from pathlib import Path

import pytest

from shared.datasets import list_pictures
from shared.errors import UserError


def touch(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def test_pictures_below_the_folder_in_any_case_of_suffix(tmp_path):
    touch(tmp_path, "b.PNG", "a.tif", "x/y/c.jpeg", "notes.txt", "._a.tif", ".checkpoints/a.png", "out/a_seg.png")
    found = list_pictures(tmp_path, tmp_path / "out")
    assert [case["id"] for case in found] == ["a", "b", "x/y/c"]
    assert found[1]["image"] == str(tmp_path / "b.PNG")


def test_what_earlier_runs_have_written_is_no_input(tmp_path, caplog):
    caplog.set_level("INFO")
    touch(tmp_path, "day/a.png", "day/run.json", "inspected/run.json", "inspected/findings.csv")
    touch(tmp_path, "inspected/day/a_seg.png", "runs/1/run.json", "runs/1/model.pt", "runs/1/overlays/best.png")
    touch(tmp_path, "now/run.json", "now/findings.csv", "now/a_seg.png")
    assert [case["id"] for case in list_pictures(tmp_path, tmp_path / "now")] == ["day/a"]
    assert f"left out folders of earlier runs: 2, such as {tmp_path / 'inspected'}" in caplog.messages[0]
    assert [case["id"] for case in list_pictures(tmp_path / "runs" / "1", "out")] == ["overlays/best"]  # as asked for


def test_files_of_other_kinds_are_counted(tmp_path, caplog):
    caplog.set_level("INFO")
    touch(tmp_path, "a.png", "b.WebP", "c/d.webp", "e.czi", "LICENSE", ".hidden.webp", "out/findings.csv")
    assert len(list_pictures(tmp_path, tmp_path / "out")) == 1
    assert caplog.messages == [
        "left out files that are no pictures by their suffix: 4 (2 .webp, 1 without one, 1 .czi)"
    ]


def test_one_picture(tmp_path):
    touch(tmp_path, "a.png", "b.png")
    assert [case["id"] for case in list_pictures(tmp_path / "a.png", "out")] == ["a"]


def test_what_cannot_work_is_said_before_it_starts(tmp_path):
    with pytest.raises(UserError, match="nowhere does not exist"):
        list_pictures(tmp_path / "nowhere", "out")
    with pytest.raises(UserError, match="no picture"):
        list_pictures(tmp_path, "out")
    touch(tmp_path, "a.png", "a.tif")
    with pytest.raises(UserError, match=r"would write one result.*\n  .*a.png and .*a.tif"):
        list_pictures(tmp_path, "out")
    (tmp_path / "a.tif").rename(tmp_path / "A.tif")  # one file on many a disk
    with pytest.raises(UserError, match=r"would write one result.*\n  .*A.tif and .*a.png"):
        list_pictures(tmp_path, "out")
    with pytest.raises(UserError, match="is also dataset_dir"):
        list_pictures(tmp_path, Path(tmp_path))


def test_names_that_no_table_can_hold_are_refused(tmp_path):
    touch(tmp_path, "a.png", "x/caf\udce9.png")  # b"caf\xe9.png" on the disk
    with pytest.raises(UserError) as raised:
        list_pictures(tmp_path, "out")
    wrong = f"'{tmp_path}/x/caf\\udce9.png': the name is not UTF-8 -> rename it"
    assert str(raised.value) == f"{tmp_path}: 1 fault; nothing was written:\n  {wrong}"


def test_the_label_maps_of_a_prepared_data_set_are_no_pictures(tmp_path):
    touch(tmp_path, "images/a.png", "labels/a.png", "labels/b.png")
    case = {"id": "a", "image": "images/a.png", "label": "labels/a.png", "fold": 0}
    (tmp_path / "datalist.json").write_text(json.dumps({"training": [case]}))
    assert [each["id"] for each in list_pictures(tmp_path, "out")] == ["images/a", "labels/b"]
    assert [each["id"] for each in list_pictures(tmp_path / "labels" / "a.png", "out")] == ["a"]  # asked for by name
