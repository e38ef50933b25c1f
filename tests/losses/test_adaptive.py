import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser

from shared.losses import AdaptiveLoss

# The reference's other losses need no class: this is how a configuration says them.
OTHERS = {
    "x-entropy": {"_target_": "torch.nn.BCEWithLogitsLoss"},
    "dice_sorensen": {"_target_": "DiceLoss", "sigmoid": True, "batch": True, "smooth_nr": 1, "smooth_dr": 1},
    "dice_jaccard": {
        "_target_": "DiceLoss",
        "sigmoid": True,
        "batch": True,
        "squared_pred": True,
        "smooth_nr": 1,
        "smooth_dr": 1,
    },
    "l2_loss": "$lambda logits, truth: torch.nn.functional.mse_loss(logits.sigmoid(), truth, reduction='sum') / 2",
}


def by_definition(name, logits, truth):
    p, t = 1 / (1 + np.exp(-logits)), truth
    if name == "x-entropy":
        return -np.mean(t * np.log(p) + (1 - t) * np.log(1 - p))
    if name == "dice_sorensen":
        return 1 - (2 * np.sum(p * t) + 1) / (np.sum(p) + np.sum(t) + 1)
    if name == "dice_jaccard":
        return 1 - (2 * np.sum(p * t) + 1) / (np.sum(p * p) + np.sum(t * t) + 1)
    if name == "l2_loss":
        return np.sum((p - t) ** 2) / 2
    dice = by_definition("dice_sorensen", logits, truth)
    return dice if dice < 0.3 else by_definition("x-entropy", logits, truth)


def batch(sharpness, seed=0):
    """Three pictures, the last without a defect; logits that are right but for a few pixels."""
    random = np.random.default_rng(seed)
    truth = (random.random((3, 1, 7, 11)) > 0.5).astype(float)
    truth[2] = 0
    return sharpness * (2 * truth - 1) + random.normal(size=truth.shape), truth


@pytest.mark.parametrize("name", OTHERS)
def test_the_other_losses_are_lines_of_configuration(name):
    logits, truth = batch(1.0)
    loss = ConfigParser({"loss": OTHERS[name]}).get_parsed_content("loss")
    found = loss(torch.tensor(logits), torch.tensor(truth)).item()
    assert found == pytest.approx(by_definition(name, logits, truth), rel=1e-9)


@pytest.mark.parametrize(("sharpness", "chosen"), [(0.0, "x-entropy"), (3.0, "dice_sorensen")])
def test_the_switch_and_its_gradient(sharpness, chosen):
    logits, truth = batch(sharpness)
    dice = by_definition("dice_sorensen", logits, truth)
    assert (dice < 0.3) == (chosen == "dice_sorensen")
    ours, other = (torch.tensor(logits, requires_grad=True) for _ in range(2))
    loss = AdaptiveLoss()(ours, torch.tensor(truth))
    assert loss.item() == pytest.approx(by_definition("adaptive_loss", logits, truth), rel=1e-9)
    loss.backward()
    ConfigParser({"loss": OTHERS[chosen]}).get_parsed_content("loss")(other, torch.tensor(truth)).backward()
    assert torch.allclose(ours.grad, other.grad, rtol=1e-12, atol=0)


def test_it_goes_back_and_takes_integer_truth():
    loss = AdaptiveLoss()
    good, bad = batch(3.0), batch(0.0)
    for logits, truth in (good, bad, good):
        found = loss(torch.tensor(logits), torch.tensor(truth).to(torch.uint8)).item()
        assert found == pytest.approx(by_definition("adaptive_loss", logits, truth), rel=1e-9)


def test_extreme_logits_stay_finite():
    logits = torch.tensor([[[-1e4, 1e4]]], requires_grad=True)
    AdaptiveLoss()(logits, torch.tensor([[[1.0, 0.0]]])).backward()
    assert torch.isfinite(logits.grad).all()


def test_a_switch_out_of_range_is_refused():
    with pytest.raises(ValueError, match=r"switch_below must lie in \[0, 1\], got 30"):
        AdaptiveLoss(30)
