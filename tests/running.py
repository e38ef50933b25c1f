"""Runs a shipped configuration as it is but small, in this process or by MONAI's command line."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import torch
from monai.bundle import ConfigWorkflow
from starting import WARM, Command

from shared.runs import describe

ROOT = Path(__file__).resolve().parents[1]
FEATURES = [4, 4, 8, 8, 8]
DATA = {"unet_dsb": "nuclei", "unet_industrial": "defects", "unet3d_brats": "heads"}  # fixtures of a bundle's data
USE = {  # what the weights of a bundle tell
    "unet_dsb": {"channels": 3, "num_classes": 1, "min_area": 30, "patch_size": [96, 96]},
    "unet_industrial": {"channels": 1, "threshold": 0.5, "min_area": 1, "patch_size": [96, 96]},
    "unet3d_brats": {"spacing": [2.0, 2.0, 2.0], "patch_size": [64, 64, 64]},
}
SMALL = {"device": "cpu", "network_def::features": FEATURES}
TRAINING = SMALL | {"epochs": 1, "epoch_length": None, "val_interval": 1, "batch_size": 4, "patch_size": [128, 128]}


def run_bundle(name, configs, run_id="run", **options):
    """Run ``configs``, such as ``["train", "evaluate"]``, of a bundle with options laid over them."""
    folder = ROOT / "bundles" / name
    workflow = ConfigWorkflow(
        config_file=[str(folder / "configs" / f"{config}.json") for config in configs],
        meta_file=str(folder / "configs" / "metadata.json"),
        logging_file=False,
        run_id=run_id,
        **{key: str(value) if isinstance(value, Path) else value for key, value in options.items()},
        bundle_root=str(folder),
    )
    workflow.initialize()
    workflow.run()
    workflow.finalize()


def copy_bundle(name, folder):
    """A copy of a bundle without its weights and with a small network, for what changes a bundle."""
    bundle = folder / name
    shutil.copytree(ROOT / "bundles" / name, bundle, ignore=shutil.ignore_patterns("models"))
    for config in ("train", "inference"):
        file = bundle / "configs" / f"{config}.json"
        content = json.loads(file.read_text())
        content["network_def"]["features"] = FEATURES
        file.write_text(json.dumps(content, indent=2))
    return bundle


def save_weights(bundle, network, path, state=None, **facts):
    """Save a network as weights of a bundle, which tell what they are for."""
    state = network.state_dict() if state is None else state
    torch.save(describe(network, state, {"recipe": f"{bundle}/inference"} | USE[bundle] | facts), path)


def table(path):
    """Rows of a CSV file."""
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def run_python(folder, *words, env=None, fresh=not WARM):
    """Run Python with these words in ``folder``; it must succeed. Returns what it prints."""
    command = Command(*words, folder=folder, env=env, fresh=fresh)
    out, err = command.communicate()
    assert command.returncode == 0, err[-3000:]
    return out


def run_command(folder, *words):
    """``python -m monai.bundle run`` in ``folder``; it must succeed."""
    run_python(folder, "-m", "monai.bundle", "run", *words)
