"""Folders of a few small pictures with exact masks; each fault and each kind by hand."""

from __future__ import annotations

import io
import json
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any
from unicodedata import normalize

import numpy as np
import pytest
import tifffile
from PIL import Image

from shared.datasets.datalist import read_datalist
from shared.datasets.folder import format_summary, prepare
from shared.datasets.folder_pairs import ORPHAN
from shared.datasets.picture import read_label, read_picture
from shared.datasets.plan import make_plan
from shared.errors import UserError

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"
H, W = 5, 7


def write(path: Path, array: np.ndarray | list[list[int]], **options: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    array = np.asarray(array, np.uint8) if isinstance(array, list) else array
    if path.suffix in (".tif", ".tiff"):
        tifffile.imwrite(path, array, photometric="rgb" if array.ndim == 3 else "minisblack", **options)
    else:
        Image.fromarray(array).save(path, **options)


def grey(value: int = 9) -> np.ndarray:
    return np.full((H, W), value, np.uint8)


def dot(value: int = 255, row: int = 1, column: int = 2, dtype: type = np.uint8) -> np.ndarray:
    mask = np.zeros((H, W), dtype)
    mask[row, column] = value
    return mask


@pytest.fixture
def folders(tmp_path: Path) -> dict[str, Path]:
    """Four pictures with binary masks, the third without any foreground."""
    masks = {"a": dot(), "b": dot(row=4), "c": dot(0), "d": dot(column=6)}
    for number, (name, mask) in enumerate(masks.items()):
        write(tmp_path / "images" / f"{name}.png", grey(number))
        write(tmp_path / "masks" / f"{name}.png", mask)
    return {"images": tmp_path / "images", "masks": tmp_path / "masks", "output": tmp_path / "out"}


def run(folders: dict[str, Path], **options: Any) -> dict[str, Any]:
    return prepare(**folders, **{"num_folds": 2, "num_workers": 1} | options)


def labels(folders: dict[str, Path]) -> dict[str, np.ndarray]:
    content = read_datalist(folders["output"])
    return {case["id"]: read_label(case["label"]) for case in content["training"]}


def faults(folders: dict[str, Path], **options: Any) -> list[str]:
    with pytest.raises(UserError) as caught:
        run(folders, **options)
    assert not folders["output"].exists() and not list(folders["output"].parent.glob(".*"))
    return [line.strip().replace(str(folders["output"].parent), "") for line in str(caught.value).splitlines()]


def test_binary(folders: dict[str, Path]) -> None:
    summary = run(folders)
    content = json.loads((folders["output"] / "datalist.json").read_text(encoding="utf-8"))
    assert {key: content[key] for key in content if key != "training"} == {
        "name": "out",
        "description": "Pictures of the folder images, masks of the folder masks",
        "licence": "not stated",
        "labels": {"0": "background", "1": "foreground"},
        "kind": "binary",
        "num_classes": 1,
        "plan": make_plan([(H, W)] * 4, [2.0] * 3),
        "num_folds": 2,
        "seed": 0,
        "test": [],
    }
    assert [case["id"] for case in content["training"]] == ["a", "b", "c", "d"]
    first = content["training"][0]
    assert first == first | {
        "image": "../images/a.png",
        "label": "labels/a.png",
        "group": "a",
        "type": "grey-8px-foreground",
    }
    assert content["training"][2]["type"] == "grey-8px-empty"
    assert sorted(Counter(case["fold"] for case in content["training"]).values()) == [2, 2]
    with Image.open(folders["output"] / "labels" / "a.png") as image:
        assert image.mode == "L"
    for name, expected in (("a", dot(1)), ("b", dot(1, row=4)), ("c", dot(0)), ("d", dot(1, column=6))):
        np.testing.assert_array_equal(labels(folders)[name], expected)
    assert (summary["kind"], summary["reason"]) == ("binary", "the masks hold only 0 and 255")
    assert summary["labels"]["foreground"] == {"pictures": 3, "share": 3 / (4 * H * W)}
    assert (summary["empty"], summary["without_mask"], summary["folds"]) == (1, 0, [2, 2])
    assert sorted(file.name for file in folders["output"].parent.iterdir()) == ["images", "masks", "out"]


def test_formats_sizes_names_and_sub_folders_in_one_set(tmp_path: Path) -> None:
    images, masks = tmp_path / "images", tmp_path / "masks"
    colour = np.zeros((11, 3, 3), np.uint8)
    colour[0, 0] = 1, 2, 3
    write(images / "one" / "a.JPG", np.zeros((16, 16), np.uint8), format="JPEG")
    write(masks / "one" / "a_mask.png", np.eye(16, dtype=np.uint8))
    write(images / "two" / "a.tif", colour)
    write(masks / "two" / "a_Label.bmp", np.zeros((11, 3), np.uint8))
    write(images / "b.c.png", grey().astype(np.uint16) * 300)
    write(masks / "b.c_seg.TIFF", dot(1), format="TIFF")
    write(images / "d_mask.bmp", grey())
    write(masks / "d_mask.png", dot(1))
    (images / "notes.txt").write_text("not a picture")
    (images / ".hidden.png").write_text("not a picture either")
    summary = prepare(images, masks, tmp_path / "deep" / "out", num_folds=2)
    cases = {case["id"]: case for case in json.loads(Path(summary["datalist"]).read_text())["training"]}
    assert {id_: (case["image"], case["type"]) for id_, case in cases.items()} == {
        "b.c": ("../../images/b.c.png", "grey-8px-foreground"),
        "d_mask": ("../../images/d_mask.bmp", "grey-8px-foreground"),
        "one/a": ("../../images/one/a.JPG", "grey-16px-foreground"),
        "two/a": ("../../images/two/a.tif", "colour-16px-empty"),
    }
    assert cases["one/a"]["label"] == "labels/one/a.png"
    np.testing.assert_array_equal(read_label(tmp_path / "deep/out/labels/one/a.png"), np.eye(16))
    assert summary["depths"] == {"uint8": 3, "uint16": 1}
    assert summary["sizes"] == {"5x7": 2, "16x16": 1, "11x3": 1}
    assert summary["ignored"] == [str(images / "notes.txt")]


def test_masks_inside_the_images(tmp_path: Path) -> None:
    for name in "ab":
        write(tmp_path / "data" / f"{name}.png", grey(ord(name[-1])))
        write(tmp_path / "data" / "masks" / f"{name}.png", dot(1))
    summary = prepare(tmp_path / "data", tmp_path / "data" / "masks", tmp_path / "data" / "out", num_folds=2)
    assert summary["pictures"] == 2


def test_turned_picture_and_its_mask(folders: dict[str, Path]) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # stored lying, to be turned by a quarter
    write(folders["images"] / "a.png", grey().T, exif=exif)
    run(folders)
    np.testing.assert_array_equal(labels(folders)["a"], dot(1))


def test_threshold(folders: dict[str, Path]) -> None:
    write(folders["masks"] / "a.png", dot(100) + dot(101, row=3))
    message = "/masks/a.png: a binary mask that holds 0, 100, 101 -> save black and white as PNG, or give --threshold T"
    assert faults(folders, kind="binary")[1].startswith(message)
    assert run(folders, threshold=100)["reason"] == "a threshold is given"
    np.testing.assert_array_equal(labels(folders)["a"], dot(1, row=3))


def test_black_and_white_of_mixed_depth(folders: dict[str, Path]) -> None:
    write(folders["masks"] / "b.png", dot(65_535, row=4, dtype=np.uint16))
    write(folders["masks"] / "d.png", dot(column=6) > 0)  # 1 bit: white is 1
    line = (
        "/masks/d.png: holds 0 and 1, which --threshold 127 makes empty -> save its foreground as 255, or leave out "
        "--threshold and give --kind binary"
    )
    assert faults(folders, kind="binary", threshold=127)[1:] == [line]
    summary = run(folders)
    assert (summary["kind"], summary["reason"]) == ("binary", "each mask holds only 0 and one of 1, 255, 65535")
    for name, expected in (("a", dot(1)), ("b", dot(1, row=4)), ("c", dot(0)), ("d", dot(1, column=6))):
        np.testing.assert_array_equal(labels(folders)[name], expected)


def test_jpeg_masks_need_a_threshold(folders: dict[str, Path]) -> None:
    write(folders["images"] / "a.png", np.zeros((32, 32), np.uint8))
    square = np.zeros((32, 32), np.uint8)
    square[8:24, 8:24] = 255
    (folders["masks"] / "a.png").unlink()
    write(folders["masks"] / "a.jpg", square, quality=90)
    assert faults(folders)[1].startswith("/masks/a.jpg: a JPEG, whose black and white are blurred -> save black and")
    line = "/masks/a.jpg: a JPEG, which does not keep the numbers of instances -> save the mask as PNG"
    assert faults(folders, kind="instances")[1] == line
    run(folders, threshold=127)
    np.testing.assert_array_equal(labels(folders)["a"], square // 255)


def test_instances(folders: dict[str, Path]) -> None:
    (folders["masks"] / "a.png").unlink()
    write(folders["masks"] / "a.tif", dot(70_000, dtype=np.int32) + dot(9, row=0, dtype=np.int32))
    write(folders["masks"] / "b.png", grey(4))
    summary = run(folders)
    assert (summary["kind"], summary["reason"]) == ("instances", "the masks hold numbers up to 70000")
    assert (summary["objects"], summary["labels"]["object"]["pictures"]) == (4, 3)
    with Image.open(folders["output"] / "labels" / "a.png") as image:
        assert image.mode == "I;16"
    np.testing.assert_array_equal(labels(folders)["a"], dot(2) + dot(1, row=0))
    np.testing.assert_array_equal(labels(folders)["b"], grey(1))  # no background at all
    content = json.loads((folders["output"] / "datalist.json").read_text())
    assert (content["kind"], content["labels"]) == ("instances", {"0": "background", "1": "object"})


def test_classes(folders: dict[str, Path]) -> None:
    for name, value in zip("abd", (1, 2, 3), strict=True):
        write(folders["masks"] / f"{name}.png", dot(value))
    lines = faults(folders)
    assert lines[1].startswith(
        "kind: cannot be told, the masks hold 0, 1, 2, 3 -> give --kind instances, --kind classes"
    )
    summary = run(folders, kind="classes")
    np.testing.assert_array_equal(labels(folders)["b"], dot(2))
    content = json.loads((folders["output"] / "datalist.json").read_text())
    assert content["labels"] == {"0": "background", "1": "class 1", "2": "class 2", "3": "class 3"}
    assert (content["kind"], content["num_classes"]) == ("classes", 3)
    assert summary["labels"]["class 3"] == {"pictures": 1, "share": 1 / (4 * H * W)}


def test_classes_without_a_gap(folders: dict[str, Path]) -> None:
    write(folders["masks"] / "b.png", dot(1) + dot(255, row=3))
    line = "/masks/a.png: holds class 255, but no mask holds class 2 -> number the classes 1, 2, 3, ... without a gap"
    assert faults(folders, kind="classes")[1].startswith(line)
    assert "the masks hold 0, 1, 255 ->" in faults(folders)[1]
    (folders["masks"] / "b.png").unlink()
    write(folders["masks"] / "b.tif", dot(256, dtype=np.uint16))
    line = "/masks/b.tif: class 256, above 255 -> number the classes 1, 2, 3, ...; 0 is background"
    assert faults(folders, kind="classes")[1] == line


def test_a_folder_for_each_class(tmp_path: Path) -> None:
    for name in ("a", "b", "sub/c"):
        write(tmp_path / "images" / f"{name}.png", grey(ord(name[-1])))
    rust, crack = grey(255), dot(255) + dot(255, row=3)
    write(tmp_path / "masks" / "rust" / "a_mask.png", rust)
    write(tmp_path / "masks" / "crack" / "a.png", crack)
    write(tmp_path / "masks" / "crack" / "sub" / "c.png", dot(255))
    folders = {"images": tmp_path / "images", "masks": tmp_path / "masks", "output": tmp_path / "out"}
    assert faults(folders)[1].startswith(
        "/images/b.png: a picture without a mask /masks/b.* -> add it, or give --missing"
    )
    summary = run(folders, missing="empty")
    expected = grey(2)
    expected[1, 2] = expected[3, 2] = 1  # a crack in the rust: it is the smaller
    np.testing.assert_array_equal(labels(folders)["a"], expected)
    np.testing.assert_array_equal(labels(folders)["b"], dot(0))
    np.testing.assert_array_equal(labels(folders)["sub/c"], dot(1))
    content = json.loads((tmp_path / "out" / "datalist.json").read_text())
    assert content["labels"] == {"0": "background", "1": "crack", "2": "rust"}
    assert (summary["kind"], summary["overlap_pixels"], summary["overlap_pictures"]) == ("classes", 2, 1)
    assert (summary["empty"], summary["without_mask"]) == (1, 1)
    text = format_summary(summary)
    assert "masks      classes: a folder of masks for each class\n" in text
    assert "label      crack: in 2 pictures, 2.86% of all pixels\n" in text
    assert "overlaps   2 pixels of 1 pictures, each given to the class that covers less of its picture\n" in text
    assert "empty      1 pictures, 1 of them without a mask\n" in text

    folders["output"] = tmp_path / "again"
    assert "which are not instances -> leave out --kind" in faults(folders, missing="empty", kind="instances")[1]
    write(tmp_path / "masks" / "rust" / "a_mask.png", dot(7))
    assert "a_mask.png: a binary mask that holds 0, 7 -> save" in faults(folders, missing="empty")[1]


def test_missing_masks(folders: dict[str, Path]) -> None:
    (folders["masks"] / "d.png").unlink()
    assert faults(folders)[1:] == [
        "/images/d.png: a picture without a mask /masks/d.* "
        "-> add it, or give --missing empty if there is nothing to find"
    ]
    assert run(folders, missing="empty")["without_mask"] == 1
    np.testing.assert_array_equal(labels(folders)["d"], dot(0))


def test_all_faults_at_once(folders: dict[str, Path], tmp_path: Path) -> None:
    (folders["images"] / "a.png").write_bytes(b"")
    write(folders["masks"] / "b.png", np.zeros((W, H), np.uint8))
    write(folders["masks"] / "c_mask.png", dot())
    write(folders["images"] / "d.bmp", grey())
    write(folders["masks"] / "e.png", dot())
    write(folders["images"] / "f.png", grey())
    write(folders["masks"] / "f.png", np.stack([dot(), dot(0), dot(0)], axis=-1))
    write(folders["images"] / "g.png", grey())
    write(folders["masks"] / "g.png", dot(3))
    (tmp_path / "groups.csv").write_text("id,group\na,1\nb,1\nc,1\nd,1\nf,1\n")
    lines = faults(folders, groups=tmp_path / "groups.csv", kind="binary", num_workers=3)
    assert lines[0] == "/images: 8 faults; nothing was written:"
    for line in (
        "/images/a.png: an empty file -> copy it again",
        "/masks/b.png: mask is 7x5, its picture 5x7 (height x width) -> replace the mask or the picture",
        "/masks/c_mask.png: a second mask for the picture of /masks/c.png -> keep one of the two",
        "/images/d.png: differs from d.bmp only by its suffix, letter case or Unicode form -> "
        "rename or delete one of the two",
        f"/masks/e.png: a mask without a picture /images/e.* -> {ORPHAN}",
        "/masks/f.png: a label map in colours -> save the numbers of the classes or instances as grey values",
        "/groups.csv: lacks 1 ids of the data: g -> add them",
    ):
        assert line in lines
    assert any(line.startswith("/masks/g.png: a binary mask that holds 0, 3 ->") for line in lines)
    assert len(lines) == 9


def test_names_that_no_table_can_hold_are_refused(folders: dict[str, Path], tmp_path: Path) -> None:
    for part in ("images", "masks"):
        (folders[part] / "a.png").rename(folders[part] / "caf\udce9.png")
    wrong = [f"'/{part}/caf\\udce9.png': the name is not UTF-8 -> rename it" for part in ("images", "masks")]
    assert faults(folders) == ["/images: 2 faults; nothing was written:", *wrong]


def test_a_name_from_a_mac_is_the_same_name(tmp_path: Path) -> None:
    """There ``ä`` is stored as ``a`` and two dots, NFD; elsewhere as one letter, NFC."""
    ids = [normalize("NFC", id_) for id_ in ("Zähler/früh", "Zähler/spät")]
    for row, (id_, of_images, of_masks) in enumerate(zip(ids, ("NFC", "NFD"), ("NFD", "NFC"), strict=True)):
        write(tmp_path / "images" / normalize(of_images, f"{id_}.png"), grey(ord(id_[-1])))
        write(tmp_path / "masks" / normalize(of_masks, f"{id_}_mask.png"), dot(row=row))
    table = "id,group\n" + "".join(f"{normalize('NFD', id_)},{id_}\n" for id_ in ids)
    (tmp_path / "groups.csv").write_text(table, encoding="utf-8")
    folders = {"images": tmp_path / "images", "masks": tmp_path / "masks", "output": tmp_path / "out"}
    run(folders, groups=tmp_path / "groups.csv")
    assert list(labels(folders)) == ids
    for row, id_ in enumerate(ids):
        np.testing.assert_array_equal(labels(folders)[id_], dot(1, row=row))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "colour"}, "kind: 'colour' is none of auto, binary, instances, classes"),
        ({"missing": "skip"}, "missing: 'skip' is neither error nor empty"),
        ({"kind": "instances", "threshold": 3}, "threshold: it makes masks black and white, which leaves no instances"),
        ({"kind": "classes", "threshold": 3}, "threshold: makes masks black and white, which leaves no classes ->"),
        ({"threshold": -1}, "threshold: -1 is below 0"),
        ({"threshold": 255}, "has any foreground; give others, or another --threshold"),
        ({"num_workers": 0}, "num_workers: 0 is too few; give 1 or more"),
        ({"num_folds": 5}, "num_folds: 5 folds cannot be made of 4 groups"),
        ({"images": Path("nowhere")}, "/nowhere is not a folder; name the folder of the images"),
    ],
)
def test_options(folders: dict[str, Path], options: dict[str, Any], message: str) -> None:
    assert message in " ".join(faults(folders | {"images": options.pop("images", folders["images"])}, **options))


