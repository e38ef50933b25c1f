"""What an evaluation says of a network is what the files that inference writes deserve, counted anew with NumPy."""

import json
import shutil

import nibabel as nib
import numpy as np
import pytest
from brightness import brightness_network
from PIL import Image
from running import FEATURES, run_bundle, save_weights, table

from shared.datasets import folder
from shared.networks import SubpixelUNet, UNet

EXACT = {"device": "cpu", "amp": False}  # one engine and precision for both
POOLED = 0.110929  # of the reference's own masks of 96 x 96, which no min_area changes


def cases_of(data):
    return {case["id"]: case for case in json.loads((data / "datalist.json").read_text())["training"]}


def scored_and_written(bundle, data, place, overlays=((), ()), **options):
    """Rows of the evaluation of fold 0 by case, and the folder of what inference writes of the same cases."""
    options = EXACT | options
    over_train, over_inference = overlays
    run_bundle(bundle, ["train", *over_train, "evaluate"], dataset_dir=data, output_dir=place / "scores", **options)
    rows = {row["id"]: row for row in table(place / "scores" / "fold_0" / "metrics.csv")}
    for name in rows:
        images = cases_of(data)[name]["image"]
        for image in images if isinstance(images, list) else [images]:
            target = place / "in" / (name if isinstance(images, list) else "") / (data / image).name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(data / image, target)
    out = {"dataset_dir": place / "in", "output_dir": place / "out", "engine": "eager"}
    run_bundle(bundle, ["inference", *over_inference], **options | out)
    return rows, place / "out"


def pixels(path):
    with Image.open(path) as picture:
        return np.asarray(picture)


def overlap(found, true):
    """Dice and IoU, NaN where neither has anything."""
    both, sizes = np.sum(found & true), np.sum(found) + np.sum(true)
    return (2 * both / sizes, both / (sizes - both)) if sizes else (np.nan, np.nan)


def number(row, name):
    return float(row[name] or "nan")


def bright(bundle, network, file, channels, gain=1, **facts):
    """Weights that find what is bright, which on noise are many pieces of all sizes."""
    brightness_network(network, channels)
    network.get_submodule("1.final_conv" if hasattr(network, "1") else "final_conv").weight.data *= gain
    save_weights(bundle, network, file, **facts)
    return {"checkpoint": file}


@pytest.mark.parametrize("min_area", [30, 120])
def test_nuclei(nuclei, tmp_path, min_area):
    rows, written = scored_and_written("unet_dsb", nuclei, tmp_path, min_area=min_area)
    areas = []
    for name, row in rows.items():
        found, true = pixels(written / f"{name}_seg.png"), pixels(nuclei / cases_of(nuclei)[name]["label"])
        areas += np.bincount(found.ravel())[1:].tolist()
        dice, iou = overlap(found > 0, true > 0)
        assert (number(row, "dice"), number(row, "iou")) == pytest.approx((dice, iou), abs=1e-6, nan_ok=True)
    assert len(rows) == 4 and min(areas) >= min_area


