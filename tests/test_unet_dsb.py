"""The shipped configurations of unet_dsb, run as they are but small."""

import json
import re
import shutil

import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser
from PIL import Image
from running import ROOT, SMALL, TRAINING, run_bundle, table

from shared.errors import user_error_behind
from shared.runs.record import sha256_of

CONFIGS = ROOT / "bundles" / "unet_dsb" / "configs"


def train(nuclei, output, **options):
    options = TRAINING | {"dataset_dir": nuclei, "output_dir": output} | options
    run_bundle("unet_dsb", ["train"], "training", **options)


@pytest.fixture(scope="module")
def trained(nuclei, once):
    """Two epochs, through the whole of ``run training``."""
    return once("nuclei_trained", lambda folder: train(nuclei, folder / "run", epochs=2)) / "run"


def test_training_leaves_everything_a_run_should(trained, nuclei):
    assert {path.name for path in trained.iterdir()} == {
        *("checkpoints", "model.pt", "run.json", "curves.csv", "curves.png", "tensorboard"),
        *("metrics.csv", "summary.json", "overlays"),
    }
    held_out = {c["id"] for c in json.loads((nuclei / "datalist.json").read_text())["training"] if c["fold"] == 0}
    rows = table(trained / "metrics.csv")
    assert {row["id"] for row in rows} == held_out
    assert list(rows[0]) == ["id", "type", "dice", "iou", "dsb_score", "ap50"]
    summary = json.loads((trained / "summary.json").read_text())
    assert summary["cases"] == len(held_out)
    assert summary["iou"] == pytest.approx(np.mean([float(row["iou"]) for row in rows if row["iou"]]), abs=1e-5)
    assert len(list((trained / "overlays").iterdir())) == 3
    assert [row["epoch"] for row in table(trained / "curves.csv")] == ["1", "2"]


def test_one_seed_gives_one_result_and_a_resumed_run_the_same(trained, nuclei, tmp_path):
    again, resumed = tmp_path / "again", tmp_path / "resumed"
    train(nuclei, again, epochs=2)
    shutil.copytree(again, resumed)
    (resumed / "checkpoints" / "epoch_00002.pt").unlink()
    train(nuclei, resumed, epochs=2, resume=True)
    expected = torch.load(trained / "model.pt", weights_only=True)
    for run in (again, resumed):
        state = torch.load(run / "model.pt", weights_only=True)
        assert all(torch.equal(state[name], value) for name, value in expected.items())
        assert (run / "metrics.csv").read_bytes() == (trained / "metrics.csv").read_bytes()


def test_epoch_length_cuts_the_epoch_and_a_resume_stays_exact(nuclei, tmp_path):
    whole, resumed = tmp_path / "whole", tmp_path / "resumed"
    train(nuclei, whole, epochs=2, epoch_length=1)
    shutil.copytree(whole, resumed)
    (resumed / "checkpoints" / "epoch_00002.pt").unlink()  # as if it had been stopped after the first
    train(nuclei, resumed, epochs=2, epoch_length=1, resume=True)
    state = torch.load(whole / "checkpoints" / "epoch_00002.pt", weights_only=True)
    again = torch.load(resumed / "checkpoints" / "epoch_00002.pt", weights_only=True)
    assert state["iteration"] == again["iteration"] == 2
    assert all(torch.equal(state["network"][name], again["network"][name]) for name in state["network"])


def test_evaluation_of_the_trained_network_repeats_its_scores(trained, nuclei, tmp_path):
    options = SMALL | {"dataset_dir": nuclei, "output_dir": tmp_path, "checkpoint": trained / "model.pt"}
    run_bundle("unet_dsb", ["train", "evaluate"], **options)
    assert (tmp_path / "fold_0" / "metrics.csv").read_bytes() == (trained / "metrics.csv").read_bytes()
    run_bundle("unet_dsb", ["train", "evaluate"], split="validation", **options)
    assert json.loads((tmp_path / "validation" / "summary.json").read_text())["split"] == "validation"


def test_a_fold_that_was_learned_from_is_not_scored(trained, nuclei, tmp_path):
    shutil.copytree(trained, tmp_path / "run")
    record = json.loads((trained / "run.json").read_text()) | {"config": {"fold": 0}}  # as the command line does
    (tmp_path / "run" / "run.json").write_text(json.dumps(record))
    options = SMALL | {"dataset_dir": nuclei, "checkpoint": tmp_path / "run" / "model.pt"}
    run_bundle("unet_dsb", ["train", "evaluate"], output_dir=tmp_path / "scores", **options)
    evaluated = json.loads((tmp_path / "scores" / "fold_0" / "run.json").read_text())
    assert evaluated["checkpoint_sha256"] == sha256_of(trained / "model.pt")
    with pytest.raises(Exception) as raised:
        run_bundle("unet_dsb", ["train", "evaluate"], output_dir=tmp_path / "scores", fold=1, **options)
    assert "with fold 0 held out and has learned from what is scored" in str(user_error_behind(raised.value))
    assert not (tmp_path / "scores" / "fold_1").exists()


