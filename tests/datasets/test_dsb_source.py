"""Kaggle's layout: what is a case, what is left out, what is a fault."""

from __future__ import annotations

import pytest

from shared.datasets.archive import Member
from shared.datasets.dsb_source import find_cases, find_inner_zip

SOUND = ("a/images/a.png", "a/masks/2.png", "a/masks/1.png", "b/images/b.PNG", "b/masks/1.Png")


def find(*names: str) -> tuple[list[tuple[str, list[str], list[str]]], list[str]]:
    cases, faults = find_cases([Member(name, 1) for name in names])
    return [(case.id, [m.name for m in case.images], [m.name for m in case.masks]) for case in cases], faults


def faults_beside_sound_cases(*names: str) -> list[str]:
    return find(*SOUND, *names)[1]


@pytest.mark.parametrize("base", ["", "stage1_train/", "download/stage1_train/", "images/"])
def test_cases_below_any_folder(base: str) -> None:
    cases, faults = find(*(base + name for name in SOUND))
    assert cases == [
        ("a", [f"{base}a/images/a.png"], [f"{base}a/masks/1.png", f"{base}a/masks/2.png"]),
        ("b", [f"{base}b/images/b.PNG"], [f"{base}b/masks/1.Png"]),
    ]
    assert faults == []


@pytest.mark.parametrize(
    "name",
    [
        "__MACOSX/a/masks/._1.png",
        "a/masks/._1.png",
        "a/.DS_Store",
        "a/masks/.DS_Store",
        "a/masks/Thumbs.db",
        "a/masks/",
        "a/",
        "stage1_train_labels.csv",
        "stage1_test/z/images/z.png",
    ],
)
def test_left_out(name: str) -> None:
    assert find(*SOUND, name) == find(*SOUND)


def test_backslashes_of_old_windows_zips() -> None:
    assert find("a\\images\\a.png", "a\\masks\\1.png")[0] == [("a", ["a\\images\\a.png"], ["a\\masks\\1.png"])]


@pytest.mark.parametrize(
    "name", ["../x.png", "a/masks/../../../x.png", "/etc/x.png", "C:\\x.png", "c:x.png", "\\\\x\\y.png"]
)
def test_names_that_would_leave_the_output(name: str) -> None:
    outside = "would be written outside the output -> do not trust this zip, download it again"
    assert faults_beside_sound_cases(name) == [f"{name}: {outside}"]


@pytest.mark.parametrize(
    ("names", "fault"),
    [
        (["c/masks/1.png"], "c/images: no picture -> add the PNG or delete the case"),
        (["c/images/c.png"], "c/masks: no masks -> add one PNG per nucleus or delete the case"),
        (["c/images/c.png", "c/masks/"], "c/masks: no masks -> add one PNG per nucleus or delete the case"),
        (["a/images/second.png"], "a/images: 2 pictures in one case -> keep one of them"),
        (["a/masks/3.txt"], "a/masks/3.txt: is no PNG directly in images/ or masks/ -> convert, move or delete it"),
        (["a/masks/x/3.png"], "a/masks/x/3.png: is no PNG directly in images/ or masks/ -> convert, move or delete it"),
        (["c/c.png"], "c: has neither images/ nor masks/ -> complete or delete it"),
        (["c/"], "c: has neither images/ nor masks/ -> complete or delete it"),
        (["a/masks/1.png"], "a/masks/1.png: occurs 2 times in the zip -> make the zip anew"),
    ],
)
def test_faults(names: list[str], fault: str) -> None:
    assert faults_beside_sound_cases(*names) == [fault]


def test_ids_that_would_write_one_file_on_some_disks() -> None:
    wrong = "another id differs from it by letter case only -> rename one of them"
    assert faults_beside_sound_cases("B/images/B.png", "B/masks/1.png") == [f"B: {wrong}", f"b: {wrong}"]


def test_cases_in_two_folders() -> None:
    names = [f"{folder}/{name}" for folder in ("new", "old") for name in SOUND]
    assert find(*names) == ([], ["new, old: cases in several folders -> unpack it and give one of them as --source"])


def test_nothing_there() -> None:
    assert find("readme.txt", "images/a.png") == ([], [])


def test_zip_within_the_zip() -> None:
    inner = Member("data/stage1_train.zip", 7)
    assert find_inner_zip([Member("stage1_test.zip", 1), Member("__MACOSX/stage1_train.zip", 1), inner]) == inner
    assert find_inner_zip([Member(name, 1) for name in SOUND]) is None
