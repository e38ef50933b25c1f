"""Preparing DAGM 2007: exact masks, the official split, every fault named, nothing half-made."""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from monai.transforms import Compose, LoadImaged
from PIL import Image
from raw_files import Files, png, unpacked, zipped

from shared.datasets import LabelReader, PictureReader, select_cases
from shared.datasets.dagm import format_summary, prepare
from shared.datasets.plan import describe_plan, make_plan
from shared.errors import UserError

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "dagm2007" / "Class1.zip"
DEFECT = np.array([[0, 0, 255, 255, 0], [0, 0, 255, 0, 0], [0, 0, 0, 0, 0]], np.uint8)


def half(folder: str, defective: int, free: int, first: int = 1) -> Files:
    """A sound ``Train`` or ``Test``, its pictures 3 x 5 and each of another grey."""
    files, lines = {}, ["1"]
    for number in range(first, first + defective + free):
        files[f"{folder}/{number:04d}.PNG"] = png(np.full((3, 5), number, np.uint8))
        if number < first + defective:
            files[f"{folder}/Label/{number:04d}_label.PNG"] = png(DEFECT)
            lines.append(f"{number:04d}\t1\t{number:04d}.PNG\t0\t{number:04d}_label.PNG")
        else:
            lines.append(f"{number:04d}\t0\t{number:04d}.PNG\t0\t0\t")
    return files | {f"{folder}/Label/Labels.txt": "\n".join([*lines, ""]).encode()}


def datalist(output: Path) -> dict:
    return json.loads((output / "datalist.json").read_text(encoding="utf-8"))


def faults_of(tmp_path: Path, files: Mapping[str, bytes]) -> list[str]:
    """Prepare a zip that is not sound; return the lines of faults and make sure that nothing is left behind."""
    source = zipped(tmp_path / "Class1.zip", files)
    before = sorted(path.name for path in tmp_path.iterdir())
    with pytest.raises(UserError) as caught:
        prepare(source, tmp_path / "out", num_folds=2, num_workers=2)
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    first, *lines = str(caught.value).split("\n  ")
    assert first == f"{source}: {'1 fault' if len(lines) == 1 else f'{len(lines)} faults'}; nothing was written:"
    return lines


# What is written


def test_official_split_datalist_and_summary(tmp_path: Path) -> None:
    files = half("Class2/Train", 2, 4, first=4) | half("Class2/Test", 1, 2)
    large = np.pad(DEFECT, ((0, 1), (0, 0))).astype(np.uint16) * 257
    files |= {"Class2/Test/0001.PNG": png(large), "Class2/Test/Label/0001_label.PNG": png(large)}
    out = tmp_path / "out"
    summary = prepare(zipped(tmp_path / "dagm.zip", files), out, num_folds=2)

    content = datalist(out)
    keys = ["name", "description", "licence", "labels", "kind", "class_id", "plan", "num_folds", "seed", "training"]
    assert list(content) == [*keys, "test"]
    assert content["plan"] == make_plan([(3, 5)], [2])
    assert content["name"] == "DAGM 2007, class 2"
    assert (content["labels"], content["kind"]) == ({"0": "background", "1": "defect"}, "binary")
    assert content["test"][0] == {
        "id": "Test/0001",
        "image": "images/Test/0001.png",
        "label": "labels/Test/0001.png",
        "group": "Test/0001",
        "type": "defective",
    }
    assert [case["id"] for case in content["test"]] == ["Test/0001", "Test/0002", "Test/0003"]
    assert list(content["training"][0]) == ["id", "image", "label", "fold", "group", "type"]
    assert [case["id"] for case in content["training"]] == [f"Train/{number:04d}" for number in range(4, 10)]
    assert [case["type"] for case in content["training"]] == ["defective"] * 2 + ["defect-free"] * 4
    for wanted, cases in (([0, 1], content["training"][:2]), ([0, 0, 1, 1], content["training"][2:])):
        assert sorted(case["fold"] for case in cases) == wanted

    for case in content["training"] + content["test"]:
        assert (out / case["image"]).read_bytes() == files[f"Class2/{case['id']}.PNG"]
        label = Image.open(out / case["label"])
        truth = {"Test/0001": large > 0}.get(case["id"], (DEFECT > 0) & (case["type"] == "defective"))
        assert label.mode == "L"
        np.testing.assert_array_equal(label, truth)

    assert format_summary(summary).split("\n") == [
        "pictures   9 of class 2, 3 of them defective",
        "Train      6, 2 of them defective; split into folds",
        "Test       3, 1 of them defective; set apart as test",
        "per fold   3 (1 defective), 3 (1 defective)",
        "sizes      3x5: 8, 4x5: 1 (height x width)",
        "values     uint16: 1, uint8: 8",
        "labels     pixels of a defect: min 3, median 3, max 3",
        describe_plan(content["plan"]),
        f"written    0.0 MB, {out / 'datalist.json'}",
        "WARNING    Train has 2 defective pictures, the official set 66",
        "WARNING    Test has 1 defective pictures, the official set 84",
    ]
    assert summary["bytes"] == sum(file.stat().st_size for file in out.rglob("*.*"))


