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
