import json
import re
import shutil

import numpy as np
import pytest
from PIL import Image
from running import SMALL, copy_bundle, run_bundle, run_command, table

from shared.cli import main
from shared.deploy import calibrate_run, release_run
from shared.deploy.calibrate import _curve
from shared.deploy.calibration_report import open_questions
from shared.deploy.trained_run import read_run
from shared.errors import UserError
from shared.runs import Weights

FOLD = 1  # its validation pictures are of both kinds


@pytest.fixture(scope="module")
def place(tmp_path_factory, defects):
    """A bundle of a small network and a run of it."""
    folder = tmp_path_factory.mktemp("calibrate")
    bundle = copy_bundle("unet_industrial", folder)
    words = ["training", "--config_file", bundle / "configs" / "train.json", "--bundle_root", bundle]
    words += ["--dataset_dir", defects, "--output_dir", "run", "--fold", FOLD, "--device", "cpu"]
    words += ["--epochs", 1, "--epoch_length", 4, "--val_interval", 1, "--batch_size", 4, "--downscale", 2]
    run_command(folder, *words)
    return folder


@pytest.fixture(scope="module")
def calibrated(place):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        assert main(["calibrate", "run", "--missed", "5"]) == 0
    return json.loads((place / "run" / "calibration" / "calibration.json").read_text())


def test_the_threshold_costs_least_on_the_validation_pictures(place, calibrated, defects, tmp_path):
    """Scored once more, at the threshold found, by the bundle's evaluation in this process."""
    options = SMALL | {"dataset_dir": defects, "checkpoint": place / "run" / "model.pt", "fold": FOLD}
    options |= {"split": "validation", "threshold": calibrated["threshold"], "output_dir": tmp_path}
    run_bundle("unet_industrial", ["train", "evaluate"], **options)
    rows = table(tmp_path / "validation" / "metrics.csv")
    missed = sum(row["true_positive_rate"] == "0" for row in rows)
    alarms = sum(row["true_negative_rate"] == "0" for row in rows)
    assert (calibrated["missed"], calibrated["false_alarms"]) == (missed, alarms)
    assert (calibrated["defective"], calibrated["defect_free"]) == (1, 1)
    curve = table(place / "run" / "calibration" / "cost_curve.csv")
    assert list(curve[0]) == ["threshold", "cost_per_picture", "missed", "false_alarms"]
    assert {float(row["threshold"]) for row in curve} == {0.0} | {float(row["defect_score"]) for row in rows}
    for row in curve:
        cost = (5 * int(row["missed"]) + int(row["false_alarms"])) / len(rows)
        assert float(row["cost_per_picture"]) == pytest.approx(cost)
        assert calibrated["cost"]["per_picture"] <= cost
    assert calibrated["missed_at_most"] == (0.95 if missed == 0 else 1)  # (1 - share) ** 1 = 5 %
    with Image.open(place / "run" / "calibration" / "cost_curve.png") as picture:
        assert picture.format == "PNG"
    assert len(list((place / "run" / "calibration").iterdir())) == 3


def test_released_weights_bring_their_threshold_along(place, calibrated, tmp_path):
    bundle = tmp_path / "unet_industrial"
    run = tmp_path / "run"
    shutil.copytree(place / "unet_industrial", bundle)
    shutil.copytree(place / "run", run)
    record = json.loads((run / "run.json").read_text())
    record["config"]["bundle_root"] = str(bundle)
    (run / "run.json").write_text(json.dumps(record))
    card = bundle / "docs" / "README.md"
    named = "<!-- figures IoU_THS_0.5, detection_cost, threshold: written"
    card.write_text(re.sub("<!-- figures.*?: written", named, card.read_text()))
    before = {file: file.read_text().splitlines() for file in (bundle / "configs").iterdir()}
    told = release_run(run, tmp_path / "results")

    threshold = calibrated["threshold"]
    for file in (run / "model.pt", bundle / "models" / "model.pt"):
        assert Weights(file, "unet_industrial/inference")["threshold"] == threshold
    assert "network and knobs as of the run" in told
    for file, lines in before.items():
        if file.name == "metadata.json":
            continue
        now = file.read_text().splitlines()
        new = [line for line, was in zip(now, lines, strict=True) if line != was]
        assert new == ([f'  "threshold": {threshold},'] if file.name == "train.json" else [])
    summary = json.loads((tmp_path / "results" / "unet_industrial" / "shipped" / "summary.json").read_text())
    assert (summary["threshold"], summary["fold"], summary["split"]) == (threshold, FOLD, "fold")
    figures = json.loads((bundle / "configs" / "metadata.json").read_text())["eval_metrics"]
    assert list(figures) == ["IoU_THS_0.5", "detection_cost", "threshold"]
    assert figures["detection_cost"] == summary["detection_cost"]
    assert "| cases | number | IoU_THS_0.5 | detection_cost | threshold |" in card.read_text()
    assert f"| all | {summary['cases']} | {summary['IoU_THS_0.5']:.3f} |" in card.read_text()
    curve = tmp_path / "results" / "unet_industrial" / "shipped" / "calibration" / "cost_curve.csv"
    assert curve.read_bytes() == (run / "calibration" / "cost_curve.csv").read_bytes()

    # The next run has not been calibrated: the threshold of these weights is not for its own.
    shutil.rmtree(run / "calibration")
    record["config"]["threshold"] = threshold  # as it stands in train.json by now
    (run / "run.json").write_text(json.dumps(record))
    release_run(run, tmp_path / "results")
    assert Weights(bundle / "models" / "model.pt", "unet_industrial/inference")["threshold"] == 0.5
    assert not curve.exists()

    # One of an overlay or a file of arguments, or of a bundle that has changed since: nobody knows.
    record["config"]["threshold"] = 0.125
    (run / "run.json").write_text(json.dumps(record))
    with pytest.raises(UserError, match="with a threshold of 0.125, which its command line does not have; run .python"):
        release_run(run, tmp_path / "results")
    record["starts"][0]["command"] += " -threshold=0.125"  # which is an option too
    (run / "run.json").write_text(json.dumps(record))
    release_run(run, tmp_path / "results")
    assert Weights(bundle / "models" / "model.pt", "unet_industrial/inference")["threshold"] == 0.125