@pytest.mark.parametrize(("min_area", "classes"), [(1, {0, 1, 2}), (12, {0, 1, 2}), (2000, {0})])
def test_nuclei_of_two_classes(tmp_path, min_area, classes):
    generator = np.random.default_rng(0)
    for kind in ("pictures", "masks"):
        (tmp_path / kind).mkdir()
    for name in range(6):
        picture = generator.integers(0, 255, (41, 57, 3), dtype=np.uint8)  # red is class 1, green class 2, blue depth
        Image.fromarray(picture).save(tmp_path / "pictures" / f"{name}.png")
        Image.fromarray((picture[..., 0] // 100).astype(np.uint8)).save(tmp_path / "masks" / f"{name}.png")
    data = tmp_path / "data"
    folder.prepare(tmp_path / "pictures", tmp_path / "masks", data, num_folds=3, kind="classes")
    options = bright("unet_dsb", UNet(3, 3, FEATURES), tmp_path / "model.pt", channels=3, num_classes=2)
    rows, written = scored_and_written("unet_dsb", data, tmp_path, min_area=min_area, **options)
    found_any = set()
    for name, row in rows.items():
        found, true = pixels(written / f"{name}_class.png"), pixels(data / cases_of(data)[name]["label"])
        found_any |= set(found.ravel().tolist())
        for kind in (1, 2):
            both = number(row, f"dice_{kind}"), number(row, f"iou_{kind}")
            assert both == pytest.approx(overlap(found == kind, true == kind), abs=1e-6, nan_ok=True)
    assert found_any == classes


@pytest.mark.parametrize("min_area", [30, 500])
def test_the_nuclei_reference_keeps_its_own_figure_and_scores_the_masks(nuclei, tmp_path, min_area):
    options = bright(
        "unet_dsb",
        UNet(3, 1, FEATURES),
        tmp_path / "model.pt",
        channels=1,
        gain=100,
        recipe="unet_dsb/reference_inference",
    )
    overlays = (["reference"], ["reference_inference"])
    rows, written = scored_and_written("unet_dsb", nuclei, tmp_path, overlays, min_area=min_area, **options)
    for name, row in rows.items():
        found, true = pixels(written / f"{name}_seg.png"), pixels(nuclei / cases_of(nuclei)[name]["label"])
        scores = number(row, "dice"), number(row, "iou")
        assert scores == pytest.approx(overlap(found > 0, true > 0), abs=1e-6, nan_ok=True)
    summary = json.loads((tmp_path / "scores" / "fold_0" / "summary.json").read_text())
    assert summary["dice"] > 0.05
    assert summary["iou_pooled"] == pytest.approx(POOLED, abs=1e-6)


@pytest.mark.parametrize("min_area", [1, 60])
def test_defects(defects, tmp_path, min_area):
    options = bright("unet_industrial", SubpixelUNet(1, 1, FEATURES), tmp_path / "model.pt", channels=4)
    rows, written = scored_and_written(
        "unet_industrial", defects, tmp_path, min_area=min_area, threshold=0.9999, **options
    )
    decisions = {row["picture"].removesuffix(".PNG"): row["decision"] for row in table(written / "findings.csv")}
    for name, row in rows.items():
        stem, label = (defects / cases_of(defects)[name]["image"]).stem, cases_of(defects)[name].get("label")
        found = pixels(written / f"{stem}_seg.png") > 0
        true = pixels(defects / label) > 0 if label else np.zeros_like(found)
        expected = overlap(found, true) if true.any() else (np.nan, np.nan)
        scores = number(row, "dice_defective"), number(row, "iou_defective")
        assert scores == pytest.approx(expected, abs=1e-6, nan_ok=True)
        rate = "true_positive_rate" if true.any() else "true_negative_rate"
        assert number(row, rate) == (found.any() == true.any())
        assert decisions[stem] == ("NG" if found.any() else "OK")
        assert (number(row, "defect_score") > 0.9999) == found.any()
    assert set(decisions.values()) == ({"NG"} if min_area == 1 else {"NG", "OK"})


@pytest.mark.parametrize("lone_oedema", [False, True])
def test_tumours(heads, tmp_path, lone_oedema):
    rows, written = scored_and_written("unet3d_brats", heads, tmp_path, lone_oedema=lone_oedema)
    inside = {"wt": (1, 2, 4), "tc": (1, 4), "et": (4,)}
    for name, row in rows.items():
        found = np.asarray(nib.load(written / f"{name}_seg.nii.gz").dataobj)
        true = np.asarray(nib.load(heads / cases_of(heads)[name]["label"]).dataobj)
        assert found.any()
        for region, numbers in inside.items():
            dice, _ = overlap(np.isin(found, numbers), np.isin(true, numbers))
            assert number(row, f"dice_{region}") == pytest.approx(dice, abs=1e-6, nan_ok=True)
