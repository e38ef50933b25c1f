"""The reference recipe of unet_dsb against its own description."""

import json

import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser
from PIL import Image
from running import ROOT, SMALL, TRAINING, run_bundle, table

from shared.datasets import select_cases
from shared.errors import user_error_behind

CONFIGS = ROOT / "bundles" / "unet_dsb" / "configs"


def reference(nuclei):
    parser = ConfigParser()
    parser.read_config([str(CONFIGS / "train.json"), str(CONFIGS / "reference.json")])
    parser["dataset_dir"], parser["begin"] = str(nuclei), []
    return parser


def resized(pixels):
    """96 x 96, bilinear between pixel centres and without smoothing, written down from the definition."""
    height, width = pixels.shape[:2]
    axes = []
    for side in (height, width):
        position = np.clip((np.arange(96) + 0.5) * side / 96 - 0.5, 0, side - 1)
        low = np.floor(position).astype(int)
        axes.append((low, np.minimum(low + 1, side - 1), position - low))
    (top, bottom, down), (left, right, across) = axes
    down, across = down[:, None, None], across[None, :, None]
    upper = pixels[top][:, left] * (1 - across) + pixels[top][:, right] * across
    lower = pixels[bottom][:, left] * (1 - across) + pixels[bottom][:, right] * across
    return upper * (1 - down) + lower * down


def test_pictures_and_masks_are_what_the_reference_makes_of_them(nuclei):
    dataset = reference(nuclei).get_parsed_content("validate::dataset")
    case, item = dataset.data[0], dataset[0]
    with Image.open(case["image"]) as picture, Image.open(case["label"]) as label:
        rgb, instances = np.asarray(picture.convert("RGB")).astype(float), np.asarray(label)
    bgr = np.rint(resized(rgb))[..., ::-1]
    mean, deviation = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    expected = (bgr / 255 - mean) / deviation / 255
    found = item["image"].numpy().transpose(2, 1, 0)
    wrong = np.abs(found - expected) > 1e-6
    assert wrong.mean() < 0.002  # a value at exactly a half may be rounded either way
    assert np.abs(found - expected).max() < 1 / 255 / 0.224 / 255 + 1e-6

    mask = np.floor(255 * resized((instances > 0).astype(float)[..., None]))[..., 0] / 255
    off = np.abs(item["label"].numpy()[0].T - mask)
    assert (off > 1e-6).mean() < 0.002
    assert off.max() < 1.01 / 255


@pytest.mark.parametrize("more", [-1, 0, 1])
def test_what_is_left_over_is_dropped_but_not_all(nuclei, more):
    parser = reference(nuclei)
    parser["batch_size"] = len(select_cases(nuclei, "others", 0)) + more
    loader = parser.get_parsed_content("train::dataloader")
    assert (len(loader), loader.drop_last) == (1, more <= 0)


def test_quarter_turns_come_as_often_as_in_the_reference(nuclei):
    turn = reference(nuclei).get_parsed_content("train::random_transforms")[0]
    corner = torch.tensor([[[1.0, 2.0], [3.0, 4.0]]])
    turn.set_random_state(0)
    seen = [turn({"image": corner, "label": corner})["image"][0, 0, 0].item() for _ in range(2000)]
    shares = {value: seen.count(value) / 2000 for value in (1.0, 2.0, 3.0, 4.0)}
    assert shares[1.0] == pytest.approx(0.5 + 0.5 / 4, abs=0.03)
    assert all(shares[value] == pytest.approx(0.5 / 4, abs=0.025) for value in (2.0, 3.0, 4.0))


def test_pictures_that_are_turned_keep_their_sides(nuclei):
    parser = reference(nuclei)
    parser["patch_size"] = [64, 96]
    dataset = parser.get_parsed_content("train::dataset")
    assert {tuple(dataset[0]["image"].shape) for _ in range(12)} == {(3, 64, 96)}


@pytest.mark.parametrize("arch", ["UNet", "NestedUNet"])
def test_it_trains_reports_the_pooled_figure_and_segments(nuclei, tmp_path, arch):
    options = {"dataset_dir": nuclei, "output_dir": tmp_path / "run", "arch": f"shared.networks.{arch}"}
    run_bundle("unet_dsb", ["train", "reference"], "training", **TRAINING | options)
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert {"iou_pooled", "iou", "dice"} <= set(summary)
    curves = (tmp_path / "run" / "curves.csv").read_text()
    assert "validation_iou_pooled" in curves.splitlines()[0]
    output = tmp_path / "out"
    pictures = tmp_path / "in"
    pictures.mkdir()
    Image.fromarray(np.arange(61 * 43, dtype=np.uint16).reshape(61, 43).astype(np.uint8)).save(pictures / "a.png")
    (pictures / "b.png").write_bytes(b"\x89PNG cut short")
    options = SMALL | {"dataset_dir": pictures, "output_dir": output, "arch": f"shared.networks.{arch}"}
    checkpoint = tmp_path / "run" / "model.pt"
    configs = ["inference", "reference_inference"]
    with pytest.raises(Exception) as raised:
        run_bundle("unet_dsb", configs, checkpoint=checkpoint, save_overlay=True, **options)
    assert "1 of 2 pictures could not be segmented" in str(user_error_behind(raised.value))
    with Image.open(output / "a_seg.png") as mask:
        assert mask.size == (43, 61)


