"""Runs a shipped configuration in this process, as it is but small."""

from __future__ import annotations

from pathlib import Path

from monai.bundle import ConfigWorkflow

ROOT = Path(__file__).resolve().parents[1]
FEATURES = [4, 4, 8, 8, 8]
SMALL = {"device": "cpu", "network_def::features": FEATURES}
TRAINING = SMALL | {"epochs": 1, "val_interval": 1, "batch_size": 4}


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
