import numpy as np
import pytest
import torch

from shared.losses import DiceOfBothLoss


def by_definition(logits, truth):
    p = 1 / (1 + np.exp(-logits))
    crops = [1 - (2 * (a * b).sum() + 1) / (a.sum() + b.sum() + 1) for a, b in zip(p, truth, strict=True) if b.any()]
    whole = 1 - (2 * (p * truth).sum() + 1) / (p.sum() + truth.sum() + 1)
    entropy = -np.mean(truth * np.log(p) + (1 - truth) * np.log(1 - p))
    return entropy + (whole + (np.mean(crops) if crops else 0)) / 2


@pytest.mark.parametrize("empty", [(), (1,), (0, 1, 2)])
def test_it_agrees_with_the_definition(empty):
    random = np.random.default_rng(0)
    truth = random.integers(0, 2, (3, 1, 5, 7)).astype(float)
    truth[list(empty)] = 0
    logits = random.normal(size=truth.shape)
    found = DiceOfBothLoss()(torch.tensor(logits), torch.tensor(truth).byte())
    assert found.item() == pytest.approx(by_definition(logits, truth), rel=1e-12)


def test_a_small_object_and_a_false_alarm_both_count_beside_a_large_object():
    """With either Dice alone one of them does not: missed, or found where nothing is, it hardly changes the loss."""
    truth = torch.zeros(3, 1, 64, 64)
    truth[0, :, :48], truth[1, :, :3, :3] = 1, 1
    right = 40 * truth - 20
    missed, alarmed = right.clone(), right.clone()
    missed[1] = -5
    alarmed[2, :, :20] = 5
    loss = DiceOfBothLoss()
    assert loss(right, truth) < 1e-3
    assert loss(missed, truth) > 0.2
    assert loss(alarmed, truth) > 0.1


def test_other_shapes_are_refused():
    with pytest.raises(ValueError, match=r"must be \(N, 1, \.\.\.\), got \(2, 3, 4, 4\), \(2, 1, 4, 4\)"):
        DiceOfBothLoss()(torch.zeros(2, 3, 4, 4), torch.zeros(2, 1, 4, 4))
