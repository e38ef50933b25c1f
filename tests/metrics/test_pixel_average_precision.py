import math

import numpy as np
import pytest
import torch
from monai.handlers import IgniteMetricHandler
from sklearn.metrics import average_precision_score

from shared.metrics import PixelAveragePrecision


def pictures(sharpness, sizes=((97, 113), (64, 31), (50, 50))):
    """Probabilities as a network gives them: the larger ``sharpness``, the more of them stick to 0 and 1."""
    random = np.random.default_rng(0)
    truth = [(random.random((1, *size)) < 0.05).astype(np.float32) for size in sizes]
    logits = [sharpness * (3 * t - 2 + random.normal(size=t.shape)) for t in truth]
    return [torch.sigmoid(torch.tensor(x, dtype=torch.float32)) for x in logits], [torch.tensor(t) for t in truth]


@pytest.mark.parametrize(("sharpness", "error"), [(0.1, 1e-3), (1.0, 1e-4), (5.0, 3e-5), (30.0, 3e-6)])
def test_it_agrees_with_scikit_learn(sharpness, error):
    probability, truth = pictures(sharpness)
    metric = PixelAveragePrecision()
    metric(probability[:2], truth[:2])
    metric(probability[2][None], truth[2][None])
    pixels, defective = (np.concatenate([x.numpy().ravel() for x in part]) for part in (probability, truth))
    exact = average_precision_score(defective, pixels)
    assert metric.aggregate().item() == pytest.approx(exact, abs=error)


def test_zero_and_one_have_bins_and_a_second_run_starts_afresh():
    metric = PixelAveragePrecision()
    for _ in range(2):
        metric.reset()
        counts = metric(torch.tensor([[[0.0, 1.0, 1.0]]]), torch.tensor([[[0, 1, 0]]]))
        assert metric.counts.sum() == 3
        assert counts[0, :, -1].tolist() == [1, 1] and counts[0, :, 0].tolist() == [1, 0]
        assert metric.aggregate() == 0.5


def test_without_a_defect_it_is_undefined():
    metric = PixelAveragePrecision()
    assert math.isnan(metric.aggregate())
    metric(torch.rand(1, 1, 3, 4), torch.zeros(1, 1, 3, 4))
    assert math.isnan(metric.aggregate())


def test_it_serves_the_handler():
    handler = IgniteMetricHandler(metric_fn=PixelAveragePrecision(), save_details=False)
    handler.update(([torch.tensor([[[0.9, 0.8, 0.7]]])], [torch.tensor([[[1, 0, 1]]])]))
    assert handler.compute() == pytest.approx(5 / 6)