def test_what_stands_in_both_references_is_the_same():
    train, inference = (json.loads((CONFIGS / f"{n}.json").read_text()) for n in ("reference", "reference_inference"))
    literal = {"in_channels": 3, "out_channels": 1}
    assert train["network_def"] | literal == inference["network_def"]
    steps = inference["preprocessing::transforms"]
    assert steps[3] == train["train::deterministic_transforms"][4]
    assert steps[4] == train["train::normalization"]


@pytest.mark.parametrize(
    "overlays",
    [
        ["reference_bce_dice", "reference_sgd", "reference_constant"],
        ["reference_bce", "reference_deep_supervision", "reference_multistep"],
    ],
)
def test_its_other_choices_train_too(nuclei, tmp_path, overlays):
    options = TRAINING | {"dataset_dir": nuclei, "output_dir": tmp_path / "run", "epochs": 2}
    run_bundle("unet_dsb", ["train", "reference", *overlays], "training", **options)
    rates = [line.split(",")[2] for line in (tmp_path / "run" / "curves.csv").read_text().splitlines()[1:]]
    assert rates == (["0.001", "0.001"] if "reference_constant" in overlays else ["0.001", "0.000666667"])


@pytest.mark.parametrize(
    ("interval", "expected"),
    [(1, ["0.001", "0.001", "0.0001"]), (2, ["0.001", "0.001", "0.001", "0.001", "0.0001"])],
)
def test_the_rate_falls_when_the_validation_loss_does_not(nuclei, tmp_path, interval, expected):
    options = TRAINING | {"dataset_dir": nuclei, "output_dir": tmp_path / "run", "epochs": len(expected)}
    options |= {"val_interval": interval}
    never_better = {"train::lr_scheduler::threshold": 1e6, "train::lr_scheduler::threshold_mode": "abs"}
    overlays = ["train", "reference", "reference_plateau"]
    run_bundle("unet_dsb", overlays, "training", **options, **never_better, **{"train::lr_scheduler::patience": 0})
    header, *rows = [line.split(",") for line in (tmp_path / "run" / "curves.csv").read_text().splitlines()]
    assert [row[2] for row in rows] == expected
    losses = [float(loss) for row in rows if (loss := row[header.index("validation_loss")])]
    assert all(0 < loss < 2 for loss in losses)


def test_the_summary_of_the_run_is_that_of_its_curves():
    summary = json.loads((ROOT / "results" / "unet_dsb" / "reference" / "summary.json").read_text())
    curve = table(ROOT / "results" / "unet_dsb" / "reference" / "curves.csv")
    assert len(curve) == 100
    assert max(float(row["validation_iou_pooled"]) for row in curve) == pytest.approx(summary["iou_pooled"], abs=1e-4)


def test_cross_entropy_beside_dice_is_binary_for_each_class():
    parser = ConfigParser()
    parser.read_config([str(CONFIGS / f"{name}.json") for name in ("train", "reference", "reference_bce_dice")])
    output, truth = torch.randn(2, 2, 5, 7), (torch.rand(2, 2, 5, 7) > 0.5).float()
    criterion = parser.get_parsed_content("train::criterion")
    apart = [criterion(output[:, [n]], truth[:, [n]]).item() for n in range(2)]
    assert criterion(output, truth).item() == pytest.approx(sum(apart) / 2, rel=1e-5)


def test_deep_supervision_is_the_mean_over_the_outputs():
    parser = ConfigParser()
    files = [f"{name}.json" for name in ("train", "reference", "reference_bce_dice", "reference_deep_supervision")]
    parser.read_config([str(CONFIGS / name) for name in files])
    outputs, truth = [torch.randn(2, 1, 5, 7) for _ in range(4)], (torch.rand(2, 1, 5, 7) > 0.5).float()
    probability = [torch.sigmoid(output) for output in outputs]
    expected = [
        0.5 * torch.nn.functional.binary_cross_entropy(p, truth)
        + (1 - (2 * (p * truth).flatten(1).sum(1) + 1e-5) / ((p + truth).flatten(1).sum(1) + 1e-5)).mean()
        for p in probability
    ]
    found = parser.get_parsed_content("train::loss")(outputs, truth)
    assert found.item() == pytest.approx(sum(e.item() for e in expected) / 4, rel=1e-5)