def test_no_fold_held_out_is_scored_on_the_pictures_that_chose(nuclei, tmp_path):
    train(nuclei, tmp_path / "run", fold=-1)
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert (summary["split"], summary["fold"]) == ("validation", -1)


def test_inference_takes_any_size_and_goes_on_past_a_broken_file(trained, tmp_path):
    pictures, output = tmp_path / "in", tmp_path / "out"
    (pictures / "plate 1").mkdir(parents=True)
    generator = np.random.default_rng(0)
    sizes = {"a.png": (1, 1), "plate 1/b.PNG": (37, 91), "c.tif": (128, 64)}
    for name, size in sizes.items():
        Image.fromarray(generator.integers(0, 255, size, dtype=np.uint8)).save(pictures / name)
    (pictures / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n cut short")
    options = SMALL | {"dataset_dir": pictures, "output_dir": output, "checkpoint": trained / "model.pt"}
    with pytest.raises(Exception) as raised:
        run_bundle("unet_dsb", ["inference"], save_overlay=True, save_probability=True, submission=True, **options)
    assert "1 of 4 pictures could not be segmented" in str(user_error_behind(raised.value))
    for name, size in sizes.items():
        stem = output / name.rsplit(".", 1)[0]
        with Image.open(f"{stem}_seg.png") as result:
            assert (result.height, result.width) == size
            assert np.asarray(result).dtype == np.uint16
        assert stem.with_name(f"{stem.name}_overlay.png").is_file()
        assert stem.with_name(f"{stem.name}_prob.png").is_file()
    rows = table(output / "findings.csv")
    counts = {row["picture"]: row["count"] for row in rows if not row["id"]}
    assert set(counts) == {*sizes, "broken.png"}
    assert sum(1 for row in rows if row["id"]) == sum(int(count) for count in counts.values() if count)
    assert {row["ImageId"] for row in table(output / "submission.csv")} == {"a", "b", "c", "broken"}

    # The broken file is mended, one result is lost: with skip_existing these two are done and nothing else.
    Image.fromarray(np.zeros((5, 7), np.uint8)).save(pictures / "broken.png")
    (output / "c_seg.png").unlink()
    before = (output / "a_seg.png").stat().st_mtime_ns
    run_bundle("unet_dsb", ["inference"], skip_existing=True, **options)
    assert (output / "c_seg.png").is_file()
    assert (output / "a_seg.png").stat().st_mtime_ns == before
    again = {row["picture"]: row["count"] for row in table(output / "findings.csv") if not row["id"]}
    assert again.pop("broken.png").isdecimal()
    assert again == {name: count for name, count in counts.items() if name != "broken.png"}


def test_pretrained_weights_of_another_number_of_channels(trained, nuclei, tmp_path, caplog):
    caplog.set_level("INFO")
    train(
        nuclei, tmp_path / "grey", pretrained=trained / "model.pt", channels=1, clip_gradient=1.0, accumulation_steps=2
    )
    assert "pretrained: not taken: conv_0.conv_0.conv.weight" in caplog.text
    weights = torch.load(tmp_path / "grey" / "model.pt", weights_only=True)
    assert weights["conv_0.conv_0.conv.weight"].shape[1] == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fold": 9}, r"fold: 9 is not in .*datalist.json; take one of \[0, 1, 2\], or -1"),
        ({"epochs": 0}, "epochs: 0 will not do; take a whole number of 1 or more"),
        ({"pretrained": "none.pt"}, "pretrained: none.pt does not exist"),
        ({"cache_rate": 2.0}, "cache_rate: 2.0 will not do; take a share between 0 and 1"),
        ({"patch_size": [128, 128, 128]}, r"patch_size: .* has 3 sides, the network takes 2; .* \[128, 128\]"),
        ({"amp": "half"}, "amp: 'half' will not do; take auto, True or False"),
        ({"dataset_dir": "."}, "no datalist.json in ."),
    ],
)
def test_wrong_values_end_before_any_work(nuclei, tmp_path, options, message):
    with pytest.raises(Exception) as raised:
        train(nuclei, tmp_path / "run", **options)
    assert re.search(message, str(user_error_behind(raised.value)))
    assert not (tmp_path / "run").exists()


def test_the_wiring_that_stands_twice_is_the_same():
    train, inference = (ConfigParser.load_config_file(str(CONFIGS / f"{name}.json")) for name in ("train", "inference"))
    literal = {"in_channels": train["channels"], "out_channels": train["num_classes"] + 1}
    assert train["network_def"] | literal == inference["network_def"]
    reading = [t for t in inference["preprocessing"]["transforms"] if t["_target_"] != "CopyItemsd"]
    assert reading == [t for t in train["train"]["deterministic_transforms"] if t["keys"] != "label"]
    parts = [t for t in inference["postprocessing"]["transforms"] if "SplitNucleid" in t["_target_"]]
    for part in ("validate", "evaluate"):
        theirs = [t for t in train[part]["postprocessing"]["transforms"] if "SplitNucleid" in t["_target_"]]
        assert [{**t, "keys": ""} for t in parts] == [{**t, "keys": ""} for t in theirs]
