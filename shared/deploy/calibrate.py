"""The operating threshold of a network, from what its mistakes on pictures of known truth would cost."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from monai.bundle import ConfigParser

from ..atomic import atomic_folder, atomic_write_json, atomic_write_table
from ..atomic_save import atomic_save
from ..errors import UserError
from ..json_file import read_json
from ..runs.record import sha256_of
from .calibration_report import COLUMNS, calibration_facts, calibration_lines, curve_rows
from .cost_figure import draw_cost
from .operating_point import CostCurve, choose_threshold, trace_cost
from .trained_run import TrainedRun, evaluate_run, read_run, refuse_learned

__all__ = ["calibrate_run", "read_calibration"]

FOLDER, FILE = "calibration", "calibration.json"


def calibrate_run(
    source: str | Path,
    missed: float = 20.0,
    false_alarm: float = 1.0,
    output: str | Path | None = None,
    dataset_dir: str | Path | None = None,
) -> str:
    """Find the threshold of least expected cost on pictures of known truth.

    Of a run they are those that chose its checkpoint. They lie inside the training folds, so that the fold held out
    still scores the network with its threshold. They are evaluated with the run's own configuration, of which each
    picture has its ``defect_score``. Of a bundle they are all that ``dataset_dir`` has in its folds, evaluated with the
    weights that it ships, which should not have learned from them.

    Written are ``cost_curve.csv``, ``cost_curve.png`` and ``calibration.json``; in the run's own folder the latter is
    what ``release_run`` reads.

    Args:
        source: folder of a finished training of a bundle that decides for whole pictures, or of such a bundle.
        missed: cost of a defective picture that passes, above 0.
        false_alarm: cost of a sound picture that is rejected, above 0.
        output: folder to write; new or empty, by default ``calibration`` in the run. A bundle has no default.
        dataset_dir: prepared data set, for a bundle; a run has its own.

    Returns:
        Lines that tell the threshold, what to expect of it and how to use it.

    Raises:
        UserError: a cost is not above 0, the source cannot be used, its training took the same pictures too, or these
            are of one kind only.
    """
    for name, cost in (("missed", missed), ("false_alarm", false_alarm)):
        if not (cost > 0 and math.isfinite(cost)):
            raise UserError(f"{name}: {cost:g} will not do; take a number above 0")
    if (Path(source) / "configs" / "train.json").is_file():
        trained, model, split = _shipped(Path(source), dataset_dir, output)
    elif dataset_dir is not None:
        raise UserError("dataset_dir: goes with a bundle; a run is calibrated on its own validation pictures")
    else:
        trained = read_run(source)
        model, split = trained.folder / "model.pt", "validation"
        _check_pictures(trained)
    folder = Path(output) if output is not None else trained.folder / FOLDER
    own = folder == trained.folder / FOLDER and split == "validation"
    with atomic_folder(folder) as part:
        with TemporaryDirectory(dir=part) as workplace:
            score, defective = _scores(trained, model, split, Path(workplace))
        curve = _curve(trained, split, score, defective, missed, false_alarm)
        point = choose_threshold(curve)
        facts = calibration_facts(curve, point, missed, false_alarm)
        told = own and _tell(model, facts["threshold"])
        facts |= {
            "split": split,
            "fold": trained.config["fold"],
            "dataset_dir": str(trained.config["dataset_dir"]),
            "model_sha256": sha256_of(model),
        }
        atomic_write_table(part / "cost_curve.csv", COLUMNS, curve_rows(curve))
        draw_cost(part / "cost_curve.png", curve, point)
        atomic_write_json(part / FILE, facts)
    lines = calibration_lines(facts, curve, float(trained.config.get("threshold", 0.5)), folder)
    if told:
        lines.append(f"inspect       with --checkpoint {model}, which tells this threshold from now on")
    if own:
        lines.append(f"ship it       python -m shared release {trained.folder}")
    return "\n".join(lines)


def _shipped(bundle: Path, dataset_dir: str | Path | None, output: str | Path | None) -> tuple[TrainedRun, Path, str]:
    """A bundle's own weights, as if they came of a run that held out no picture of ``dataset_dir``."""
    for name, given, what in (
        ("dataset_dir", dataset_dir, "a prepared data set that the weights have not learned from"),
        ("output", output, "a new folder for the calibration"),
    ):
        if given is None:
            raise UserError(f"{name}: a bundle needs one; name {what}")
    model = bundle / "models" / "model.pt"
    if not model.is_file():
        raise UserError(f"source: {bundle} ships no weights; name the folder of a run")
    config = ConfigParser.load_config_file(str(bundle / "configs" / "train.json"))
    if "threshold" not in config:
        raise UserError(f"source: {bundle} does not decide for whole pictures; name a bundle such as unet_industrial")
    config |= {"bundle_root": str(bundle), "dataset_dir": str(dataset_dir), "fold": -1}
    return TrainedRun(bundle, {}, config, bundle), model, "others"


