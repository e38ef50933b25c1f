"""The shipped configurations under torchrun: two processes give what one gives."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser
from running import FEATURES, ROOT, SMALL, run_bundle, save_weights, table

from shared.datasets import own_share
from shared.errors import UserError, user_error_behind
from shared.runs import record_run

BUNDLES = ("unet_dsb", "unet_industrial", "unet3d_brats")


def torchrun(folder, name, configs, run_id, *words, features=FEATURES):
    """Run ``configs`` of a bundle with two processes in ``folder``."""
    bundle = ROOT / "bundles" / name
    files = str([str(bundle / "configs" / f"{config}.json") for config in configs])
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    command += ["-m", "monai.bundle", "run", *run_id, "--config_file", files, "--bundle_root", str(bundle)]
    command += ["--device", "cpu", "--network_def::features", str(features), *map(str, words)]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    return run.returncode, run.stderr


def assert_same_scores(several, single):
    """Tables and summaries are equal but for what names the weights."""
    rows, expected = table(several / "metrics.csv"), table(single / "metrics.csv")
    assert [row["id"] for row in rows] == [row["id"] for row in expected]
    for name in [name for name in rows[0] if name not in ("id", "type")]:
        found, wanted = ([float(row[name] or "nan") for row in each] for each in (rows, expected))
        np.testing.assert_allclose(found, wanted, atol=1e-5, err_msg=name)
    found, wanted = (json.loads((folder / "summary.json").read_text()) for folder in (several, single))
    assert found.keys() == wanted.keys()
    for name in found.keys() - {"checkpoint"}:
        assert found[name] == (
            pytest.approx(wanted[name], abs=1e-5) if isinstance(found[name], float) else wanted[name]
        )


@pytest.fixture(scope="module")
def pictures(nuclei, tmp_path_factory):
    """Nuclei of which an uneven number is held out, in files that may be damaged."""
    folder = tmp_path_factory.mktemp("pictures")
    content = json.loads((nuclei / "datalist.json").read_text())
    held_out = [case for case in content["training"] if case["fold"] == 0]
    held_out.pop()["fold"] = 1
    assert len(held_out) == 3
    for case in content["training"]:
        for key in ("image", "label"):
            name = f"{key}_{case['id']}{Path(case[key]).suffix}"
            shutil.copyfile(nuclei / case[key], folder / name)
            case[key] = name
    (folder / "datalist.json").write_text(json.dumps(content))
    return folder


def train(folder, pictures, *words):
    words = ("--dataset_dir", pictures, "--epochs", 2, "--val_interval", 1, "--batch_size", 2, *words)
    return torchrun(folder, "unet_dsb", ["train", "multi_gpu_train"], ["training"], *words)


@pytest.fixture(scope="module")
def trained(pictures, tmp_path_factory):
    """Two epochs by two processes, in the folder that is named by the time."""
    folder = tmp_path_factory.mktemp("several")
    code, err = train(folder, pictures)
    assert code == 0, err[-3000:]
    (run,) = (folder / "runs" / "unet_dsb").iterdir()
    return run, err


@pytest.mark.slow
def test_all_is_written_and_said_once(trained):
    run, err = trained
    assert {path.name for path in run.iterdir()} == {
        *("checkpoints", "model.pt", "run.json", "curves.csv", "curves.png", "tensorboard"),
        *("metrics.csv", "summary.json", "overlays"),
    }
    record = json.loads((run / "run.json").read_text())
    assert (record["processes"], len(record["starts"])) == (2, 1)
    assert [row["epoch"] for row in table(run / "curves.csv")] == ["1", "2"]
    assert len(list((run / "overlays").iterdir())) == 3
    assert len(list((run / "tensorboard").iterdir())) == 2  # of training and validation
    assert err.count("train: epoch 2 of 2") == 1
    assert err.count("evaluate: dice") == 1


@pytest.mark.slow
def test_one_process_repeats_the_scores_and_those_of_validation(trained, pictures, tmp_path):
    run, _ = trained
    options = SMALL | {"dataset_dir": pictures, "output_dir": tmp_path, "checkpoint": run / "model.pt"}
    run_bundle("unet_dsb", ["train", "evaluate"], **options)
    assert_same_scores(run, tmp_path / "fold_0")
    # One picture for two processes: both take it. What they validated is what they saved, batch norm included.
    run_bundle("unet_dsb", ["train", "evaluate"], split="validation", **options)
    best = max(float(row["validation_dice"]) for row in table(run / "curves.csv"))
    assert json.loads((tmp_path / "validation" / "summary.json").read_text())["dice"] == pytest.approx(best, abs=1e-5)


@pytest.mark.slow
def test_defects_are_scored_as_by_one_process(defects, tmp_path):
    """Weights drawn at random; they tell as much as any."""
    config = ConfigParser.load_config_file(str(ROOT / "bundles" / "unet_industrial" / "configs" / "train.json"))
    network = ConfigParser({**config["network_def"], "in_channels": 1, "features": FEATURES}).get_parsed_content()
    save_weights("unet_industrial", network, tmp_path / "model.pt")
    cases = json.loads((defects / "datalist.json").read_text())["training"]
    fold = next(fold for fold in range(3) if sum(case["fold"] == fold for case in cases) % 2)
    words = ("--dataset_dir", defects, "--checkpoint", tmp_path / "model.pt", "--output_dir", tmp_path / "several")
    configs = ["train", "evaluate", "multi_gpu_train"]
    code, err = torchrun(tmp_path, "unet_industrial", configs, [], *words, "--fold", fold)
    assert code == 0, err[-3000:]
    options = SMALL | {"dataset_dir": defects, "checkpoint": tmp_path / "model.pt", "fold": fold}
    run_bundle("unet_industrial", ["train", "evaluate"], output_dir=tmp_path / "single", **options)
    assert_same_scores(tmp_path / "several" / f"fold_{fold}", tmp_path / "single" / f"fold_{fold}")
    record = json.loads((tmp_path / "several" / f"fold_{fold}" / "run.json").read_text())
    assert record["data"]["cases"] == sum(case["fold"] == fold for case in cases)


@pytest.mark.slow
def test_tumours_are_learned_in_equal_shares_and_scored_as_by_one_process(heads, tmp_path):
    """Of three cases two for each process, which is one step; one case is in both shares."""
    small = {"dataset_dir": heads, "patch_size": [32, 32, 32]}
    words = [word for key, value in small.items() for word in (f"--{key}", value)]
    words += ["--epochs", 1, "--val_interval", 1, "--batch_size", 2, "--output_dir", "run"]
    configs = ["train", "multi_gpu_train"]
    code, err = torchrun(tmp_path, "unet3d_brats", configs, ["training"], *words, features=[4, 4, 8])
    assert code == 0, err[-3000:]
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert (record["processes"], record["data"]["cases"]) == (2, 3)
    assert [row["epoch"] for row in table(tmp_path / "run" / "curves.csv")] == ["1"]
    small |= {"device": "cpu", "network_def::features": [4, 4, 8], "checkpoint": tmp_path / "run" / "model.pt"}
    run_bundle("unet3d_brats", ["train", "evaluate"], output_dir=tmp_path / "single", **small)
    assert_same_scores(tmp_path / "run", tmp_path / "single" / "fold_0")


@pytest.mark.slow
def test_a_resumed_run_goes_on_exactly_and_a_mistake_that_one_process_meets_ends_both(trained, pictures, tmp_path):
    run, _ = trained
    resumed = tmp_path / "resumed"
    shutil.copytree(run, resumed)
    for name in ("checkpoints/epoch_00002.pt", "metrics.csv"):
        (resumed / name).unlink()
    cases = json.loads((pictures / "datalist.json").read_text())["training"]
    (_, second, _) = (case for case in cases if case["fold"] == 0)  # looked at when training has ended
    (pictures / second["image"]).write_bytes(b"\x89PNG\r\n\x1a\n cut short")
    code, err = train(tmp_path, pictures, "--output_dir", resumed, "--resume", "True")
    assert code == 1
    (line,) = (line for line in err.splitlines() if line.startswith("error: "))
    assert f"{second['image']}: damaged" in line
    assert err.count("Traceback") == 1  # torchrun's own
    states = [torch.load(f / "checkpoints" / "epoch_00002.pt", weights_only=True)["network"] for f in (run, resumed)]
    assert all(torch.equal(states[1][name], value) for name, value in states[0].items())
    assert [row["epoch"] for row in table(resumed / "curves.csv")] == ["1", "2"]


def test_processes_and_configuration_must_fit(nuclei, tmp_path, monkeypatch):
    options = SMALL | {"dataset_dir": nuclei, "output_dir": tmp_path / "run"}
    with pytest.raises(Exception, match="run") as raised:
        run_bundle("unet_dsb", ["train", "multi_gpu_train"], "training", **options)
    assert "put `torchrun --standalone --nproc_per_node=2` in the place of `python`" in str(
        user_error_behind(raised.value)
    )
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(Exception, match="run") as raised:
        run_bundle("unet_dsb", ["train"], "training", **options)
    assert "name multi_gpu_train.json as the last file" in str(user_error_behind(raised.value))
    assert not (tmp_path / "run").exists()


def test_shares_make_up_the_whole_and_none_is_empty(monkeypatch):
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 3)

    def shares(count):
        for rank in range(3):
            monkeypatch.setattr(torch.distributed, "get_rank", lambda rank=rank: rank)
            yield list(own_share(range(count)))

    assert list(shares(7)) == [[0, 3, 6], [1, 4], [2, 5]]
    assert list(shares(2)) == [[0, 1]] * 3


def test_a_run_is_resumed_by_as_many_processes_as_it_had(tmp_path):
    folders = {"output_dir": tmp_path / "run", "dataset_dir": tmp_path, "cases": [1]}
    record_run(**folders, resume=False)
    file = tmp_path / "run" / "run.json"
    file.write_text(file.read_text().replace('"processes": 1', '"processes": 2'))
    with pytest.raises(UserError, match="resume: processes was 2, now is 1"):
        record_run(**folders, resume=True)


def test_the_overlay_is_the_same_in_all_bundles_but_for_what_each_process_learns_from():
    overlays = {}
    for name in BUNDLES:
        folder = ROOT / "bundles" / name / "configs"
        overlays[name] = ConfigParser.load_config_file(str(folder / "multi_gpu_train.json"))
        config = ConfigParser.load_config_file(str(folder / "train.json"))
        for part, number in (("train", 6), ("validate", 1)):
            assert config[part]["handlers"][number]["_target_"] == "TensorBoardStatsHandler"
            assert f"{part}::handlers::{number}::_disabled_" in overlays[name]
    own = {
        name: {key for key in overlay if overlay[key] != overlays["unet_dsb"].get(key)}
        for name, overlay in overlays.items()
    }
    assert own == {"unet_dsb": set(), "unet_industrial": set(), "unet3d_brats": {"train::dataset::data"}}
