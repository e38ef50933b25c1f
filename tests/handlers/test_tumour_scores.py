import csv
import json
import math

import numpy as np
import pytest
import torch
from ignite.engine import Engine
from monai.data import DataLoader, Dataset, MetaTensor
from monai.engines import SupervisedEvaluator
from monai.transforms import AsDiscreted, CopyItemsd

from shared.handlers import CaseReport, ReferenceDice, TumourScores
from shared.metrics.tumour_scores import reference_dice, tumour_scores

AFFINE = np.diag([-2.0, 1.5, 4.0, 1.0])
TURNED = AFFINE[:, [1, 0, 2, 3]]  # the first axis of the array is the second of the patient


class Same(torch.nn.Module):
    """Takes the image itself for the probabilities."""

    def forward(self, x):
        return x


def case(index, found, truth, affine=AFFINE):
    """A row of voxels: what is found with certainty, and what there is."""
    shape = (1, len(truth), 1, 1)
    probability = torch.nn.functional.one_hot(torch.tensor(found), 4).T.reshape(4, *shape[1:]).float()
    label = MetaTensor(torch.tensor(truth, dtype=torch.uint8).reshape(shape), affine=affine)
    return {"id": f"case {index}", "index": index, "image": MetaTensor(probability, affine=affine), "label": label}


CASES = [
    case(0, [3, 3, 1, 2, 0], [3, 3, 1, 2, 0]),
    case(1, [0, 2, 0, 0, 0, 2], [2, 2, 0, 0, 0, 0], TURNED),
    case(2, [0, 0, 3], [0, 0, 0]),
]


def run(cases, key, scores, handlers=(), others=None):
    """Evaluate with MONAI's own loader and engine."""
    engine = SupervisedEvaluator(
        "cpu",
        DataLoader(Dataset(cases), batch_size=1),
        Same(),
        postprocessing=lambda item: AsDiscreted("pred", argmax=True)(CopyItemsd("pred", names="probability")(item)),
        key_val_metric={key: scores},
        additional_metrics=others,
        val_handlers=list(handlers),
    )
    engine.run()
    return engine.state


def test_all_figures_of_hand_made_cases():
    state = run(CASES, "dice_mean", TumourScores())
    expected = {"dice_wt": [1, 1 / 2, 0], "dice_tc": [1, 0], "dice_et": [1, 0], "dice_mean": [1, 1 / 2, 0]}
    # One voxel, that at the end, lies 4 voxels of 1.5 mm from the nearest; percentiles go by way of 5 % of the other.
    far, penalty = 0.95 * 4 * 1.5, 373.12866
    expected |= {"hd95_wt": [0, far], "hd95_tc": [0], "hd95_et": [0]}
    for region, second in (("wt", far), ("tc", 0), ("et", 0)):
        expected[f"hd95_challenge_{region}"] = [0, second, penalty]
    assert {name: state.metrics[name] for name in expected} == pytest.approx(
        {name: np.mean(values) for name, values in expected.items()}, rel=1e-6
    )
    assert set(state.metrics) == set(expected) and state.best_metric == state.metrics["dice_mean"]
    assert state.metric_details["volume_wt_ml"].flatten().tolist() == pytest.approx([0.048, 0.024, 0.012])
    assert math.isnan(state.metric_details["dice_et"][1].item())


def test_the_handler_leaves_what_the_functions_say(tmp_path):
    others = {"MeanDice": ReferenceDice("head")}
    state = run(CASES, "dice_wt", TumourScores(hd95=False), [CaseReport(tmp_path)], others)
    assert not any(name.startswith("hd95") for name in state.metrics)
    with (tmp_path / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    for item, row in zip(CASES, rows, strict=True):
        found, truth = item["image"].argmax(0), item["label"][0]
        spacing = (1.5, 2.0, 4.0) if item["index"] == 1 else (2.0, 1.5, 4.0)
        figures = tumour_scores(found, truth, spacing, hd95=False) | reference_dice(item["image"], truth[None], "head")
        for name, value in figures.items():
            assert row[name] == ("" if math.isnan(value) else f"{value:.6g}")
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["undefined"]["dice_et"] == 1 and summary["undefined"]["EnhancingTumor"] == 0
    assert (summary["missed_et"], summary["invented_et"], summary["by_type"][""]["invented_wt"]) == (0, 1, 1)
    assert "invented_et" not in summary["undefined"] and [row["invented_et"] for row in rows] == ["0", "0", "1"]
    assert summary["TumorCore"] == pytest.approx(1 / 3, abs=1e-5)
    assert summary["true_volume_wt_ml"] == pytest.approx((0.048 + 0.024) / 3, abs=1e-6)


def test_keys_may_lie_in_the_batch_and_the_rule_is_free():
    def step(engine, item):
        engine.state.batch = [{"index": item["index"], "seen": item["label"]}]
        return [{"found": 0.45 * item["image"] + 0.1}]

    engine = Engine(step)
    engine.state.metric_details = {}
    ReferenceDice("2020", prediction="found", truth="seen").attach(engine)
    engine.run([CASES[0]])
    assert engine.state.metrics["WholeTumor"] == pytest.approx(1, abs=1e-5)
    ReferenceDice("2020", prediction="found", truth="seen").attach(engine, "MeanDice")


def test_a_repeated_case_counts_once_and_a_second_run_starts_afresh():
    def step(engine, number):
        item = CASES[number]
        engine.state.batch = [{"index": item["index"]}]
        return [{"pred": item["image"].argmax(0, keepdim=True), "label": item["label"]}]

    engine = Engine(step)
    engine.state.metric_details = {}
    TumourScores().attach(engine)
    engine.run([0, 1, 0, 0])
    assert engine.state.metrics["dice_wt"] == pytest.approx((1 + 1 / 2) / 2)
    assert engine.state.metric_details["dice_wt"].shape == (4, 1)
    engine.run([2])
    assert engine.state.metrics["dice_mean"] == 0 and math.isnan(engine.state.metrics["hd95_wt"])


def test_what_does_not_fit_is_named():
    for scores, known in ((TumourScores(hd95=False), "dice_wt, dice_tc, dice_et, dice_mean"), (ReferenceDice(), ".*")):
        with pytest.raises(ValueError, match=f"name must be one of {known}, got 'hd95_wt'"):
            scores.attach(Engine(lambda engine, batch: None), "hd95_wt")
    with pytest.raises(ValueError, match="rule must be one of 2020, head, labels, got 'v2'"):
        ReferenceDice("v2")
    label = CASES[0]["label"]
    with pytest.raises(ValueError, match="label must be a MetaTensor, whose affine tells the size of a voxel"):
        TumourScores().of_case(label.as_tensor(), label.as_tensor(), {"label": label.as_tensor()})
    with pytest.raises(ValueError, match=r"pred and label must be label maps \(1, W, H, D\), got \(4, 5, 1, 1\) and"):
        TumourScores().of_case(CASES[0]["image"], label, {"label": label})
