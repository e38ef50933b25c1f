"""The shipped configurations of unet_industrial, run as they are but small."""

import json

import numpy as np
import pytest
from brightness import brightness_network
from monai.bundle import ConfigParser
from PIL import Image
from running import FEATURES, ROOT, SMALL, TRAINING, run_bundle, save_weights, table

from shared.errors import user_error_behind
from shared.networks import SubpixelUNet
from shared.synthetic.dagm import draw_case

CONFIGS = ROOT / "bundles" / "unet_industrial" / "configs"
THRESHOLDS = ("0.05", "0.125", "0.25", "0.5", "0.75", "0.85", "0.95", "0.99")


@pytest.fixture(scope="module")
def trained(defects, once):
    def train(folder):
        options = TRAINING | {"dataset_dir": defects, "output_dir": folder / "run"}
        run_bundle("unet_industrial", ["train"], "training", **options)

    return once("defects_trained", train) / "run"


def test_training_scores_the_fold_held_out_by_every_figure(trained, defects):
    cases = json.loads((defects / "datalist.json").read_text())["training"]
    held_out = {case["id"]: case["type"] for case in cases if case["fold"] == 0}
    rows = table(trained / "metrics.csv")
    assert {row["id"]: row["type"] for row in rows} == held_out
    summary = json.loads((trained / "summary.json").read_text())
    for threshold in THRESHOLDS:
        scores = [float(row[f"IoU_THS_{threshold}"]) for row in rows]
        assert summary[f"IoU_THS_{threshold}"] == pytest.approx(np.mean(scores), abs=1e-5)
        for name in ("true_positive_rate", "true_negative_rate"):
            assert 0 <= summary[f"{name}_{threshold}"] <= 1
    assert {"dice_defective", "iou_defective", "image_auroc", "image_ap", "pixel_ap", "detection_cost"} <= set(summary)
    assert summary["threshold"] == json.loads((CONFIGS / "train.json").read_text())["threshold"]
    assert all((row["dice_defective"] == "") == (row["type"] == "defect-free") for row in rows)
    assert len(list((trained / "overlays").iterdir())) == 3


def test_evaluation_repeats_the_scores_and_takes_another_threshold_and_part(trained, defects, tmp_path):
    options = SMALL | {"dataset_dir": defects, "checkpoint": trained / "model.pt"}
    run_bundle("unet_industrial", ["train", "evaluate"], output_dir=tmp_path / "same", **options)
    assert (tmp_path / "same" / "fold_0" / "metrics.csv").read_bytes() == (trained / "metrics.csv").read_bytes()
    more = {"output_dir": tmp_path / "other", "split": "test", "threshold": 0.25}
    run_bundle("unet_industrial", ["train", "evaluate"], **options | more)
    summary = json.loads((tmp_path / "other" / "test" / "summary.json").read_text())
    assert summary["cases"] == len(json.loads((defects / "datalist.json").read_text())["test"])
    assert summary["true_positive_rate"] == summary["true_positive_rate_0.25"]


