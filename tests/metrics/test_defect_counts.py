import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from shared.metrics import DefectCounts


def pictures(seed=0):
    """Three pictures of different sizes, the last without a defect."""
    random = np.random.default_rng(seed)
    probability = [random.random((1, *size)).astype(np.float32) for size in ((7, 11), (5, 3), (1, 1))]
    truth = [(random.random(p.shape) > 0.6).astype(np.float32) for p in probability]
    truth[2][:] = 0
    return probability, truth


def test_lists_of_different_sizes_are_counted_one_by_one():
    thresholds = (0.05, 0.5, 0.99)
    probability, truth = pictures()
    metric = DefectCounts(thresholds)
    metric([MetaTensor(p) for p in probability[:2]], [MetaTensor(t) for t in truth[:2]])
    metric(torch.tensor(probability[2])[None], torch.tensor(truth[2])[None].bool())
    counts = metric.aggregate()
    for number, (p, t) in enumerate(zip(probability, truth, strict=True)):
        assert counts.score[number] == p.max()
        assert counts.true[number] == t.sum()
        assert counts.found[number].tolist() == [(p > x).sum() for x in thresholds]
        assert counts.both[number].tolist() == [((p > x) & (t > 0)).sum() for x in thresholds]
    metric.reset()
    with pytest.raises(ValueError, match="there are no counts yet"):
        metric.aggregate()


def test_a_probability_equal_to_the_threshold_is_not_found():
    metric = DefectCounts([0.85])  # no float32
    just = np.float32(0.85)
    metric(torch.tensor([[[just, np.nextafter(just, np.float32(1))]]]), torch.ones(1, 1, 2))
    assert metric.aggregate().found == 1


def test_several_kinds_of_defect_count_as_one():
    metric = DefectCounts([0.5])
    metric([torch.tensor([[0.9, 0.2, 0.6], [0.1, 0.7, 0.8]])], [torch.tensor([[1, 0, 0], [0, 0, 0]])])
    counts = metric.aggregate()
    assert (counts.score, counts.true, counts.found, counts.both) == (np.float32(0.9), 1, 3, 1)


@pytest.mark.parametrize(
    ("probability", "truth", "message"),
    [
        ([[1.5, -2.0]], [[0, 1]], r"y_pred must hold probabilities in \[0, 1\], got values from -2 to 1.5"),
        ([[0.5, float("nan")]], [[0, 1]], "got values from nan to nan"),
        ([[0.5, 0.5]], [[0, 255]], "y must hold 0 and 1 only"),
        ([[0.5, 0.5]], [[0, 0.5]], "y must hold 0 and 1 only"),
        ([[0.5, 0.5]], [[0, 1, 1]], r"must both be \(B, C, \*spatial\), got \(1, 1, 2\) and \(1, 1, 3\)"),
    ],
)
def test_what_cannot_be_counted_is_refused(probability, truth, message):
    with pytest.raises(ValueError, match=message):
        DefectCounts()(torch.tensor([probability]), torch.tensor([truth]))


def test_a_threshold_of_one_finds_nothing_and_is_refused():
    with pytest.raises(ValueError, match=r"thresholds must be numbers in \[0, 1\), got \(0.5, 1.0\)"):
        DefectCounts([0.5, 1.0])