def test_a_bundle_is_calibrated_on_pictures_that_it_has_not_seen(place, defects, tmp_path, capsys):
    bundle, output = tmp_path / "unet_industrial", tmp_path / "calibrated"
    shutil.copytree(place / "unet_industrial", bundle)
    (bundle / "models").mkdir(exist_ok=True)
    shutil.copy(place / "run" / "model.pt", bundle / "models" / "model.pt")
    assert main(["calibrate", str(bundle), "--dataset_dir", str(defects)]) == 1
    assert "output: a bundle needs one" in capsys.readouterr().err
    assert main(["calibrate", str(bundle), "--dataset_dir", str(defects), "--output", str(output)]) == 0
    told = capsys.readouterr().out
    assert "ship it" not in told and "nothing tells whether the weights have learned from these pictures" in told
    facts = json.loads((output / "calibration.json").read_text())
    cases = json.loads((defects / "datalist.json").read_text())["training"]
    assert facts["defective"] + facts["defect_free"] == len(cases)
    assert facts["defective"] == sum(case["type"] == "defective" for case in cases)


@pytest.fixture
def run(place, calibrated, tmp_path):
    """A copy to spoil."""
    return shutil.copytree(place / "run", tmp_path / "run")


def spoil(run, cases=None, **changes):
    record = json.loads((run / "run.json").read_text())
    record["config"] |= changes
    record["config"]["train"]["cases"] |= cases or {}
    (run / "run.json").write_text(json.dumps(record))


@pytest.mark.parametrize(("defective", "kind"), [(False, "defective"), (True, "defect-free")])
def test_validation_pictures_of_one_kind_cannot_decide(run, defective, kind):
    both = np.array([0.2, 0.7]), np.array([defective, defective])
    with pytest.raises(UserError, match=f"none of the 2 validation pictures of .* is {kind}, so they cannot decide"):
        _curve(read_run(run), "validation", *both, 20, 1)


@pytest.mark.parametrize(
    ("cases", "options", "message"),
    [
        ({"part": "others"}, {}, "has learned from 2 of the 2 validation cases"),
        ({}, {"dataset_dir": "data"}, "dataset_dir: goes with a bundle"),
        ({}, {"missed": 0.0}, "missed: 0 will not do; take a number above 0"),
        ({}, {"false_alarm": float("nan")}, "false_alarm: nan will not do"),
    ],
)
def test_what_would_mislead_is_refused_before_any_work(run, cases, options, message):
    spoil(run, cases)
    with pytest.raises(UserError, match=message):
        calibrate_run(run, output=run / "other", **options)
    assert not (run / "other").exists()


def test_a_run_of_another_kind_or_on_other_data_is_refused(run, defects, tmp_path):
    (run / "metrics.csv").write_text("id,type,dice\na,b,0.5\n")
    with pytest.raises(UserError, match="metrics.csv has no defect_score; name a run of a bundle that decides"):
        calibrate_run(run)
    other = shutil.copytree(defects, tmp_path / "other")
    content = json.loads((other / "datalist.json").read_text())
    (other / "datalist.json").write_text(json.dumps(content | {"name": "other folds"}))
    spoil(run, dataset_dir=str(other))
    with pytest.raises(UserError, match="is not what .* was trained with"):
        read_run(run)


def test_a_calibration_is_neither_overwritten_nor_taken_for_that_of_other_weights(run, tmp_path):
    with pytest.raises(UserError, match="calibration exists and is not an empty folder"):
        calibrate_run(run)
    with (run / "model.pt").open("ab") as file:
        file.write(b"\0")
    with pytest.raises(UserError, match="belongs to other weights than"):
        release_run(run, tmp_path / "results")
    (run / "calibration" / "calibration.json").write_text('{"threshold": 0.5}')
    with pytest.raises(UserError, match="no calibration can be read from it"):
        release_run(run, tmp_path / "results")


@pytest.mark.parametrize(
    ("missed", "false_alarms", "interval", "notes"),
    [
        (1, 2, [0.2, 0.8], []),
        (0, 0, [0.2, 0.8], ["parted without a mistake by any threshold from 0.2 to 0.8"]),
        (0, 9, [1e-6, 0.2], ["cheaper than to call all of the pictures defective"]),
        (4, 0, [0.9, 1 - 1e-6], ["cheaper than to call none of the pictures defective"]),
        (1, 2, [0.41, 0.42], ["one or two pictures decide"]),
        (0, 0, [0.41, 0.42], ["parted without a mistake", "one or two pictures decide"]),
    ],
)
def test_what_the_pictures_leave_open_is_told(missed, false_alarms, interval, notes):
    facts = {"missed": missed, "false_alarms": false_alarms, "interval": interval, "defective": 4, "defect_free": 9}
    told = open_questions(facts)
    assert len(told) == len(notes)
    assert all(note in line for note, line in zip(notes, told, strict=True))


def test_a_wrong_cost_on_the_command_line_is_one_line(capsys, tmp_path):
    assert main(["calibrate", str(tmp_path), "--missed", "much"]) == 2
    assert "--missed takes a number" in capsys.readouterr().err
    assert main(["calibrate", str(tmp_path)]) == 1
    assert "name the folder of a training that has ended" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