def test_inspection_judges_any_size_and_goes_on_past_a_broken_file(trained, tmp_path):
    pictures, output = tmp_path / "in", tmp_path / "out"
    (pictures / "line 2").mkdir(parents=True)
    generator = np.random.default_rng(0)
    sizes = {"a.png": (1, 1), "line 2/b.PNG": (37, 91), "c.tif": (128, 64)}
    for name, size in sizes.items():
        Image.fromarray(generator.integers(0, 255, size, dtype=np.uint8)).save(pictures / name)
    (pictures / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n cut short")
    options = SMALL | {"dataset_dir": pictures, "output_dir": output, "checkpoint": trained / "model.pt"}
    with pytest.raises(Exception) as raised:
        run_bundle("unet_industrial", ["inference"], save_overlay=True, save_probability=True, threshold=0.0, **options)
    assert "1 of 4 pictures could not be segmented" in str(user_error_behind(raised.value))
    rows = table(output / "findings.csv")
    assert {row["picture"]: bool(row["error"]) for row in rows} == dict.fromkeys(sizes, False) | {"broken.png": True}
    for name, size in sizes.items():
        stem = output / name.rsplit(".", 1)[0]
        with Image.open(f"{stem}_seg.png") as mask:
            assert (mask.height, mask.width) == size
            assert (np.asarray(mask) == 255).all()  # all is above a threshold of 0
        assert {row["decision"] for row in rows if row["picture"] == name} == {"NG"}
        assert stem.with_name(f"{stem.name}_overlay.png").is_file()


def test_a_defect_on_the_borders_of_tiles_is_one_and_as_large_as_in_one_tile(tmp_path):
    surface = np.full((300, 260), 40, np.uint8)
    surface[130:190, 96:140] = 200  # bright is defect; tiles of 128 begin every 112 pixels
    Image.fromarray(surface).save(tmp_path / "a.png")
    network = brightness_network(SubpixelUNet(1, 1, FEATURES), channels=4)
    save_weights("unet_industrial", network, tmp_path / "model.pt")
    options = SMALL | {"dataset_dir": tmp_path / "a.png", "checkpoint": tmp_path / "model.pt", "amp": False}
    rows, masks = [], []
    for tile in (128, 1024):
        output = tmp_path / str(tile)
        run_bundle(
            "unet_industrial", ["inference"], output_dir=output, **options, **{"inferer::inferer::max_tile": tile}
        )
        (row,) = table(output / "findings.csv")
        rows.append({key: row[key] for key in ("decision", "box_x", "box_y", "box_w", "box_h", "area_px")})
        with Image.open(output / "a_seg.png") as mask:
            masks.append(np.asarray(mask))
    box = {"decision": "NG", "box_x": "96", "box_y": "130", "box_w": "44", "box_h": "60", "area_px": "2640"}
    assert rows == [box, box]
    assert np.array_equal(masks[0], masks[1]) and np.array_equal(masks[0] > 0, surface > 100)


def test_the_weights_shipped_find_one_defect_across_tiles_as_in_one_window(tmp_path):
    """What the network sees ends at a tile's border."""
    surface, label = draw_case(seed=6, number=1, class_id=1, shape=(384, 384))
    assert label[127].any() and label[128].any()  # the second tile of 256 begins here
    Image.fromarray(surface).save(tmp_path / "a.png")
    masks, probabilities = [], []
    for tile in (256, 1024):
        output = tmp_path / str(tile)
        options = {"device": "cpu", "dataset_dir": tmp_path / "a.png", "output_dir": output, "amp": False}
        options |= {"engine": "eager", "save_probability": True, "inferer::inferer::max_tile": tile}
        run_bundle("unet_industrial", ["inference"], **options)
        assert [row["decision"] for row in table(output / "findings.csv")] == ["NG"]  # a row per defect
        for name, found in (("seg", masks), ("prob", probabilities)):
            with Image.open(output / f"a_{name}.png") as picture:
                values = np.asarray(picture)
                found.append(values / np.iinfo(values.dtype).max)
    sizes = [mask.sum() for mask in masks]
    assert 2 * (masks[0] * masks[1]).sum() / sum(sizes) >= 0.93
    assert 2 * (masks[1] * (label > 0)).sum() / (sizes[1] + (label > 0).sum()) >= 0.85
    assert np.abs(probabilities[0] - probabilities[1]).mean() <= 0.005


def test_a_picture_beyond_the_limit_is_named_and_the_others_are_done(trained, tmp_path):
    for name, size in (("large.png", (41, 25)), ("small.png", (40, 25))):
        (tmp_path / "in").mkdir(exist_ok=True)
        Image.fromarray(np.zeros(size, np.uint8)).save(tmp_path / "in" / name)
    options = SMALL | {
        "dataset_dir": tmp_path / "in",
        "output_dir": tmp_path / "out",
        "checkpoint": trained / "model.pt",
    }
    with pytest.raises(Exception) as raised:
        run_bundle(
            "unet_industrial", ["inference"], **options, **{"preprocessing::transforms::0::reader::max_pixels": 1000}
        )
    assert "1 of 2 pictures could not be segmented" in str(user_error_behind(raised.value))
    large, small = table(tmp_path / "out" / "findings.csv")
    wrong = "large.png: 41 x 25 pixels (height x width), more than the 1000 that are allowed -> cut it into tiles"
    assert wrong in large["error"] and not small["error"] and small["decision"]


@pytest.mark.parametrize(
    "overlays",
    [[], ["reference_x_entropy"], ["reference_dice_sorensen"], ["reference_dice_jaccard"], ["reference_l2_loss"]],
)
def test_the_reference_trains_on_defective_pictures_only(defects, tmp_path, overlays):
    options = TRAINING | {"dataset_dir": defects, "output_dir": tmp_path / "run", "epochs": 2, "epoch_length": 3}
    run_bundle("unet_industrial", ["train", "reference", *overlays], "training", **options)
    assert len(table(tmp_path / "run" / "curves.csv")) == 2
    assert json.loads((tmp_path / "run" / "run.json").read_text())["data"]["cases"] == sum(
        case["fold"] != 0 and case["type"] == "defective"
        for case in json.loads((defects / "datalist.json").read_text())["training"]
    )


def test_the_reference_says_what_it_learns_from(defects, tmp_path):
    content = json.loads((defects / "datalist.json").read_text())
    for case in content["training"]:
        del case["type"]
        case |= {key: str(defects / case[key]) for key in ("image", "label")}
    (tmp_path / "datalist.json").write_text(json.dumps(content | {"test": []}))
    options = TRAINING | {"dataset_dir": tmp_path, "output_dir": tmp_path / "run", "epoch_length": 1}
    with pytest.raises(Exception) as raised:
        run_bundle("unet_industrial", ["train", "reference"], "training", **options)
    assert 'learns from defective ones alone; prepare the data set, or say "type": "defective"' in str(
        user_error_behind(raised.value)
    )
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("overlays", [[], ["reference"]])
def test_crops_keep_their_sides_and_the_cache_the_pictures_theirs(defects, overlays):
    parser = ConfigParser()
    parser.read_config([str(CONFIGS / f"{name}.json") for name in ("train", *overlays)])
    parser["dataset_dir"], parser["patch_size"], parser["begin"] = str(defects), [128, 160], []
    dataset = parser.get_parsed_content("train::dataset")
    crops = [crop for _ in range(12) for crop in np.atleast_1d(dataset[0])]
    assert {tuple(crop[key].shape) for crop in crops for key in ("image", "label")} == {(1, 128, 160)}
    assert {tuple(item["image"].shape) for item in dataset._cache} == {(1, 80, 96)}


def test_the_reference_is_as_long_and_falls_as_its_recipe_says(defects):
    parser = ConfigParser()
    parser.read_config([str(CONFIGS / f"{name}.json") for name in ("train", "reference")])
    parser["dataset_dir"], parser["begin"] = str(defects), []
    assert parser["epochs"] * parser["epoch_length"] == 2500
    assert len(parser.get_parsed_content("train::dataloader")) == parser["epoch_length"]
    schedule = parser.get_parsed_content("train::lr_scheduler")
    rates = []
    for _ in range(parser["epochs"]):
        rates.append(schedule.get_last_lr()[0])
        schedule.optimizer.step()
        schedule.step()
    assert rates[::5] == pytest.approx([1e-4, 8e-5, 6.4e-5, 5.12e-5, 4.096e-5])
    parser["epoch_length"] = 50  # an epoch is half as long
    assert parser.get_parsed_content("train::lr_scheduler").step_size == 10
    assert len(set(rates)) == 5
    picture = parser.get_parsed_content("validate::dataset")[0]["image"]
    assert -1 <= picture.min() < picture.max() <= 1


def test_the_reference_s_weights_inspect(defects, tmp_path):
    options = TRAINING | {"dataset_dir": defects, "output_dir": tmp_path / "run", "epoch_length": 1}
    run_bundle("unet_industrial", ["train", "reference"], "training", **options)
    case = json.loads((defects / "datalist.json").read_text())["training"][0]
    options = SMALL | {"dataset_dir": defects / case["image"], "output_dir": tmp_path / "out"}
    checkpoint = tmp_path / "run" / "model.pt"
    run_bundle("unet_industrial", ["inference", "reference_inference"], checkpoint=checkpoint, **options)
    with Image.open(next((tmp_path / "out").glob("*_seg.png"))) as mask:
        assert mask.size == (80, 96)


def test_a_training_with_the_pretrained_encoder_needs_no_option_afterwards(defects, tmp_path):
    options = {"device": "cpu", "dataset_dir": defects, "output_dir": tmp_path / "run", "epochs": 2, "epoch_length": 1}
    options |= {"batch_size": 2, "patch_size": [128, 128]}
    run_bundle("unet_industrial", ["train"], "training", **options)
    rows = table(tmp_path / "run" / "curves.csv")
    assert len(rows) == 2 and all(float(row["loss"]) > 0 for row in rows)
    surface, _ = draw_case(seed=0, number=0, shape=(70, 90))
    Image.fromarray(surface).save(tmp_path / "a.png")
    options = {"device": "cpu", "dataset_dir": tmp_path / "a.png", "checkpoint": tmp_path / "run" / "model.pt"}
    run_bundle("unet_industrial", ["inference"], output_dir=tmp_path / "out", **options)
    with Image.open(tmp_path / "out" / "a_seg.png") as mask:
        assert mask.size == (90, 70)


def test_tumours_are_no_pictures(heads, tmp_path):
    options = TRAINING | {"dataset_dir": heads, "output_dir": tmp_path / "run", "checkpoint": tmp_path / "model.pt"}
    save_weights("unet_industrial", SubpixelUNet(1, 1, FEATURES), tmp_path / "model.pt")
    for configs in (["train"], ["train", "evaluate"]):
        with pytest.raises(Exception) as raised:
            run_bundle("unet_industrial", configs, **options)
        assert "is made of 4 files, as volumes are" in str(user_error_behind(raised.value))
    assert not (tmp_path / "run").exists()


def test_the_wiring_that_stands_twice_is_the_same():
    train, inference = (ConfigParser.load_config_file(str(CONFIGS / f"{name}.json")) for name in ("train", "inference"))
    literal = {"in_channels": train["channels"], "imagenet": False, "downscale": 2}
    assert train["network_def"] | literal == inference["network_def"]
    ours, theirs = inference["preprocessing"]["transforms"], train["train"]["deterministic_transforms"]
    assert ours[0]["reader"] == theirs[0]["reader"]
    assert (ours[2]["_target_"], theirs[2]["_target_"]) == (
        "shared.inferers.LazyNormalizeIntensityd",  # equal to the last bit: tests/inferers/test_tiled.py
        "shared.transforms.NormalizeImaged",
    )
    assert ours[2].keys() - {"_desc_"} == theirs[2].keys() == {"_target_", "keys"}
    reference, applied = (json.loads((CONFIGS / f"reference{n}.json").read_text()) for n in ("", "_inference"))
    assert reference["network_def"] | {"in_channels": 1} == applied["network_def"]
    assert reference["train::deterministic_transforms"][2] == applied["preprocessing::transforms::2"]


def test_the_means_over_the_folds_are_their_means():
    rows = {row["score"]: row for row in table(ROOT / "results" / "unet_industrial" / "folds.csv")}
    for name in ("dice_defective", "IoU_THS_0.5", "IoU_THS_0.99", "image_auroc", "pixel_ap"):
        *values, mean = (float(rows[name][column]) for column in [*(f"fold_{n}" for n in range(5)), "mean"])
        assert sum(values) / 5 == pytest.approx(mean, abs=1e-5)
