import numpy as np
import pytest
import torch

from shared.losses import DiceAndCrossEntropyLoss


def by_definition(logits, truth, terms, first):
    """Class by class and case by case."""
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    dice = ce = 0.0
    for c in range(first, logits.shape[1]):
        p, t = shares[:, c], (truth[:, 0] == c).astype(float)
        overlaps = [2 * np.sum(a * b) / (np.sum(a) + np.sum(b) + 1e-5) for a, b in zip(p, t, strict=True)]
        dice += 1 - np.mean(overlaps)
        q = np.clip(p, 1e-7, 1 - 1e-7)
        ce += -np.mean(t * np.log(q) + (1 - t) * np.log(1 - q))
    return {"dice": dice, "ce": ce, "dice+ce": dice + ce}[terms]


def batch(scale=1.0):
    """Three cases of four classes; the last case lacks class 3, the first has nothing but background."""
    random = np.random.default_rng(0)
    truth = random.integers(0, 4, (3, 1, 5, 3, 7))
    truth[0], truth[2][truth[2] == 3] = 0, 1
    return scale * random.normal(size=(3, 4, 5, 3, 7)), truth


@pytest.mark.parametrize("terms", ["dice+ce", "dice", "ce"])
@pytest.mark.parametrize("background", [False, True])
@pytest.mark.parametrize("scale", [1.0, 30.0])  # of the latter many are clipped
def test_it_agrees_with_the_definition(terms, background, scale):
    logits, truth = batch(scale)
    loss = DiceAndCrossEntropyLoss(terms, include_background=background)
    expected = by_definition(logits, truth, terms, 0 if background else 1)
    assert loss(torch.tensor(logits), torch.tensor(truth)).item() == pytest.approx(expected, rel=1e-12)
    single = loss(torch.tensor(logits).float(), torch.tensor(truth).to(torch.uint8))
    assert single.dtype == torch.float32
    assert single.item() == pytest.approx(expected, rel=1e-5 if scale == 1 else 0.01)  # it rounds 1 - 1e-7


def test_the_gradient_is_that_of_the_numbers():
    logits, truth = (torch.tensor(values[:, :, :2, :1, :2]) for values in batch())
    assert torch.autograd.gradcheck(lambda x: DiceAndCrossEntropyLoss()(x, truth), logits.requires_grad_())


def test_extreme_logits_stay_finite():
    logits = torch.tensor([[[1e4, -1e4, 0.0], [-1e4, 1e4, 0.0]]], requires_grad=True)
    loss = DiceAndCrossEntropyLoss()(logits, torch.tensor([[[1, 1, 0]]]))
    loss.backward()
    assert torch.isfinite(loss) and torch.isfinite(logits.grad).all()
    assert DiceAndCrossEntropyLoss("ce")(logits[..., :2], torch.tensor([[[0, 0]]])).item() == pytest.approx(
        np.log(1e7) / 2, rel=0.02
    )


def test_what_does_not_fit_is_named():
    with pytest.raises(ValueError, match=r"terms must be one of dice\+ce, dice, ce, got 'bce'"):
        DiceAndCrossEntropyLoss("bce")
    for logits, truth in (((1, 4, 3), (1, 3)), ((2, 4, 3), (2, 4, 3)), ((2, 1, 3), (2, 1, 3))):
        with pytest.raises(ValueError, match=r"must be \(N, 2 or more, ...\) and \(N, 1, ...\), got"):
            DiceAndCrossEntropyLoss()(torch.zeros(logits), torch.zeros(truth))
