"""Dice of a batch and of its crops, and cross-entropy, for objects from tiny to large that many crops lack."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

__all__ = ["DiceOfBothLoss"]


class DiceOfBothLoss(nn.Module):
    """Binary cross-entropy plus the mean of two ``1 - Dice``: that of the whole batch, and that of each crop's own.

    In the Dice of the batch what is found in a crop without an object costs as much as elsewhere, but a small object
    counts next to nothing beside a large one. In its own crop it counts fully; there, crops without an object are left
    out, for in them Dice hardly tells a large false alarm from a small one. MONAI's losses have either Dice, and none
    leaves such crops out.

    Shape:
        Logits and truth of 0 and 1 (N, 1, *spatial); the result is a scalar.

    Example:
        >>> truth = torch.tensor([[[[1.0, 0, 0, 0]]], [[[0, 0, 0, 0]]]])
        >>> DiceOfBothLoss()(40 * truth - 20, truth).round(decimals=6)
        tensor(0.)
    """

    def forward(self, logits: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
        if logits.shape != truth.shape or logits.shape[1] != 1:
            raise ValueError(f"logits and truth must be (N, 1, ...), got {tuple(logits.shape)}, {tuple(truth.shape)}")
        truth = truth.to(logits.dtype)
        found = logits.sigmoid()
        both, sizes = ((values.flatten(1).sum(dim=1)) for values in (found * truth, found + truth))
        crops, held = _dice_loss(both, sizes), (truth.flatten(1).amax(dim=1) > 0).to(logits.dtype)
        of_crops = (crops * held).sum() / held.sum().clamp(min=1)
        of_batch = _dice_loss(both.sum(), sizes.sum())
        return functional.binary_cross_entropy_with_logits(logits, truth) + (of_batch + of_crops) / 2


def _dice_loss(both: torch.Tensor, sizes: torch.Tensor) -> torch.Tensor:
    return 1 - (2 * both + 1) / (sizes + 1)  # the ones: nothing found where nothing is costs nothing
