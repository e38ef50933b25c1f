"""The operating threshold of a run's network, from what its mistakes on the validation pictures would cost."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from monai.bundle import ConfigParser
from scipy.special import logit
from scipy.stats import binomtest

from ..atomic import atomic_folder, atomic_write_json, atomic_write_table
from ..datasets import select_cases
from ..errors import UserError
from ..runs.record import sha256_of
from .cost_figure import draw_cost
from .operating_point import RESOLUTION, CostCurve, OperatingPoint, choose_threshold, trace_cost
from .trained_run import TrainedRun, evaluate_run, read_run

__all__ = ["calibrate_run", "read_calibration"]

FOLDER, FILE = "calibration", "calibration.json"
COLUMNS = ("threshold", "cost_per_picture", "missed", "false_alarms")  # of the cost curve
CONFIDENCE = 0.95
NARROW = 0.1  # logits; another precision or engine may move a score as far


def calibrate_run(
    run: str | Path, missed: float = 20.0, false_alarm: float = 1.0, output: str | Path | None = None
) -> str:
    """Find the threshold of least expected cost on the pictures that chose the run's checkpoint.

    They lie inside the training folds, so that the fold held out still scores the network with its threshold. They
    are evaluated with the run's own configuration, of which each picture has its ``defect_score``. Written are
    ``cost_curve.csv``, ``cost_curve.png`` and ``calibration.json``; in the run's own folder the latter is what
    ``release_run`` reads.

    Args:
        run: folder of a finished training of a bundle that decides for whole pictures.
        missed: cost of a defective picture that passes, above 0.
        false_alarm: cost of a sound picture that is rejected, above 0.
        output: folder to write; new or empty, by default ``<run>/calibration``.

    Returns:
        Lines that tell the threshold, what to expect of it and how to use it.

    Raises:
        UserError: a cost is not above 0, the run cannot be used, its training took validation pictures too, or these
            are of one kind only.
    """
    for name, cost in (("missed", missed), ("false_alarm", false_alarm)):
        if not (cost > 0 and math.isfinite(cost)):
            raise UserError(f"{name}: {cost:g} will not do; take a number above 0")
    trained = read_run(run)
    _check_pictures(trained)
    folder = Path(output) if output is not None else trained.folder / FOLDER
    with atomic_folder(folder) as part:
        with TemporaryDirectory(dir=part) as workplace:
            score, defective = _scores(trained, Path(workplace))
        curve = _curve(trained, score, defective, missed, false_alarm)
        point = choose_threshold(curve)
        facts = _facts(trained, curve, point, missed, false_alarm)
        atomic_write_table(part / "cost_curve.csv", COLUMNS, _rows(curve))
        draw_cost(part / "cost_curve.png", curve, point)
        atomic_write_json(part / FILE, facts)
    return _told(facts, trained, curve, folder)


def read_calibration(run: TrainedRun) -> float | None:
    """The threshold in a run's own ``calibration/``, None if it was never calibrated.

    Raises:
        UserError: the file is damaged, or of weights that the run no longer has.
    """
    path, remedy = run.folder / FOLDER / FILE, "delete the folder and run `python -m shared calibrate` again"
    if not path.is_file():
        return None
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        threshold, digest = float(facts["threshold"]), facts["model_sha256"]
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: no calibration can be read from it ({error}); {remedy}") from error
    if not 0 < threshold < 1:
        raise UserError(f"{path}: the threshold {threshold} is not between 0 and 1; {remedy}")
    if digest != sha256_of(run.folder / "model.pt"):
        raise UserError(f"{path}: belongs to other weights than {run.folder / 'model.pt'}; {remedy}")
    return threshold


def _check_pictures(run: TrainedRun) -> None:
    """Refuse what evaluating would only show in the end, or never."""
    with (run.folder / "metrics.csv").open(newline="", encoding="utf-8") as file:
        if "defect_score" not in next(csv.reader(file), []):
            raise UserError(
                f"run: {run.folder / 'metrics.csv'} has no defect_score; name a run of a bundle that decides for whole "
                "pictures, such as unet_industrial"
            )
    learned = {case["id"] for case in ConfigParser(run.config).get_parsed_content("train::cases")}
    chosen = select_cases(run.config["dataset_dir"], "validation", run.config["fold"])
    if seen := sum(case["id"] in learned for case in chosen):
        raise UserError(
            f"run: {run.folder} has learned from {seen} of the {len(chosen)} validation pictures, on which it would "
            "look better than it is; train with train.json alone, which leaves them out"
        )


def _scores(run: TrainedRun, workplace: Path) -> tuple[np.ndarray, np.ndarray]:
    """Score and truth of each validation picture."""
    own = workplace / "run.json"
    own.write_text(json.dumps(run.config), encoding="utf-8")
    configs = run.bundle / "configs"  # train.json comes first, for MONAI looks for its metadata and logging beside it
    options = {"split": "validation", "checkpoint": run.folder / "model.pt"}
    folder = evaluate_run(run, [configs / "train.json", own, configs / "evaluate.json"], workplace / "scores", options)
    with (folder / "metrics.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    score, defective = (np.array([float(row[name] or "nan") for row in rows]) for name in ("defect_score", "defective"))
    if np.isnan(score).any():
        raise UserError(f"run: the network of {run.folder} gives NaN for a validation picture; train again")
    return score, defective > 0


def _curve(run: TrainedRun, score: np.ndarray, defective: np.ndarray, missed: float, false_alarm: float) -> CostCurve:
    for kind, number in (("defective", np.sum(defective)), ("defect-free", np.sum(~defective))):
        if number == 0:
            raise UserError(
                f"run: none of the {len(defective)} validation pictures of {run.folder} is {kind}, so they cannot "
                "decide; prepare a data set with more such pictures (or another --seed), and train again"
            )
    return trace_cost(score, defective, missed, false_alarm)


def _facts(
    run: TrainedRun, curve: CostCurve, point: OperatingPoint, missed: float, false_alarm: float
) -> dict[str, Any]:
    cost, misses, alarms = curve.at(point.threshold)
    return {
        "threshold": point.threshold,
        "interval": [point.low, point.high],
        "cost": {"missed": missed, "false_alarm": false_alarm, "per_picture": round(cost, 6)},
        "defective": curve.defective,
        "missed": misses,
        "missed_at_most": _at_most(misses, curve.defective),
        "defect_free": curve.defect_free,
        "false_alarms": alarms,
        "false_alarms_at_most": _at_most(alarms, curve.defect_free),
        "split": "validation",
        "fold": run.config["fold"],
        "dataset_dir": str(run.config["dataset_dir"]),
        "model_sha256": sha256_of(run.folder / "model.pt"),
    }


def _at_most(number: int, of: int) -> float:
    """Upper bound of a share, one-sided, by Clopper and Pearson."""
    return round(float(binomtest(number, of, alternative="less").proportion_ci(CONFIDENCE, method="exact").high), 4)


def _rows(curve: CostCurve) -> list[dict[str, Any]]:
    return [
        dict(zip(COLUMNS, (f"{threshold:.6f}", f"{cost:.6g}", missed, alarms), strict=True))
        for threshold, cost, missed, alarms in zip(*curve[:4], strict=True)
    ]


def _beside(curve: CostCurve, low: float, high: float) -> str:
    """What the next thresholds cost: far more on one side means that a single picture decided."""
    below, above = curve.at(low - RESOLUTION / 2)[0], curve.at(min(high, 1 - RESOLUTION))[0]
    return f"below it {below:.3g} per picture, above {above:.3g}"


def _notes(facts: dict[str, Any]) -> list[str]:
    """In which respect the pictures leave the threshold open, if any."""
    (low, high), notes = facts["interval"], []
    found = facts["defective"] - facts["missed"] + facts["false_alarms"]
    if facts["missed"] + facts["false_alarms"] == 0:
        notes.append(
            f"both kinds are parted without a mistake by any threshold from {low:g} to {high:g}: the pictures do not "
            "decide between these, the middle is taken"
        )
    elif found in (0, facts["defective"] + facts["defect_free"]):
        notes.append(
            f"at these costs nothing is cheaper than to call {'all' if found else 'none'} of the pictures defective: "
            "the network does not part them; do not use it as it is"
        )
    if logit(high) - logit(low) < NARROW:
        notes.append(
            "one or two pictures decide between thresholds so near to each other, and the next ones like them may fall "
            "on either side; give more pictures"
        )
    return notes


def _told(facts: dict[str, Any], run: TrainedRun, curve: CostCurve, folder: Path) -> str:
    threshold, (low, high), cost = facts["threshold"], facts["interval"], facts["cost"]
    before = float(run.config.get("threshold", 0.5))
    lines = [
        f"threshold     {threshold:g}; the same decisions from {low:g} to {high:g}; {_beside(curve, low, high)}",
        f"cost          {cost['per_picture']:.3g} per picture, a miss at {cost['missed']:g}, a false alarm at "
        f"{cost['false_alarm']:g}; {curve.at(before)[0]:.3g} at the threshold {before:g}",
        *(
            f"{title:13} {facts[key]} of {facts[of]} {kind} validation pictures; with {CONFIDENCE:.0%} confidence "
            f"at most {facts[f'{key}_at_most']:.1%} of such pictures"
            for title, key, of, kind in (
                ("missed", "missed", "defective", "defective"),
                ("false alarms", "false_alarms", "defect_free", "defect-free"),
            )
        ),
    ]
    lines += [f"note          {note}" for note in _notes(facts)]
    lines.append(f"files         {folder}")
    lines.append(f"use it        --threshold {threshold!r} at evaluation and inference")
    if folder == run.folder / FOLDER:
        lines.append(f"ship it       python -m shared release {run.folder}")
    return "\n".join(lines)
