"""The layout of DAGM 2007: which class lies where."""

from __future__ import annotations

from pathlib import Path

import pytest
from raw_files import unpacked, zipped

from shared.datasets.archive import Member
from shared.datasets.dagm_source import Place, choose_place, find_halves, list_place
from shared.errors import UserError

FILES = {"Train/1.PNG": b"", "Train/Label/Labels.txt": b"", "Test/2.PNG": b""}


def below(folder: str) -> dict[str, bytes]:
    return {f"{folder}/{name}": data for name, data in FILES.items()}


def test_a_class_is_found_in_every_form(tmp_path: Path) -> None:
    sources = {
        "in a zip": zipped(tmp_path / "a" / "Class3.zip", below("Class3")),
        "in a zip, deeper": zipped(
            tmp_path / "b" / "dagm.zip", below("raw/Class3") | {"__MACOSX/Class4/Test/1.PNG": b""}
        ),
        "the zip itself": zipped(tmp_path / "c" / "class_03.ZIP", FILES),
        "folder of zips": tmp_path / "a",
        "the folder": unpacked(tmp_path / "d" / "Class3", FILES),
        "its parent": tmp_path / "d",
        "deep below": unpacked(tmp_path / "e", below("raw_images/private/Class3")),
        "only one half": unpacked(tmp_path / "f", {"Class3/test/1.PNG": b""}),
    }
    for name, source in sources.items():
        for class_id in (None, 3):
            found, place = choose_place(source, class_id)
            place, members = list_place(place)
            assert found == 3, name
            halves = find_halves(place.base, members)
            assert list(halves) == (["Test"] if name == "only one half" else ["Train", "Test"])
            assert [len(half.pictures) for half in halves.values()] == [1] * len(halves)


def test_the_class_that_is_asked_for(tmp_path: Path) -> None:
    unpacked(tmp_path, below("Class2") | below("Class10") | {"Class11/Test/1.PNG": b"", "old/Class2/x.PNG": b""})
    zipped(tmp_path / "Class5.zip", below("Class5"))
    zipped(tmp_path / "Class5_def.zip", {"1.png": b""})
    assert choose_place(tmp_path, 10) == (10, Place(tmp_path, ("Class10",)))
    assert choose_place(tmp_path, 5) == (5, Place(tmp_path / "Class5.zip"))
    with pytest.raises(UserError, match=r"class_id: .* holds the classes 2, 5, 10; choose one: --class_id 2$"):
        choose_place(tmp_path, None)
    with pytest.raises(UserError, match=r"class_id: .* does not hold class 1 but 2, 5, 10$"):
        choose_place(tmp_path, 1)
    for wrong in (0, 11, -1):
        with pytest.raises(UserError, match=rf"class_id: {wrong} is not one of 1\.\.10"):
            choose_place(tmp_path, wrong)


def test_a_folder_that_does_not_tell_its_class(tmp_path: Path) -> None:
    mine = unpacked(tmp_path / "mine", FILES)
    assert choose_place(mine, 7) == (7, Place(mine))
    with pytest.raises(UserError, match="class_id: no name in .*mine tells the class; give it, such as --class_id 1"):
        choose_place(mine, None)


def test_a_class_that_is_there_twice(tmp_path: Path) -> None:
    unpacked(tmp_path, below("Class1") | below("copy/Class1"))
    zipped(tmp_path / "Class1.zip", below("Class1"))
    with pytest.raises(UserError, match="class 1 is there 3 times; give one of them:") as caught:
        choose_place(tmp_path, None)
    places = str(caught.value).split("\n  ")[1:]
    assert places == [str(tmp_path / name) for name in ("Class1", "copy/Class1", "Class1.zip")]


def test_wrong_sources(tmp_path: Path) -> None:
    (tmp_path / "zips").mkdir()
    (tmp_path / "zips" / "Class1.zip").write_text("<html>Sign in</html>")
    zipped(tmp_path / "more" / "Class1.zip", below("a") | below("b"))
    zipped(tmp_path / "public.zip", {"Class1/1.png": b""})
    (tmp_path / "cut.zip").write_bytes((tmp_path / "public.zip").read_bytes()[:-10])
    for name, message in {
        "none": "source: .*none does not exist; give ClassN.zip, a folder of such zips, or the folder ClassN",
        "zips": "source: .*Class1.zip is not a zip, or a download that was cut short",
        "more": "source: 2 folders with Train or Test in .*Class1.zip instead of one; give ClassN.zip",
        "public.zip": "source: no ClassN/Train and no ClassN/Test in .*public.zip; give ClassN.zip",
        "cut.zip": "source: .*cut.zip is not a zip, or a download that was cut short",
    }.items():
        with pytest.raises(UserError, match=message):
            list_place(choose_place(tmp_path / name, None)[1])


def test_faults_of_names() -> None:
    names = ["Train/", "Test/1.PNG", "Test/1.png", "Test/label/1_label.PNG", "Test/Label/LABELS.TXT"]
    names = [f"Class1/{name}" for name in [*names, "Test/notes.txt", "Test/old/3.PNG"]] + ["Class2/Test/4.PNG"]
    halves = find_halves(("Class1",), [Member(name, 1) for name in names])
    assert list(halves["Test"].pictures) == ["1.png"]
    assert list(halves["Test"].labels) == ["1_label.png"]
    assert [str(fault) for half in halves.values() for fault in half.faults()] == [
        "Class1/Train: no picture (*.PNG) -> unpack it again, or delete the folder",
        "Class1/Train/Label: no Labels.txt, which says what pictures are defective -> download or unpack it again",
        "Class1/Test/1.png: another name differs from it by letter case only -> delete or rename one of them",
    ]
