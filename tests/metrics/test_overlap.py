import math

import pytest
import torch
from monai.metrics import DiceMetric, MeanIoU
from sklearn.metrics import f1_score, jaccard_score

from shared.metrics.overlap import Overlap


def score(name, found, truth):
    metric = Overlap(name)
    return metric(torch.tensor([[found]]), torch.tensor([[truth]])).item(), metric.aggregate().item()


def test_hand_made_case():
    truth, found = [[1, 1, 1], [0, 0, 0]], [[0, 1, 1], [1, 1, 0]]  # 2 in common, 4 found, 3 true
    assert score("dice", found, truth)[0] == pytest.approx(4 / 7)
    assert score("iou", found, truth)[0] == pytest.approx(2 / 5)


def test_nothing_to_find_is_undefined_and_something_found_there_is_zero():
    empty, one = [[0, 0, 0]], [[0, 1, 0]]
    for name in ("dice", "iou"):
        assert math.isnan(score(name, empty, empty)[0])
        assert score(name, one, empty)[0] == 0
        assert score(name, empty, one)[0] == 0


def test_the_mean_leaves_out_what_is_undefined():
    metric = Overlap("dice")
    for found, truth in [([0, 0], [0, 0]), ([1, 0], [1, 0]), ([1, 1], [1, 0])]:
        metric(torch.tensor([[found]]), torch.tensor([[truth]]))
    assert metric.aggregate().item() == pytest.approx((1 + 2 / 3) / 2)


def test_each_case_counts_alike_however_many_classes_it_has():
    metric = Overlap("dice")
    metric(torch.tensor([[[1, 0], [1, 0]]]), torch.tensor([[[1, 0], [1, 0]]]))
    metric(torch.tensor([[[1, 1], [0, 0]]]), torch.tensor([[[1, 0], [0, 0]]]))
    assert metric.aggregate().item() == pytest.approx((1 + 2 / 3) / 2)


def test_it_agrees_with_scikit_learn_and_monai():
    torch.manual_seed(0)
    found, truth = (torch.rand(5, 2, 7, 11) > 0.6).long(), (torch.rand(5, 2, 7, 11) > 0.5).long()
    for name, oracle, theirs in (
        ("dice", f1_score, DiceMetric()),
        ("iou", jaccard_score, MeanIoU()),
    ):
        values = Overlap(name)(found, truth)
        assert torch.allclose(values.float(), theirs(found, truth))
        for n in range(5):
            for c in range(2):
                assert values[n, c].item() == pytest.approx(oracle(truth[n, c].flatten(), found[n, c].flatten()))


def test_an_unknown_score_is_refused():
    with pytest.raises(ValueError, match=r"\['dice', 'iou'\], got 'f2'"):
        Overlap("f2")