def test_folders(folders: dict[str, Path]) -> None:
    with pytest.raises(
        UserError,
        match="images is also the folder of the images; put the masks, such as those whose names are .* with mask",
    ):
        run(folders | {"masks": folders["images"]})
    for file in folders["masks"].iterdir():
        write(file, dot(0))
    assert faults(folders)[1] == "/masks: no mask holds anything but 0 -> check whether these are the masks"
    for file in folders["masks"].iterdir():
        file.unlink()
    assert faults(folders)[0].startswith("masks: no mask (.png, .tif, .tiff, .jpg, .jpeg, .bmp) in /masks or below it")
    folders["output"].mkdir()
    (folders["output"] / "kept.txt").write_text("mine")
    with pytest.raises(UserError, match="out exists and is not an empty folder; choose another, or delete it"):
        run(folders)
    assert (folders["output"] / "kept.txt").read_text() == "mine"


def test_folds_keep_groups_and_spread_what_is_empty(tmp_path: Path) -> None:
    for number in range(24):
        write(tmp_path / "images" / f"{number:02}.png", grey(number))
        write(tmp_path / "masks" / f"{number:02}.png", dot(255 * (number // 2 % 3 > 0)))
    table = "id,group\n" + "".join(f"{number:02},{number // 2}\n" for number in range(24))
    (tmp_path / "groups.csv").write_text(table)
    arguments = {"images": tmp_path / "images", "masks": tmp_path / "masks", "groups": tmp_path / "groups.csv"}
    contents = []
    for output in ("one", "two"):
        prepare(**arguments, output=tmp_path / output, num_folds=4, seed=3)
        contents.append(json.loads((tmp_path / output / "datalist.json").read_text()) | {"name": ""})
    assert contents[0] == contents[1]
    cases = contents[0]["training"]
    assert len({(case["group"], case["fold"]) for case in cases}) == 12
    empty = Counter(case["fold"] for case in cases if case["type"].endswith("empty"))
    assert empty == {0: 2, 1: 2, 2: 2, 3: 2}


def test_real_nuclei(tmp_path: Path) -> None:
    """Two real pictures (RGBA) with the masks of their nuclei painted into one map."""
    source = DATA / "dsb2018" / "stage1_train.zip"
    if not source.is_file():
        pytest.skip(f"{source} is not there")
    expected = {}
    with zipfile.ZipFile(source) as archive:
        names = archive.namelist()
        for picture in sorted(name for name in names if "/images/" in name and name.endswith(".png"))[:2]:
            id_ = Path(picture).stem
            (tmp_path / f"{id_}.png").write_bytes(archive.read(picture))
            masks = sorted(name for name in names if name.startswith(f"{id_}/masks/") and name.endswith(".png"))
            stack = np.stack([np.asarray(Image.open(io.BytesIO(archive.read(name)))) > 0 for name in masks])
            expected[id_] = (stack * np.arange(1, len(masks) + 1)[:, None, None]).max(0)
            write(tmp_path / "masks" / f"{id_}.tif", 1000 + expected[id_].astype(np.int32) * 3 - 1000 * ~stack.any(0))
    summary = prepare(tmp_path, tmp_path / "masks", tmp_path / "out", num_folds=2)
    assert (summary["kind"], summary["objects"]) == ("instances", sum(int(map_.max()) for map_ in expected.values()))
    for case in read_datalist(tmp_path / "out")["training"]:
        np.testing.assert_array_equal(read_label(case["label"]), expected[case["id"]])
        assert read_picture(case["image"]).shape == (*expected[case["id"]].shape, 3)


def test_equal_pictures_share_a_fold(folders: dict[str, Path]) -> None:
    write(folders["images"] / "d.tif", grey(1))  # the pixels of b in another kind of file
    (folders["images"] / "d.png").unlink()
    summary = run(folders)
    cases = {case["id"]: case for case in read_datalist(folders["output"])["training"]}
    assert cases["d"]["group"] == cases["b"]["group"] == "b" and cases["d"]["fold"] == cases["b"]["fold"]
    told = "WARNING    1 pictures repeat others pixel by pixel: d (b), so that these are in one fold"
    assert told in format_summary(summary)


def test_much_foreground_is_told(folders: dict[str, Path]) -> None:
    assert "black and white" not in format_summary(run(folders))
    for name in "abd":
        write(folders["masks"] / f"{name}.png", 255 - dot())
    text = format_summary(run(folders | {"output": folders["output"].with_name("more")}))
    assert "WARNING    73% of all pixels are foreground; are black and white of the masks swapped?" in text


@pytest.mark.parametrize("ending", ["_cp_masks", "-mask", "_0000", " Label", "_GT", ".seg", "_masks"])
def test_known_endings_of_masks(folders: dict[str, Path], ending: str) -> None:
    (folders["masks"] / "a.png").rename(folders["masks"] / f"a{ending}.png")
    run(folders)
    np.testing.assert_array_equal(labels(folders)["a"], dot(1))


def test_an_unknown_ending_is_told_the_known_ones(folders: dict[str, Path]) -> None:
    (folders["masks"] / "a.png").rename(folders["masks"] / "a_truth.png")
    assert "give it the picture's name and _ with mask, masks, label" in faults(folders)[1]
