"""The shipped configurations of unet3d_brats, run as they are but small."""

import json
import re
import shutil

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser
from running import ROOT, run_bundle, table

from shared.datasets.brats import prepare
from shared.errors import user_error_behind
from shared.runs import Weights

CONFIGS = ROOT / "bundles" / "unet3d_brats" / "configs"
SMALL = {"device": "cpu", "network_def::features": [4, 4, 8], "patch_size": [32, 32, 32]}
TRAINING = SMALL | {"epochs": 1, "val_interval": 1, "checkpoint_interval": 1}
SMALL_REFERENCE = {
    "validate::preprocessing::transforms::5::roi_size": [32, 32, 27],
    "validate::preprocessing::transforms::6::spatial_size": [32, 32, 32],
}


def train(heads, output, configs=("train",), **options):
    options = TRAINING | {"dataset_dir": heads, "output_dir": output} | options
    run_bundle("unet3d_brats", configs, "training", **options)


def segment(cases, output, checkpoint, configs=("inference",), **options):
    options = SMALL | {"dataset_dir": cases, "output_dir": output, "checkpoint": checkpoint} | options
    run_bundle("unet3d_brats", configs, **options)


@pytest.fixture(scope="module")
def trained(heads, once):
    """Two epochs, through the whole of ``run training``."""
    return once("heads_trained", lambda folder: train(heads, folder / "run", epochs=2)) / "run"


def raw_cases(heads):
    return heads.parent / "raw"


def test_training_leaves_everything_a_run_should(trained, heads):
    assert {path.name for path in trained.iterdir()} == {
        *("checkpoints", "model.pt", "run.json", "curves.csv", "curves.png", "tensorboard"),
        *("metrics.csv", "summary.json", "overlays"),
    }
    held_out = {c["id"] for c in json.loads((heads / "datalist.json").read_text())["training"] if c["fold"] == 0}
    rows = table(trained / "metrics.csv")
    assert {row["id"] for row in rows} == held_out
    regions = ("wt", "tc", "et")
    assert {"dice_mean", *(f"{figure}_{r}" for figure in ("dice", "hd95") for r in regions)} <= set(rows[0])
    summary = json.loads((trained / "summary.json").read_text())
    defined = [float(row["dice_wt"]) for row in rows if row["dice_wt"]]
    assert summary["dice_wt"] == pytest.approx(np.mean(defined), abs=1e-5)
    assert [path.name.split("_dice_mean_")[0] for path in sorted((trained / "overlays").iterdir())] == [
        "best",
        "median",
        "worst",
    ]


def test_one_seed_gives_one_result_and_evaluation_repeats_it(trained, heads, tmp_path):
    train(heads, tmp_path / "again", epochs=2)
    assert (tmp_path / "again" / "metrics.csv").read_bytes() == (trained / "metrics.csv").read_bytes()
    options = SMALL | {"dataset_dir": heads, "output_dir": tmp_path / "scores", "checkpoint": trained / "model.pt"}
    run_bundle("unet3d_brats", ["train", "evaluate"], **options)
    assert (tmp_path / "scores" / "fold_0" / "metrics.csv").read_bytes() == (trained / "metrics.csv").read_bytes()


def test_inference_keeps_the_grid_and_goes_on_past_a_broken_case(trained, heads, tmp_path):
    cases = tmp_path / "in"
    names = sorted(path.name for path in raw_cases(heads).glob("*/*"))[:3]
    for path in (path for path in raw_cases(heads).glob("*/*/*.nii.gz") if path.parent.name in names):
        target = cases / path.parent.name / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    (cases / names[0] / f"{names[0]}_t1.nii.gz").unlink()  # a missing modality
    (cases / names[1] / f"{names[1]}_t2.nii.gz").write_bytes(b"\x1f\x8b cut short")
    output = tmp_path / "out"
    with pytest.raises(Exception) as raised:
        segment(cases, output, trained / "model.pt", save_overlay=True, save_probability=True)
    assert "1 of 3 cases could not be segmented" in str(user_error_behind(raised.value))
    rows = {row["case"]: row for row in table(output / "findings.csv")}
    assert set(rows) == set(names)
    assert "t1" in rows[names[0]]["warnings"]
    assert f"{names[1]}_t2.nii.gz" in rows[names[1]]["error"]
    for name in (names[0], names[2]):
        source = nib.load(cases / name / f"{name}_flair.nii.gz")
        found = nib.load(output / f"{name}_seg.nii.gz")
        assert found.shape == source.shape
        assert found.get_data_dtype() == np.uint8
        assert np.array_equal(found.affine, source.affine)
        assert set(np.unique(found.dataobj)) <= {0, 1, 2, 4}
        assert nib.load(output / f"{name}_prob.nii.gz").shape == (*source.shape, 3)
        assert (output / f"{name}_overlay.png").is_file()

    before = (output / f"{names[2]}_seg.nii.gz").stat().st_mtime_ns
    (cases / names[1] / f"{names[1]}_t2.nii.gz").unlink()
    segment(cases, output, trained / "model.pt", skip_existing=True)
    assert (output / f"{names[2]}_seg.nii.gz").stat().st_mtime_ns == before
    assert not [row for row in table(output / "findings.csv") if row["error"]]


