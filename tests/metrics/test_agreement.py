import math

import numpy as np
import pytest
import torch
from scipy.special import expit

from shared.metrics.agreement import Agreement


def test_batches_are_pooled_as_if_they_were_one():
    generator = np.random.default_rng(0)
    batches = [generator.normal(size=(2, n, 2, 5, 7)) for n in (1, 3)]
    agreement = Agreement()
    for expected, found in batches:
        agreement.add(torch.from_numpy(expected), torch.from_numpy(found))
    expected, found = np.concatenate(batches, axis=1)
    assert agreement.pictures == 4
    assert agreement.largest == pytest.approx(np.abs(expected - found).max())
    assert agreement.mean_difference == pytest.approx(np.abs(expit(expected) - expit(found)).mean())
    masks = expected > 0, found > 0
    assert agreement.dice == pytest.approx(2 * (masks[0] & masks[1]).sum() / (masks[0].sum() + masks[1].sum()))


@pytest.mark.parametrize(
    ("expected", "found", "close"),
    [
        ([9.0] * 500, [9.0] * 499 + [-9.0], True),  # Dice 0.998998, mean |dp| 0.002
        ([9.0] * 200, [9.0] * 199 + [-9.0], False),  # Dice 0.9975
        ([0.4] * 9, [0.43] * 9, False),  # the same masks, mean |dp| 0.007
        ([-9.0] * 9, [-9.01] * 9, True),  # no masks
        ([-9.0] * 9, [-10.0] * 9, False),  # mean |dp| 0.0001, of a network that may be none at all
        ([-9.0, 9.0], [-9.0, math.nan], False),
    ],
)
def test_the_bounds_of_a_fast_path(expected, found, close):
    agreement = Agreement()
    agreement.add(torch.tensor(expected).reshape(1, 1, -1), torch.tensor(found).reshape(1, 1, -1))
    assert agreement.is_close() is close


def test_a_channel_without_masks_does_not_hide_behind_one_that_has_some():
    expected = torch.cat([torch.full((2, 1, 3, 4), 9.0), torch.full((2, 1, 3, 4), -9.0)], 1)
    agreement = Agreement()
    agreement.add(expected, expected - torch.tensor([0.0, 0.015])[:, None, None])
    assert agreement.is_close()
    agreement.add(expected, expected - torch.tensor([0.0, 0.035])[:, None, None])
    assert (agreement.dice, agreement.shift) == (1, pytest.approx(0.025, abs=1e-6))
    assert not agreement.is_close()
    assert str(agreement).endswith("mean difference where there is no mask 2.5e-02")
    agreement.add(-expected, -expected)  # both have some now
    assert agreement.is_close() and agreement.shift == 0


def test_no_mask_at_all_has_no_dice():
    agreement = Agreement()
    agreement.add(torch.tensor([[[-1.0]]]), torch.tensor([[[-1.0]]]))
    assert math.isnan(agreement.dice)
    assert str(agreement).startswith("no masks to compare, mean |dp| 0.0e+00")
    with pytest.raises(ValueError, match=r"found must have the shape \(1, 1, 1\), got \(1, 1, 2\)"):
        agreement.add(torch.zeros(1, 1, 1), torch.zeros(1, 1, 2))