@pytest.mark.parametrize("name", ["Train", "Test"])
def test_one_half_alone_is_split(tmp_path: Path, name: str) -> None:
    summary = prepare(unpacked(tmp_path / "raw", half(f"Class1/{name}", 3, 9)), tmp_path / "out", num_folds=3)
    assert (summary["folds"], summary["folds_defective"], summary["deviations"].keys()) == ([4] * 3, [1] * 3, {name})
    assert f"note       there is only {name}; nothing is set apart as test" in format_summary(summary)
    assert datalist(tmp_path / "out")["test"] == []


def test_zip_and_folder_give_the_same_and_the_folder_is_not_copied(tmp_path: Path) -> None:
    files = half("Class1/Train", 2, 4) | half("Class1/Test", 2, 2)
    prepare(zipped(tmp_path / "Class1.zip", files), tmp_path / "zip", num_folds=2, num_workers=1)
    lower = {name.replace(".PNG", ".png"): data for name, data in files.items()}
    prepare(unpacked(tmp_path / "Class1", lower).parent / "Class1", tmp_path / "folder", num_folds=2, class_id=1)
    from_zip, from_folder = datalist(tmp_path / "zip"), datalist(tmp_path / "folder")
    assert not (tmp_path / "folder" / "images").exists()
    for case in from_folder["training"] + from_folder["test"]:
        assert case["image"] == f"../Class1/Class1/{case['id']}.png"
        case["image"] = f"images/{case['id']}.png"
    assert from_zip == from_folder
    for file in (tmp_path / "zip").rglob("labels/*/*.png"):
        assert file.read_bytes() == (tmp_path / "folder" / file.relative_to(tmp_path / "zip")).read_bytes()


def test_a_pipeline_loads_it_and_an_empty_mask_has_its_picture_s_size(tmp_path: Path) -> None:
    files = half("Class1/Train", 2, 2) | {"Class1/Train/0004.PNG": png(np.zeros((7, 2), np.uint8))}
    prepare(zipped(tmp_path / "Class1.zip", files), tmp_path / "out", num_folds=2)
    load = Compose(
        [
            LoadImaged("image", reader=PictureReader(channels=1), ensure_channel_first=True),
            LoadImaged("label", reader=LabelReader(), ensure_channel_first=True),
        ]
    )
    items = {case["id"]: load(case) for part in (0, 1) for case in select_cases(tmp_path / "out", "fold", part, 1)}
    assert {item["kind"] for item in items.values()} == {"binary"}
    assert items["Train/0004"]["image"].shape == items["Train/0004"]["label"].shape == (1, 2, 7)
    assert not items["Train/0004"]["label"].any()
    np.testing.assert_array_equal(items["Train/0001"]["label"][0].numpy().T, DEFECT > 0)


def test_folds_that_have_no_defect_are_told(tmp_path: Path) -> None:
    summary = prepare(zipped(tmp_path / "Class1.zip", half("Class1/Train", 1, 3)), tmp_path / "out", num_folds=2)
    (fold,) = (fold for fold, bad in enumerate(summary["folds_defective"]) if not bad)
    assert f"WARNING    fold {fold} has no defective picture; give fewer folds" in format_summary(summary)


def test_official_counts_are_no_warning(tmp_path: Path) -> None:
    summary = prepare(zipped(tmp_path / "Class2.zip", half("Train", 66, 1)), tmp_path / "out")
    assert "WARNING" not in format_summary(summary)


# What is refused


