import itertools

import pytest
import torch

from shared.losses import LovaszHingeLoss
from shared.losses.lovasz_hinge import lovasz_hinge


def jaccard_loss(truth, wrong):
    """Of a picture in which just the pixels of ``wrong`` are mispredicted."""
    predicted = {i for i, t in enumerate(truth) if t} ^ wrong
    true = {i for i, t in enumerate(truth) if t}
    union = predicted | true
    return 1 - len(predicted & true) / len(union) if union else 0.0


def by_definition(logits, truth):
    """The Lovász extension: the integral of the loss over the level sets of the errors."""
    errors = [max(0.0, 1 - logit * (2 * t - 1)) for logit, t in zip(logits, truth, strict=True)]
    levels = sorted({0.0, *errors})
    return sum(
        (high - low) * jaccard_loss(truth, {i for i, e in enumerate(errors) if e > low})
        for low, high in itertools.pairwise(levels)
    )


def test_it_is_the_extension_by_definition():
    torch.manual_seed(0)
    for truth in itertools.product([0, 1], repeat=5):
        logits = torch.randn(5, dtype=torch.float64)
        found = lovasz_hinge(logits, torch.tensor(truth, dtype=torch.float64))
        assert found.item() == pytest.approx(by_definition(logits.tolist(), truth), abs=1e-12)


def test_by_hand():
    # Errors 2 (a missed pixel) and 0: one of two pixels wrong, Jaccard loss 1/2, times the error 2.
    assert lovasz_hinge(torch.tensor([-1.0, 1.0]), torch.tensor([1.0, 1.0])).item() == 1.0


def test_the_mean_goes_over_pictures_and_gradients_flow():
    torch.manual_seed(0)
    logits, truth = torch.randn(3, 1, 5, 7, requires_grad=True), (torch.rand(3, 1, 5, 7) > 0.5).float()
    loss = LovaszHingeLoss()(logits, truth)
    loss.backward()
    assert loss.item() == pytest.approx(
        sum(lovasz_hinge(x.flatten(), t.flatten()).item() for x, t in zip(logits, truth, strict=True)) / 3
    )
    assert torch.isfinite(logits.grad).all()


def test_an_empty_truth_is_no_nan():
    assert lovasz_hinge(torch.tensor([-2.0, -2.0]), torch.zeros(2)).item() == 0
    assert lovasz_hinge(torch.tensor([0.0, -2.0]), torch.zeros(2)).item() == 1


def test_several_classes_count_alike_and_shapes_must_agree():
    logits, truth = torch.randn(2, 3, 7, 5), (torch.rand(2, 3, 7, 5) > 0.5).float()
    apart = [LovaszHingeLoss()(logits[:, [n]], truth[:, [n]]).item() for n in range(3)]
    assert LovaszHingeLoss()(logits, truth).item() == pytest.approx(sum(apart) / 3)
    with pytest.raises(ValueError, match="must have one shape"):
        LovaszHingeLoss()(logits, truth[:, :1])