def test_the_orientation_of_a_file_changes_nothing(trained, heads, tmp_path):
    """A case whose axes are turned and swapped is segmented alike, voxel for voxel."""
    name = sorted(path.name for path in raw_cases(heads).glob("*/*"))[0]
    turned = nib.orientations.axcodes2ornt("SAR")
    for path in raw_cases(heads).glob(f"*/{name}/*.nii.gz"):
        image = nib.load(path)
        turn = nib.orientations.ornt_transform(nib.io_orientation(image.affine), turned)
        for kind, copy in (("as_is", image), ("turned", image.as_reoriented(turn))):
            (tmp_path / kind / name).mkdir(parents=True, exist_ok=True)
            nib.save(copy, tmp_path / kind / name / path.name)
    for kind in ("as_is", "turned"):
        segment(tmp_path / kind, tmp_path / f"{kind}_out", trained / "model.pt")
    straight, found = (nib.load(tmp_path / f"{kind}_out" / f"{name}_seg.nii.gz") for kind in ("as_is", "turned"))
    assert nib.aff2axcodes(found.affine) == ("S", "A", "R")
    back = nib.orientations.ornt_transform(turned, nib.io_orientation(straight.affine))
    assert np.array_equal(np.asarray(found.as_reoriented(back).dataobj), np.asarray(straight.dataobj))
    assert np.asarray(straight.dataobj).any()


def test_the_reference_recipe_reports_its_own_figures_and_the_sound_ones(heads, tmp_path):
    options = SMALL_REFERENCE | {"epoch_length": 1, "schedule": "piecewise", "rule": "head"}
    train(heads, tmp_path / "run", ("train", "reference"), **options)
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    names = {"TumorCore", "PeritumoralEdema", "EnhancingTumor", "MeanDice", "WholeTumor", "dice_wt", "hd95_wt"}
    assert names <= set(summary)
    assert summary["MeanDice"] == pytest.approx(
        np.mean([summary[name] for name in ("TumorCore", "PeritumoralEdema", "EnhancingTumor")]), abs=1e-5
    )
    cases = tmp_path / "in"
    shutil.copytree(raw_cases(heads), cases)
    next(cases.glob("*/*/*_t2.nii.gz")).write_bytes(b"\x1f\x8b cut short")
    smaller = {
        "preprocessing::transforms::4::roi_size": [32, 32, 27],
        "preprocessing::transforms::5::spatial_size": [32, 32, 32],
    }
    configs = ("inference", "reference_inference")
    with pytest.raises(Exception) as raised:
        segment(cases, tmp_path / "out", tmp_path / "run" / "model.pt", configs, **smaller)
    assert "1 of 6 cases could not be segmented" in str(user_error_behind(raised.value))
    assert len(list((tmp_path / "out").glob("*_seg.nii.gz"))) == 5


def test_a_network_of_the_four_labels(heads, tmp_path):
    train(heads, tmp_path / "run", ("train", "class_loss"))
    segment(raw_cases(heads), tmp_path / "out", tmp_path / "run" / "model.pt", ("inference", "class_inference"))
    assert len(list((tmp_path / "out").glob("*_seg.nii.gz"))) == 6


def test_few_patients_are_drawn_alike_and_lose_modalities_more_often(heads, tmp_path):
    train(heads, tmp_path / "run", ("train", "few_patients"), **{"train::sampler::num_samples": 3})
    assert len(table(tmp_path / "run" / "curves.csv")) == 1
    parser = ConfigParser()
    parser.read_config([str(CONFIGS / f"{name}.json") for name in ("train", "few_patients")])
    parser["dataset_dir"] = str(heads)
    drop = parser["train::random_transforms"][-3]
    assert (drop["_target_"].split(".")[-1], drop["prob"]) == ("RandDropModalitiesd", 0.5)
    cases = [{"group": group} for group in "abbbb"]
    parser["train::sampler"]["weights"]["cases"] = cases
    assert parser.get_parsed_content("train::sampler").weights.tolist() == [1.0, *[0.25] * 4]


