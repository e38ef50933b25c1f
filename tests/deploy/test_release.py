import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image
from running import copy_bundle, run_command

from shared.deploy import half_precision, release_run
from shared.errors import UserError


@pytest.fixture(scope="module")
def place(tmp_path_factory, nuclei):
    """A bundle of a small network and a run of it."""
    folder = tmp_path_factory.mktemp("release")
    bundle = copy_bundle("unet_dsb", folder)
    words = ["--bundle_root", bundle, "--dataset_dir", nuclei, "--output_dir", "run", "--fold", 1]
    train = bundle / "configs" / "train.json"
    run_command(folder, "training", "--config_file", train, *words, "--epochs", 1, "--batch_size", 4, "--device", "cpu")
    return folder


def test_a_run_becomes_the_weights_of_its_bundle(place, nuclei):
    bundle, results = place / "unet_dsb", place / "results"
    version = json.loads((bundle / "configs" / "metadata.json").read_text())["version"]
    told = release_run(place / "run", results)
    trained = torch.load(place / "run" / "model.pt", weights_only=True)
    shipped = torch.load(bundle / "models" / "model.pt", weights_only=True)
    assert shipped.keys() == trained.keys()
    for name, value in shipped.items():
        kept = "running_" in name or "num_batches" in name
        assert value.dtype == (trained[name].dtype if kept else torch.float16), name
        assert torch.equal(value, trained[name].to(value.dtype))

    summary = json.loads((results / "unet_dsb" / "shipped" / "summary.json").read_text())
    held_out = [c["id"] for c in json.loads((nuclei / "datalist.json").read_text())["training"] if c["fold"] == 1]
    assert (summary["fold"], summary["cases"]) == (1, len(held_out))
    kept = json.loads((results / "unet_dsb" / "shipped" / "run.json").read_text())
    assert kept["evaluation"]["starts"][0]["command"].endswith(
        f"--output_dir SCORES --split fold --checkpoint {bundle / 'models' / 'model.pt'} --min_area 30"
    )
    metadata = json.loads((bundle / "configs" / "metadata.json").read_text())
    assert metadata["version"] == f"0.{int(version.split('.')[1]) + 1}.0"
    assert next(iter(metadata["changelog"])) == metadata["version"]
    assert metadata["eval_metrics"]["iou"] == summary["iou"]
    card = (bundle / "docs" / "README.md").read_text()
    assert f"| all | {len(held_out)} | {summary['dice']:.3f} | {summary['iou']:.3f} |" in card
    assert card.count("| all |") == 1
    assert {path.name for path in (place / "run").iterdir()}.isdisjoint({"release.pt"})
    assert f"version {metadata['version']}" in told

    # The weights are found without an option.
    (place / "pictures").mkdir()
    Image.fromarray(np.zeros((20, 30), np.uint8)).save(place / "pictures" / "a.png")
    words = ["--bundle_root", bundle, "--dataset_dir", "pictures", "--output_dir", "out", "--device", "cpu"]
    run_command(place, "--config_file", bundle / "configs" / "inference.json", *words)
    assert (place / "out" / "a_seg.png").is_file()


def test_a_run_that_has_not_ended_or_is_of_another_network_changes_nothing(place, tmp_path):
    unfinished, other, all_knowing = (tmp_path / name for name in ("unfinished", "other", "all_knowing"))
    for folder in (unfinished, other, all_knowing):
        shutil.copytree(place / "run", folder)
    (unfinished / "summary.json").unlink()
    record = json.loads((all_knowing / "run.json").read_text())
    record["config"]["fold"], record["config"]["train"]["cases"]["part"] = -1, "others"
    (all_knowing / "run.json").write_text(json.dumps(record))
    torch.save({"weight": torch.zeros(1)}, other / "model.pt")
    before = {path: path.read_bytes() for path in (place / "unet_dsb").rglob("*") if path.is_file()}
    with pytest.raises(UserError, match=r"summary.json does not exist; name the folder of a training that has ended"):
        release_run(unfinished, tmp_path / "results")
    with pytest.raises(UserError, match="belongs to another network"):
        release_run(other, tmp_path / "results")
    with pytest.raises(UserError, match=r"has learned from (\d+) of the \1 validation cases"):
        release_run(all_knowing, tmp_path / "results")
    with pytest.raises(UserError, match="version: 'v2' is not of the form 1.2.3; name one that is"):
        release_run(place / "run", tmp_path / "results", version="v2")
    with pytest.raises(UserError, match=r"more than 0.001; train a narrower network, or allow it by --max_mb \d+$"):
        release_run(place / "run", tmp_path / "results", max_mb=0.001)
    assert before == {path: path.read_bytes() for path in (place / "unet_dsb").rglob("*") if path.is_file()}
    assert not (tmp_path / "results").exists()


def test_a_run_on_volumes_brings_the_size_of_its_voxels_along(heads, tmp_path, monkeypatch):
    """Of a bundle that stands alone, its folder the working directory."""
    bundle = copy_bundle("unet3d_brats", tmp_path)
    configs = bundle / "configs"
    words = ["--bundle_root", ".", "--dataset_dir", heads, "--output_dir", "run", "--epochs", 1, "--device", "cpu"]
    voxels = {"spacing": [1.5, 1, 1], "patch_size": [32, 32, 32]}
    words += [word for name, value in voxels.items() for word in (f"--{name}", str(value))]
    run_command(bundle, "training", "--config_file", configs / "train.json", *words)
    monkeypatch.chdir(bundle)
    told = release_run("run")
    summary = json.loads((bundle / "results" / "unet3d_brats" / "shipped" / "summary.json").read_text())
    assert summary["checkpoint"].startswith("unet3d_brats/models/model.pt, version ")
    assert "network and knobs as of the run" in told
    assert json.loads((configs / "train.json").read_text()).items() >= voxels.items()
    shipped = torch.load(bundle / "models" / "model.pt", weights_only=True)
    assert shipped.description.items() >= voxels.items()


def test_a_weight_that_half_precision_cannot_hold_is_refused():
    network = torch.nn.Linear(1, 1)
    torch.nn.init.constant_(network.weight, 1e6)
    with pytest.raises(ValueError, match="weight holds a value"):
        half_precision(network)
