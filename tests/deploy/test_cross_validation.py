import csv
import json

import pytest

from shared.cli import main
from shared.deploy import summarise_folds
from shared.errors import UserError


def score(folder, fold, split="fold", **scores):
    """A summary as an evaluation writes it."""
    folder.mkdir(parents=True)
    facts = {"split": split, "fold": fold, "checkpoint": "x", "threshold": 0.5}
    scores = {"cases": 10 + fold} | scores
    undefined = {name: 0 if value is not None else 3 for name, value in scores.items()}
    rest = {"undefined": undefined, "by_type": {"a": scores}}
    (folder / "summary.json").write_text(json.dumps(facts | scores | rest))


def test_each_fold_their_mean_and_deviation(tmp_path, capsys):
    score(tmp_path / "run_1", 1, dice=0.5, hd95=4.0)
    score(tmp_path / "run_0", 0, dice=0.8999, hd95=None)
    score(tmp_path / "run_2" / "fold_2", 2, dice=0.7, hd95=5.0)  # of an evaluation
    (tmp_path / "run_3").mkdir()  # a training that goes on
    assert main(["folds", str(tmp_path / "run_*"), "--output", str(tmp_path / "folds.csv")]) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[0].split() == "fold 0 fold 1 fold 2 mean std undefined".split()
    assert told[2].split() == "dice 0.8999 0.5000 0.7000 0.7000 0.1999 0".split()
    assert told[3].split() == "hd95 - 4 5 4.500 0.7071 3".split()
    with (tmp_path / "folds.csv").open() as file:
        cases, dice, _ = csv.DictReader(file)
    assert (cases["fold_0"], cases["fold_2"], cases["mean"]) == ("10", "12", "")
    assert (dice["score"], dice["fold_1"], dice["mean"]) == ("dice", "0.5", "0.699967")


def test_what_is_no_cross_validation_is_refused(tmp_path):
    for number, scores in enumerate(({"fold": 0, "dice": 1.0}, {"fold": 0, "dice": 1.0}, {"fold": 1, "iou": 1.0})):
        score(tmp_path / f"run_{number}", **scores)
    score(tmp_path / "whole", -1, split="validation", dice=1.0)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "summary.json").write_text('{"split": "fold", "fold": 3}')
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / "summary.json").write_text('{"split": "fold", "fo')
    for pattern, message in (
        ("half", r"half/summary.json is no whole JSON \(.*\); score that run again, or leave it out"),
        ("run_[01]", r"run_1/summary.json and .*run_0/summary.json have both scored fold 0; name one of them"),
        ("run_[02]", r"run_2/summary.json and .*run_0/summary.json have other scores"),
        ("run_0", "names 1 folds that were scored; name two or more"),
        ("nowhere", "names 0 folds"),
        ("whole", "whole/summary.json is not the score of a fold held out"),
        ("other", "other/summary.json is not the score of a fold held out"),
    ):
        with pytest.raises(UserError, match=message):
            summarise_folds(str(tmp_path / pattern))
