import csv
import json

import torch

from shared.handlers import CaseReport


def case(name, kind, found, truth):
    return {
        "id": name,
        "type": kind,
        "image": torch.tensor([[found]]).float(),
        "label": torch.tensor([[truth]]).float(),
    }


def test_a_row_per_case_and_means_that_leave_out_the_undefined(evaluator, tmp_path):
    cases = [
        case("b", "dark", [1, 1, 0], [1, 0, 0]),  # 2/3
        case("a", "dark", [1, 0, 0], [1, 0, 0]),  # 1
        case("c", "bright", [0, 0, 0], [0, 0, 0]),  # undefined
    ]
    evaluator(cases, [CaseReport(tmp_path, facts={"split": "fold"})]).run()

    with (tmp_path / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["id"], row["type"], row["dice"]) for row in rows] == [
        ("a", "dark", "1"),
        ("b", "dark", "0.666667"),
        ("c", "bright", ""),
    ]
    assert json.loads((tmp_path / "summary.json").read_text()) == {
        "split": "fold",
        "cases": 3,
        "dice": 0.833333,
        "undefined": {"dice": 1},
        "by_type": {"bright": {"cases": 1, "dice": None}, "dark": {"cases": 2, "dice": 0.833333}},
    }


def test_a_second_run_starts_afresh(evaluator, tmp_path):
    engine = evaluator([case("a", "dark", [1, 0, 0], [1, 0, 0])], [CaseReport(tmp_path)])
    engine.run()
    engine.state.epoch = engine.state.iteration = 0
    engine.run()
    assert len((tmp_path / "metrics.csv").read_text().splitlines()) == 2


def test_several_classes_get_their_mean_and_a_column_each(evaluator, tmp_path):
    image, label = torch.tensor([[[1.0, 1, 0]], [[0, 0, 0]]]), torch.tensor([[[1.0, 0, 0]], [[0, 0, 1]]])
    evaluator([{"id": "a", "image": image, "label": label}], [CaseReport(tmp_path)]).run()
    header, row = (tmp_path / "metrics.csv").read_text().splitlines()
    assert header == "id,type,dice,dice_1,dice_2"
    assert row == "a,,0.333333,0.666667,0"