def read_calibration(run: TrainedRun) -> float | None:
    """The threshold in a run's own ``calibration/``, None if it was never calibrated.

    Raises:
        UserError: the file is damaged, or of weights that the run no longer has.
    """
    path, remedy = run.folder / FOLDER / FILE, "delete the folder and run `python -m shared calibrate` again"
    if not path.is_file():
        return None
    try:
        facts = read_json(path)
        threshold, digest = float(facts["threshold"]), facts["model_sha256"]
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: no calibration can be read from it ({error}); {remedy}") from error
    if not 0 < threshold < 1:
        raise UserError(f"{path}: the threshold {threshold} is not between 0 and 1; {remedy}")
    if digest != sha256_of(run.folder / "model.pt"):
        raise UserError(f"{path}: belongs to other weights than {run.folder / 'model.pt'}; {remedy}")
    return threshold


def _tell(model: Path, threshold: float) -> bool:
    """Let weights that tell what they are for tell the threshold as well; whether they do."""
    state = torch.load(model, map_location="cpu", weights_only=True)
    if not hasattr(state, "description"):
        return False
    state.description["threshold"] = threshold
    atomic_save(model, state)
    return True


def _check_pictures(run: TrainedRun) -> None:
    """Refuse what evaluating would only show in the end, or never."""
    with (run.folder / "metrics.csv").open(newline="", encoding="utf-8") as file:
        if "defect_score" not in next(csv.reader(file), []):
            raise UserError(
                f"run: {run.folder / 'metrics.csv'} has no defect_score; name a run of a bundle that decides for whole "
                "pictures, such as unet_industrial"
            )
    refuse_learned(run, "validation", "train with train.json alone, which leaves them out")


def _scores(run: TrainedRun, model: Path, split: str, workplace: Path) -> tuple[np.ndarray, np.ndarray]:
    """Score and truth of each picture."""
    own = workplace / "run.json"
    own.write_text(json.dumps(run.config), encoding="utf-8")
    configs = run.bundle / "configs"  # train.json comes first, for MONAI looks for its metadata and logging beside it
    options = {"split": split, "checkpoint": model}
    folder = evaluate_run(run, [configs / "train.json", own, configs / "evaluate.json"], workplace / "scores", options)
    with (folder / "metrics.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    score, defective = (np.array([float(row[name] or "nan") for row in rows]) for name in ("defect_score", "defective"))
    if np.isnan(score).any():
        raise UserError(f"run: the network of {run.folder} gives NaN for a picture; train again")
    return score, defective > 0


def _curve(
    run: TrainedRun, split: str, score: np.ndarray, defective: np.ndarray, missed: float, false_alarm: float
) -> CostCurve:
    pictures = (
        f"validation pictures of {run.folder}" if split == "validation" else f"pictures of {run.config['dataset_dir']}"
    )
    for kind, number in (("defective", np.sum(defective)), ("defect-free", np.sum(~defective))):
        if number == 0:
            raise UserError(
                f"source: none of the {len(defective)} {pictures} is {kind}, so they cannot decide; prepare a data set "
                "with more such pictures (or another --seed), and train again"
            )
    return trace_cost(score, defective, missed, false_alarm)
