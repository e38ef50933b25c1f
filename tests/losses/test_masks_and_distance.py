import pytest
import torch
from monai.losses import DiceLoss
from torch.nn import BCEWithLogitsLoss

from shared.losses import MasksAndDistanceLoss


@pytest.mark.parametrize("classes", [1, 3])
def test_it_is_the_sum_of_its_two_parts(classes):
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn((2, classes + 1, 7, 5), generator=generator)
    truth = torch.rand((2, classes + 1, 7, 5), generator=generator)
    masks, distance = DiceLoss(sigmoid=True), BCEWithLogitsLoss()
    expected = masks(logits[:, :classes], truth[:, :classes]) + 0.5 * distance(logits[:, classes:], truth[:, classes:])
    assert MasksAndDistanceLoss(masks, distance, weight=0.5)(logits, truth) == expected


def test_the_distance_is_learnt_by_the_last_channel_only():
    logits = torch.zeros((1, 2, 3, 3), requires_grad=True)
    loss = MasksAndDistanceLoss(lambda p, t: 0 * p.sum(), BCEWithLogitsLoss())
    loss(logits, torch.full((1, 2, 3, 3), 0.25)).backward()
    assert (logits.grad[:, 0] == 0).all()
    assert (logits.grad[:, 1] > 0).all()


def test_what_does_not_fit_is_named():
    with pytest.raises(ValueError, match="weight must be 0 at least, got -1"):
        MasksAndDistanceLoss(DiceLoss(), DiceLoss(), weight=-1)
    with pytest.raises(ValueError, match=r"got \(1, 1, 4, 4\)"):
        MasksAndDistanceLoss(DiceLoss(), DiceLoss())(torch.zeros(1, 1, 4, 4), torch.zeros(1, 1, 4, 4))
