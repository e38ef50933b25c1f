import csv
import json
import math

import numpy as np
import pytest
import torch
from ignite.engine import Engine
from monai.engines import SupervisedEvaluator
from monai.transforms import Compose, CopyItemsd
from sklearn.metrics import average_precision_score, roc_auc_score

from shared.handlers import CaseReport, Detection
from shared.transforms import AreaOpeningd


class Same(torch.nn.Module):
    """Takes the picture itself for the probability."""

    def forward(self, x):
        return x


def run(cases, handlers=(), **options):
    """Evaluate cases of different sizes: (probabilities, truth)."""
    loader = [
        {
            "id": [f"case {i}"],
            "index": [i],
            "image": torch.tensor([[p]], dtype=torch.float32),
            "label": torch.tensor([[t]]),
        }
        for i, (p, t) in enumerate(cases)
    ]
    detection = Detection(prediction="pred", **options)
    engine = SupervisedEvaluator(
        "cpu",
        loader,
        Same(),
        epoch_length=len(loader),
        key_val_metric={"dice_defective": detection},
        val_handlers=handlers,
    )
    engine.run()
    return engine.state


CASES = [
    ([[0.9, 0.6, 0.1]], [[1, 1, 0]]),  # found in full above 0.5
    ([[0.2, 0.3], [0.1, 0.0]], [[1, 0], [0, 0]]),  # missed
    ([[0.7]], [[0]]),  # false alarm
    ([[0.0, 0.1]], [[0, 0]]),
]


def test_all_figures_of_hand_made_cases():
    metrics = run(CASES, thresholds=(0.05, 0.85)).metrics
    assert metrics["dice_defective"] == pytest.approx((1 + 0) / 2)
    assert metrics["iou_defective"] == pytest.approx((1 + 0) / 2)
    assert metrics["true_positive_rate"] == metrics["true_negative_rate"] == 1 / 2
    assert metrics["detection_cost"] == 20 + 1
    assert metrics["IoU_THS_0.05"] == pytest.approx((4 / 5 + 2 / 4 + 0 + 0) / 4, abs=1e-5)
    assert metrics["IoU_THS_0.85"] == pytest.approx((2 / 3 + 0 + 1 + 1) / 4, abs=1e-5)
    assert (metrics["true_positive_rate_0.05"], metrics["true_negative_rate_0.05"]) == (1, 0)
    assert (metrics["true_positive_rate_0.85"], metrics["true_negative_rate_0.85"]) == (1 / 2, 1)
    scores, defective = [0.9, 0.3, 0.7, 0.1], [1, 1, 0, 0]
    assert metrics["image_auroc"] == pytest.approx(roc_auc_score(defective, scores))
    assert metrics["image_ap"] == pytest.approx(average_precision_score(defective, scores))
    pixels, truth = (np.concatenate([np.ravel(case[i]) for case in CASES]) for i in (0, 1))
    assert metrics["pixel_ap"] == pytest.approx(average_precision_score(truth, pixels), abs=1e-9)


def test_what_is_too_small_counts_in_the_figures_of_the_reference_only():
    pictures = ([0.9, 0.1, 0.6, 0.7], [0, 0, 1, 1]), ([0.9, 0.1, 0.1, 0.8], [0, 0, 0, 0])
    loader = [
        {"id": [str(index)], "index": [index], "image": torch.tensor([[[p]]]), "label": torch.tensor([[[t]]])}
        for index, (p, t) in enumerate(pictures)
    ]
    kept = Compose([CopyItemsd("pred", names="kept"), AreaOpeningd("kept", min_area=2)])
    detection = Detection(thresholds=[0.5], prediction="pred", kept="kept")
    metric = {"detection_cost": detection}
    engine = SupervisedEvaluator("cpu", loader, Same(), epoch_length=2, postprocessing=kept, key_val_metric=metric)
    engine.run()
    metrics = engine.state.metrics
    assert (metrics["dice_defective"], metrics["dice_defective_0.5"]) == (1, 1)
    assert (metrics["true_negative_rate"], metrics["detection_cost"], metrics["image_auroc"]) == (1, 0, 1)
    assert engine.state.metric_details["defect_score"].flatten().tolist() == pytest.approx([0.6, 0.1])
    assert metrics["IoU_THS_0.5"] == pytest.approx((4 / 5 + 0) / 2, abs=1e-5)
    assert metrics["true_negative_rate_0.5"] == 0


def test_the_names_are_those_of_the_reference_and_key_metric_is_one_of_them():
    state = run(CASES)
    assert [name for name in state.metrics if name.startswith("IoU")] == [
        f"IoU_THS_{t}" for t in ("0.05", "0.125", "0.25", "0.5", "0.75", "0.85", "0.95", "0.99")
    ]
    assert {"true_positive_rate_0.125", "true_negative_rate_0.99"} <= set(state.metrics)
    assert state.best_metric == state.metrics["dice_defective"]


def test_they_stand_in_the_report_per_picture_and_as_means(tmp_path):
    run(CASES, [CaseReport(tmp_path)], thresholds=(0.5,))
    with (tmp_path / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["dice_defective"] for row in rows] == ["1.000000", "0.000000", "", ""]
    assert [row["true_negative_rate_0.5"] for row in rows] == ["", "", "0.000000", "1.000000"]
    assert [row["IoU_THS_0.5"] for row in rows] == ["1.000000", "0.000010", "0.000010", "1.000000"]
    assert [row["defect_score"] for row in rows] == ["0.900000", "0.300000", "0.700000", "0.100000"]
    assert [float(row["defective"]) for row in rows] == [1, 1, 0, 0]
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert (summary["true_positive_rate_0.5"], summary["detection_cost"], summary["defective"]) == (0.5, 21, 0.5)
    assert summary["undefined"]["dice_defective"] == 2


def test_the_threshold_is_free_and_what_is_undefined_stays_so():
    metrics = run(CASES[2:], thresholds=(), threshold=0.8).metrics
    assert metrics["true_negative_rate"] == 1 and metrics["detection_cost"] == 0
    for name in ("dice_defective", "iou_defective", "true_positive_rate", "image_auroc", "image_ap", "pixel_ap"):
        assert math.isnan(metrics[name])
    assert not any(name.startswith("IoU_THS") for name in metrics)


def test_the_figures_at_one_half_stand_beside_those_at_the_threshold():
    metrics = run(CASES[:2], thresholds=(), threshold=0.7).metrics
    assert metrics["dice_defective"] == pytest.approx((2 / 3 + 0) / 2)
    assert metrics["iou_defective"] == pytest.approx((1 / 2 + 0) / 2)
    assert metrics["dice_defective_0.5"] == metrics["iou_defective_0.5"] == pytest.approx((1 + 0) / 2)


def test_a_repeated_picture_counts_once_and_a_second_run_starts_afresh():
    def step(engine, index):
        probability, truth = CASES[index]
        engine.state.batch = [{"index": index}]
        return [{"probability": torch.tensor([probability]), "label": torch.tensor([truth])}]

    engine = Engine(step)
    engine.state.metric_details = {}
    Detection(thresholds=[]).attach(engine)
    engine.run([0, 1, 0, 0])
    assert engine.state.metrics["dice_defective"] == pytest.approx(1 / 2)
    assert engine.state.metric_details["dice_defective"].shape == (4, 1)
    engine.run([2])
    assert engine.state.metrics["detection_cost"] == 1


def test_a_key_metric_of_another_name_is_refused():
    with pytest.raises(ValueError, match="name must be one of dice_defective, .* detection_cost, got 'dice'"):
        Detection().attach(Engine(lambda engine, batch: None), "dice")