def test_all_faults_come_at_once(tmp_path: Path) -> None:
    """Of the layout, of the tables, of the files and of the folds."""
    files = half("Class1/Train", 1, 0) | half("Class1/Test", 4, 3)
    files |= {
        "../x.png": b"x",
        "Class1/Test/0008.png": png(DEFECT),
        "Class1/Test/0007.png": png(DEFECT),
        "Class1/Test/0006.PNG": b"no picture",
        "Class1/Test/0005.PNG": files["Class1/Test/0005.PNG"][:40],
        "Class1/Test/Label/0001_label.PNG": png(DEFECT[:2]),
        "Class1/Test/Label/0002_label.PNG": png(0 * DEFECT),
        "Class1/Test/Label/0003_label.PNG": b"",
        "Class1/Test/Label/0004_label.PNG": png(np.stack([DEFECT, DEFECT, 0 * DEFECT], axis=-1)),
    }
    faults = faults_of(tmp_path, files)
    again = "download or unpack it again"
    numbers = "save the numbers of the classes or instances as grey values"
    damaged = [fault for fault in faults if fault.startswith("Class1/Test/0005.PNG: damaged or unsupported (")]
    assert len(damaged) == 1
    table, label = "Class1/Test/Label/Labels.txt", "Class1/Test/Label"
    assert [fault for fault in faults if fault not in damaged] == [
        "../x.png: would be written outside the output -> do not trust this zip, download it again",
        "Class1/Test/0007.png: another name differs from it by letter case only -> delete or rename one of them",
        f"Class1/Test/0008.png: no line in {table} -> add one or delete the picture",
        "num_folds: 2 folds cannot be made of 1 groups, which are never split; give fewer folds or more cases",
        f"{label}/0001_label.PNG: label is 2x5, its picture 3x5 (height x width) -> replace the label or the picture",
        f"{label}/0002_label.PNG: empty label of a picture that is defective by Labels.txt -> {again}",
        f"{label}/0003_label.PNG: an empty file -> copy it again",
        f"{label}/0004_label.PNG: a label map in colours -> {numbers}",
        "Class1/Test/0006.PNG: not a PNG, TIFF, JPEG or BMP -> convert it to one of these",
    ]


def test_nothing_to_learn_from(tmp_path: Path) -> None:
    files = half("Class1/Train", 0, 4) | half("Class1/Test", 2, 2)
    assert faults_of(tmp_path, files) == ["Train: no picture is defective, so that nothing can be learned -> add some"]


def test_an_unfinished_download(tmp_path: Path) -> None:
    """A half without files, and links that lead nowhere."""
    folder = unpacked(tmp_path / "Class1", half("Test", 2, 2))
    (folder / "Train").mkdir()
    for name in ("0003.PNG", "Label/0001_label.PNG"):
        (folder / "Test" / name).unlink()
        (folder / "Test" / name).symlink_to("nowhere")
    with pytest.raises(UserError) as caught:
        prepare(folder, tmp_path / "out", num_folds=2, num_workers=1)
    lines = str(caught.value).split("\n  ")[1:]
    assert [line.split(" (")[0] for line in lines] == [
        "Train: no picture",
        "Train/Label: no Labels.txt, which says what pictures are defective -> download or unpack it again",
        "Test/Label/0001_label.PNG: cannot be read",
        "Test/0003.PNG: cannot be read",
    ]
    assert not (tmp_path / "out").exists()


def test_too_little_space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=30_000))
    assert faults_of(tmp_path, half("Class1/Train", 2, 2)) == [
        "output: needs about 0.0 MB, the disk has 0.0 MB free -> free some space or choose another disk"
    ]


def test_wrong_options_leave_nothing_behind(tmp_path: Path) -> None:
    source = zipped(tmp_path / "Class1.zip", half("Class1/Train", 2, 2))
    for options, message in (
        ({"num_workers": 0}, "num_workers: 0 is too few; give 1 or more"),
        ({"class_id": 2}, "class_id: .*Class1.zip does not hold class 2 but 1"),
        ({"num_folds": 1}, "num_folds: 1 is too few; give 2 or more"),
        ({"num_folds": 5}, "num_folds: 5 folds cannot be made of 4 groups"),
    ):
        with pytest.raises(UserError, match=message):
            prepare(source, tmp_path / "out", **options)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == [source]


# The real data


@pytest.mark.skipif(not DATA.is_file(), reason=f"no {DATA}")
def test_real_masks_are_the_real_labels(tmp_path: Path) -> None:
    """Each twentieth of the real cases, in a smaller zip."""
    with zipfile.ZipFile(DATA) as archive:
        first, *lines = archive.read("Class1/Test/Label/Labels.txt").decode().splitlines(keepends=True)
        lines = lines[::20]
        names = [name for line in lines for name in (line.split()[2], f"Label/{line.split()[4]}") if name != "Label/0"]
        files = {f"Class1/Test/{name}": archive.read(f"Class1/Test/{name}") for name in names}
    files["Class1/Test/Label/Labels.txt"] = "".join([first, *lines]).encode()
    summary = prepare(zipped(tmp_path / "Class1.zip", files), tmp_path / "out", num_folds=2, num_workers=2)
    assert summary["sizes"] == {"512x512": len(lines)}
    for line in lines:
        number, is_defective, *_ = line.split()
        mask = np.asarray(Image.open(tmp_path / "out" / "labels" / "Test" / f"{number}.png"))
        label = files.get(f"Class1/Test/Label/{number}_label.PNG")
        assert mask.any() == (is_defective == "1")
        np.testing.assert_array_equal(mask * 255, np.asarray(Image.open(io.BytesIO(label))) if label else 0)
