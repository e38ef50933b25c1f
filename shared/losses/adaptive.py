"""Cross-entropy until the overlap is good, then Dice."""

from __future__ import annotations

import torch
from monai.losses import DiceLoss
from torch import nn

__all__ = ["AdaptiveLoss"]


class AdaptiveLoss(nn.Module):
    """Dice loss where it is less than ``switch_below``, binary cross-entropy where it is not.

    The choice is made anew at each step, for the pictures of one process, and may go back. The Dice loss is
    ``1 - (2 sum(p t) + 1) / (sum(p) + sum(t) + 1)`` with sums over all pictures of the batch at once, so that those
    without a defect do no harm; of several classes it is the mean.

    Args:
        switch_below: Dice loss below which it is the loss, in [0, 1].

    Raises:
        ValueError: ``switch_below`` is out of its range.

    Shape:
        Logits and truth (N, C, *spatial), the result is a scalar.

    Reference:
        ``adaptive_loss`` of the program NVIDIA DeepLearningExamples, TensorFlow/Segmentation/UNet_Industrial.

    Example:
        >>> truth = torch.ones(1, 1, 2, 2)
        >>> AdaptiveLoss()(torch.zeros_like(truth), truth)  # Dice loss 1 - 5/7 < 0.3
        tensor(0.2857)
        >>> AdaptiveLoss(switch_below=0.2)(torch.zeros_like(truth), truth)  # log 2
        tensor(0.6931)
    """

    def __init__(self, switch_below: float = 0.3) -> None:
        super().__init__()
        if not 0 <= switch_below <= 1:
            raise ValueError(f"switch_below must lie in [0, 1], got {switch_below}")
        self.switch_below = switch_below
        self.dice = DiceLoss(sigmoid=True, batch=True, smooth_nr=1, smooth_dr=1)
        self.cross_entropy = nn.BCEWithLogitsLoss()

    def forward(self, logits: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
        truth = truth.to(logits.dtype)
        dice = self.dice(logits, truth)
        # Not an "if": that would make the processor wait for the accelerator at each step.
        return torch.where(dice < self.switch_below, dice, self.cross_entropy(logits, truth))