def test_flips_and_several_networks(trained, heads, tmp_path):
    """Eight mirror images of two networks that are one: the mean over the flips of that one."""
    options = SMALL | {"dataset_dir": heads, "checkpoint": trained / "model.pt", "output_dir": tmp_path / "flips"}
    run_bundle("unet3d_brats", ["train", "evaluate", "evaluate_tta"], **options)
    flips, plain = (json.loads((f / "summary.json").read_text()) for f in (tmp_path / "flips" / "fold_0", trained))
    assert flips["dice_mean"] != plain["dice_mean"]
    twice = options | {"checkpoints": [str(trained / "model.pt")] * 2, "output_dir": tmp_path / "twice"}
    del twice["checkpoint"]
    run_bundle("unet3d_brats", ["train", "evaluate", "ensemble", "evaluate_tta"], **twice)
    both = json.loads((tmp_path / "twice" / "fold_0" / "summary.json").read_text())
    assert both["dice_mean"] == pytest.approx(flips["dice_mean"], abs=1e-4)
    options = {"checkpoints": twice["checkpoints"], "engine": "eager"}
    options = SMALL | {"dataset_dir": raw_cases(heads), "output_dir": tmp_path / "out"} | options
    run_bundle("unet3d_brats", ["inference", "ensemble", "tta"], **options)
    assert len(list((tmp_path / "out").glob("*_seg.nii.gz"))) == 6


@pytest.mark.parametrize(
    "configs",
    [
        ("inference", "class_inference", "ensemble", "tta"),
        ("inference", "reference_inference", "ensemble", "tta"),
        ("train", "class_loss", "evaluate", "ensemble", "evaluate_tta"),
        ("train", "reference", "evaluate", "ensemble", "evaluate_tta"),
        ("inference", "ensemble", "tta"),
        ("train", "evaluate", "ensemble", "evaluate_tta"),
    ],
)
def test_means_are_taken_of_what_the_network_tells_apart(configs):
    """Of four labels one is true in each voxel; of three regions each may be."""
    parser = ConfigParser()
    parser.read_config([str(CONFIGS / f"{name}.json") for name in configs])
    parser["network_def::features"], parser["device"], parser["networks"] = [4, 4, 8], "cpu", "$[@network_def]"
    parser["patch_size"] = [32, 32, 32]
    evaluator = "evaluate::evaluator" if "train" in configs else "evaluator"
    flips = parser.get_parsed_content(f"{evaluator}::inferer").inferer
    ensemble = parser.get_parsed_content("network")
    labels = len(configs) > (4 if "train" in configs else 3)
    assert (flips.softmax, ensemble.softmax) == (labels, labels)


def test_a_modality_left_out_at_evaluation_is_one_never_recorded(trained, heads, tmp_path):
    options = SMALL | {"dataset_dir": heads, "checkpoint": trained / "model.pt"}
    configs = ["train", "evaluate", "evaluate_missing"]
    run_bundle("unet3d_brats", configs, **options, missing=["flair", "t1"], output_dir=tmp_path / "left_out")
    shutil.copytree(raw_cases(heads), tmp_path / "raw")
    for file in [*tmp_path.glob("raw/*/*/*_flair.nii.gz"), *tmp_path.glob("raw/*/*/*_t1.nii.gz")]:
        file.unlink()
    prepare(tmp_path / "raw", tmp_path / "data", num_folds=3, num_workers=1, allow_missing=True)
    options |= {"dataset_dir": tmp_path / "data", "output_dir": tmp_path / "never"}
    run_bundle("unet3d_brats", ["train", "evaluate"], **options)
    left_out, never = (tmp_path / name / "fold_0" / "metrics.csv" for name in ("left_out", "never"))
    assert left_out.read_bytes() == never.read_bytes() != (trained / "metrics.csv").read_bytes()


