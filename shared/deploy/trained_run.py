"""A training run that has ended, and its weights scored by the bundle's own evaluation."""

from __future__ import annotations

import copy
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from monai.bundle import ConfigParser

from ..datasets import select_cases
from ..errors import UserError
from ..runs.record import read_record, sha256_of

__all__ = ["TrainedRun", "evaluate_run", "read_run", "refuse_learned"]

# The last two are written when a training has ended.
FILES = ("run.json", "model.pt", "curves.csv", "summary.json", "metrics.csv")


class TrainedRun(NamedTuple):
    """A run's folder, its ``run.json``, the merged configuration therein and the bundle that it trained."""

    folder: Path
    record: dict[str, Any]
    config: dict[str, Any]
    bundle: Path


def read_run(folder: str | Path) -> TrainedRun:
    """Read what a finished training says of itself.

    Args:
        folder: of the run.

    Raises:
        UserError: the training has not ended, was not MONAI's command line, or its bundle or data are not what they
            were: with other folds, pictures that the run has learned from would be scored.
    """
    folder = Path(folder)
    for name in FILES:
        if not (folder / name).is_file():
            raise UserError(f"run: {folder / name} does not exist; name the folder of a training that has ended")
    record = read_record(folder / "run.json")
    config = record.get("config") or {}
    if "fold" not in config or not all(isinstance(config.get(k), str) for k in ("bundle_root", "dataset_dir")):
        raise UserError(f"run: {folder} was not trained by `python -m monai.bundle run training`; name one that was")
    bundle = Path(config["bundle_root"])
    if not (bundle / "configs" / "metadata.json").is_file():
        raise UserError(f"run: the bundle {bundle} of {folder} is not here; run this where the training was started")
    datalist = Path(config["dataset_dir"]) / "datalist.json"
    if not datalist.is_file():
        raise UserError(f"run: {datalist}, the data of {folder}, is not here; run this where the training was started")
    if sha256_of(datalist) != record["data"].get("datalist_sha256"):
        raise UserError(f"run: {datalist} is not what {folder} was trained with; put it back, or train again")
    return TrainedRun(folder, record, config, bundle)


def refuse_learned(run: TrainedRun, part: str, remedy: str) -> None:
    """Refuse to score a run on pictures that it has learned from.

    Args:
        run: the training.
        part: of its data that is to be scored, see ``select_cases``.
        remedy: what to do instead.

    Raises:
        UserError: some of them are among its training cases.
    """
    learned = {case["id"] for case in ConfigParser(copy.deepcopy(run.config)).get_parsed_content("train::cases")}
    chosen = select_cases(run.config["dataset_dir"], part, run.config["fold"])
    if seen := sum(case["id"] in learned for case in chosen):
        raise UserError(
            f"run: {run.folder} has learned from {seen} of the {len(chosen)} {part} cases, on which it would look "
            f"better than it is; {remedy}"
        )


def evaluate_run(run: TrainedRun, configs: Sequence[Path], scores: Path, options: Mapping[str, Any]) -> Path:
    """Run a bundle's evaluation, on the data and with the fold of ``run``, in a process of its own.

    Args:
        run: whose data and fold it is.
        configs: configuration files, each laid over those before it.
        scores: new folder for what comes out.
        options: knobs by name, such as ``split`` and ``checkpoint``.

    Returns:
        The folder in ``scores`` that holds ``metrics.csv``, ``summary.json`` and ``run.json``.

    Raises:
        UserError: the evaluation failed.
    """
    knobs = {
        "bundle_root": run.bundle,
        "dataset_dir": run.config["dataset_dir"],
        "fold": run.config["fold"],
        "output_dir": scores,
        **options,
    }
    words = ["-m", "monai.bundle", "run", "--config_file", str([str(config) for config in configs])]
    for name, value in knobs.items():
        words += [f"--{name}", str(value)]
    if subprocess.run([sys.executable, *words], check=False).returncode:
        raise UserError(f"run: the evaluation of {run.folder} failed, see above; nothing was changed")
    (folder,) = scores.iterdir()
    return folder
