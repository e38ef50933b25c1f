"""Pictures of one's own, from a folder to masks, with knobs alone."""

import csv
import json

import numpy as np
import pytest
import tifffile
from PIL import Image
from running import SMALL, TRAINING, run_bundle

from shared.datasets import folder
from shared.errors import user_error_behind

SIZES = [(61, 47), (40, 83)]


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """Bright squares (class 1) and dark ones (class 2) on grey, in several formats, depths and sizes."""
    root = tmp_path_factory.mktemp("own")
    for name in ("pictures", "masks"):
        (root / name).mkdir()
    generator = np.random.default_rng(0)
    for number in range(9):
        shape = SIZES[number % 2]
        picture, mask = generator.integers(110, 140, shape), np.zeros(shape, np.uint8)
        for value, grey in ((1, 230), (2, 20)):
            top, left = generator.integers(0, 25, 2)
            mask[top : top + 12, left : left + 12] = value
            picture[mask == value] = grey
        Image.fromarray(mask).save(root / "masks" / f"{number}_mask.png")
        if number % 3 == 0:
            tifffile.imwrite(root / "pictures" / f"{number}.tif", (257 * picture).astype(np.uint16))
        elif number % 3 == 1:
            Image.fromarray(np.stack([picture] * 3, -1).astype(np.uint8)).save(root / "pictures" / f"{number}.JPG")
        else:
            Image.fromarray(picture.astype(np.uint8)).save(root / "pictures" / f"{number}.png")
    return root


@pytest.fixture(scope="module")
def trained(own):
    summary = folder.prepare(own / "pictures", own / "masks", own / "data", num_folds=3, kind="classes")
    assert summary["kind"] == "classes"
    options = {"dataset_dir": own / "data", "output_dir": own / "run", "num_classes": 2, "channels": 1, "epochs": 2}
    run_bundle("unet_dsb", ["train"], "training", **TRAINING | options)
    return own


def test_two_classes_have_a_score_each(trained):
    summary = json.loads((trained / "run" / "summary.json").read_text())
    assert summary["cases"] == 3
    assert {"dice", "dice_1", "dice_2", "iou_1", "iou_2", "dsb_score"} <= set(summary)


def test_inference_gives_a_class_to_each_instance(trained, tmp_path):
    options = {"dataset_dir": trained / "pictures", "output_dir": tmp_path / "out", "num_classes": 2, "channels": 1}
    run_bundle("unet_dsb", ["inference"], **SMALL | options, checkpoint=trained / "run" / "model.pt")
    with (tmp_path / "out" / "findings.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["id"]]
    for number in range(9):
        with Image.open(tmp_path / "out" / f"{number}_class.png") as classes:
            pixels = np.asarray(classes)
        assert pixels.shape == SIZES[number % 2]
        named = {int(row["class"]) for row in rows if row["picture"].startswith(f"{number}.")}
        assert named <= {1, 2}
        assert bool(named) == bool(pixels.any())


def test_another_number_of_classes_is_told_with_the_right_one(trained, tmp_path):
    with pytest.raises(Exception) as raised:
        run_bundle("unet_dsb", ["train"], **TRAINING | {"dataset_dir": trained / "data", "output_dir": tmp_path / "x"})
    assert "has 2, not 1; add --num_classes 2" in str(user_error_behind(raised.value))


def test_the_bundle_for_defects_takes_every_class_for_one(trained, tmp_path):
    options = TRAINING | {"dataset_dir": trained / "data", "output_dir": tmp_path / "run"}
    run_bundle("unet_industrial", ["train"], "training", **options)
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["cases"] == 3
    assert 0 <= summary["iou_defective"] <= summary["dice_defective"] <= 1
    assert summary["true_negative_rate"] is None  # every picture has a defect
    options = SMALL | {"dataset_dir": trained / "pictures", "output_dir": tmp_path / "out", "min_area": 5}
    run_bundle("unet_industrial", ["inference"], **options, checkpoint=tmp_path / "run" / "model.pt")
    with (tmp_path / "out" / "findings.csv").open() as file:
        areas = [int(row["area_px"]) for row in csv.DictReader(file) if row["id"]]
    assert all(area >= 5 for area in areas)
    assert len(list((tmp_path / "out").glob("*_seg.png"))) == 9