def test_the_disk_cache_gives_what_memory_gives_and_knows_its_transforms(trained, heads, tmp_path):
    options = {"epochs": 2, "cache_dir": tmp_path / "cache"}
    train(heads, tmp_path / "run", ("train", "disk_cache"), **options)
    assert (tmp_path / "run" / "metrics.csv").read_bytes() == (trained / "metrics.csv").read_bytes()
    files = {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").iterdir()}
    train(heads, tmp_path / "again", ("train", "disk_cache"), **options)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").iterdir()} == files
    changed = {"train::deterministic_transforms::2::nonzero": False}
    train(heads, tmp_path / "changed", ("train", "disk_cache"), **options, **changed)
    assert len(list((tmp_path / "cache").iterdir())) == 2 * len(files)


def test_voxels_of_another_size(trained, heads, tmp_path):
    """At full resolution, as its weights want it; the grid of the file is that of the mask at any."""
    train(heads, tmp_path / "run", ("train", "full_resolution"), patch_size=[32, 32, 32])
    case = sorted(raw_cases(heads).glob("*/*"))[0]
    options = {"patch_size": [32, 32, 32]}
    segment(case, tmp_path / "out", tmp_path / "run" / "model.pt", **options)
    assert len(list((tmp_path / "out").glob("*_seg.nii.gz"))) == 1
    assert Weights(tmp_path / "run" / "model.pt", "unet3d_brats/inference")["spacing"] == [1.0, 1.0, 1.0]
    with pytest.raises(Exception) as raised:
        segment(case, tmp_path / "other", tmp_path / "run" / "model.pt", spacing=[2.0, 2.0, 2.0])
    mistake = "was trained with spacing [1.0, 1.0, 1.0], not [2.0, 2.0, 2.0]; leave --spacing out"
    assert mistake in str(user_error_behind(raised.value))
    with pytest.raises(Exception) as raised:  # the weights shipped
        run_bundle("unet3d_brats", ["inference", "full_resolution"], dataset_dir=case, output_dir=tmp_path / "other")
    mistake = "models/model.pt was trained with spacing [2.0, 2.0, 2.0], not [1.0, 1.0, 1.0]"
    assert mistake in str(user_error_behind(raised.value))
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"patch_size": [40, 40, 40]}, "patch_size: .* take multiples of 32"),
        ({"patch_size": [64, 64]}, "patch_size: .* has 2 sides, the network takes 3"),
        ({"network_def::features": [2] * 6}, r"patch_size: .* take \[64, 64, 64\]"),
        ({"fold": 9}, r"fold: 9 is not in .*datalist.json"),
        ({"cache_rate": 2.0}, "cache_rate: 2.0 will not do"),
    ],
)
def test_wrong_values_end_before_any_work(heads, tmp_path, options, message):
    with pytest.raises(Exception) as raised:
        train(heads, tmp_path / "run", **options)
    assert re.search(message, str(user_error_behind(raised.value)))
    assert not (tmp_path / "run").exists()


def test_the_wiring_that_stands_twice_is_the_same():
    train, inference, reference, reference_inference = (
        ConfigParser.load_config_file(str(CONFIGS / f"{name}.json"))
        for name in ("train", "inference", "reference", "reference_inference")
    )
    assert train["network_def"] == inference["network_def"]
    for knob in ("overlap", "lone_oedema"):
        assert train[knob] == inference[knob]
    parser = ConfigParser(train)
    parser.resolve_macro_and_relative_ids()
    validated = [t for t in parser["validate::preprocessing::transforms"] if t["keys"] != "label"]
    assert [t for t in inference["preprocessing"]["transforms"] if t["_target_"] != "CopyItemsd"] == validated
    assert reference["network_def"] == reference_inference["network_def"]
    assert reference["lone_oedema"] is reference_inference["lone_oedema"] is True  # it knows no such rule
    seen = reference["validate::preprocessing::transforms"][-2:]
    theirs = reference_inference["preprocessing::transforms"][-2:]
    assert [{**t, "keys": ""} for t in seen] == [{**t, "keys": ""} for t in theirs]


def test_the_networks_fit_their_words():
    parser = ConfigParser()
    parser.read_config(str(CONFIGS / "train.json"))
    parser.read_meta(str(CONFIGS / "metadata.json"))
    network = parser.get_parsed_content("network_def")
    image, pred = (parser["_meta_::network_data_format"][name] for name in ("inputs", "outputs"))
    with torch.no_grad():
        found = network.eval()(torch.zeros(1, image["image"]["num_channels"], 64, 64, 64))
    assert found.shape == (1, pred["pred"]["num_channels"], 64, 64, 64)
    size = sum(p.numel() for p in network.parameters())
    assert f"{size:,} parameters" in (CONFIGS.parent / "docs" / "README.md").read_text()
    assert 2 * size < 25e6  # bytes in half precision
