from pathlib import Path

import pytest

from shared.datasets.listing import list_pictures
from shared.datasets.walk import walk_folder
from shared.errors import UserError


def test_links_are_followed_but_not_round_in_circles(tmp_path: Path) -> None:
    (tmp_path / "disk" / "deep").mkdir(parents=True)
    (tmp_path / "disk" / "deep" / "b.png").touch()
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.png").touch()
    (tmp_path / "in" / "day").symlink_to(tmp_path / "disk")
    (tmp_path / "disk" / "deep" / "up").symlink_to(tmp_path / "disk")
    found = [(here.relative_to(tmp_path).as_posix(), names) for here, _, names in walk_folder(tmp_path / "in")]
    assert found == [("in", ["a.png"]), ("in/day", []), ("in/day/deep", ["b.png"])]
    names = [case["id"] for case in list_pictures(tmp_path / "in", tmp_path / "out")]
    assert names == ["a", "day/deep/b"]
    assert [case["id"] for case in list_pictures(tmp_path / "in", tmp_path)] == names  # results go above the pictures


def test_what_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none: cannot be read .*; give yourself the right"):
        list(walk_folder(tmp_path / "none"))
