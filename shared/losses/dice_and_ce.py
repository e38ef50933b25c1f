"""The loss of the tumour network of NVIDIA's UNet_3D_Medical."""

from __future__ import annotations

import torch
from monai.losses import DiceLoss
from monai.networks import one_hot
from torch import nn

__all__ = ["DiceAndCrossEntropyLoss"]

TERMS = ("dice+ce", "dice", "ce")
EPSILON = 1e-7


class DiceAndCrossEntropyLoss(nn.Module):
    """Sum over the classes of ``1 - Dice`` and of the binary cross-entropy of each class' share in the softmax.

    Dice is ``2 sum(p t) / (sum(p) + sum(t) + 1e-5)`` of each case and class, so that a class which a case has not costs
    1 whatever is predicted. The cross-entropy takes each class for itself, as if there were a sigmoid, with
    probabilities clipped to [1e-7, 1 - 1e-7]; MONAI's ``DiceCELoss`` takes all together, and means in place of sums.
    TensorFlow adds 1e-7 inside the logarithms besides, which is left out here.

    Args:
        terms: ``"dice+ce"``, ``"dice"`` or ``"ce"``.
        include_background: whether the first class counts as the others.

    Raises:
        ValueError: ``terms`` is unknown; in a call, the shapes do not fit.

    Shape:
        Logits (N, C, *spatial) with C at least 2, truth (N, 1, *spatial) with numbers of classes; the result is a
        scalar.

    Reference:
        NVIDIA DeepLearningExamples, TensorFlow/Segmentation/UNet_3D_Medical.

    Example:
        >>> loss = DiceAndCrossEntropyLoss()
        >>> loss(torch.zeros(1, 2, 2, 2), torch.tensor([[[[0, 1], [1, 1]]]]))  # 1 - 3/5, and log 2
        tensor(1.0931)
    """

    def __init__(self, terms: str = "dice+ce", include_background: bool = False) -> None:
        super().__init__()
        if terms not in TERMS:
            raise ValueError(f"terms must be one of {', '.join(TERMS)}, got {terms!r}")
        self.terms = terms
        self.first = 0 if include_background else 1
        self.dice = DiceLoss(smooth_nr=0, smooth_dr=1e-5)
        self.cross_entropy = nn.BCELoss()

    def forward(self, logits: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
        if logits.shape[1] < 2 or truth.shape != (len(logits), 1, *logits.shape[2:]):
            shapes = f"{tuple(logits.shape)} and {tuple(truth.shape)}"
            raise ValueError(f"logits and truth must be (N, 2 or more, ...) and (N, 1, ...), got {shapes}")
        probability = logits.softmax(dim=1)[:, self.first :]
        true = one_hot(truth, logits.shape[1], dtype=logits.dtype)[:, self.first :]
        loss = logits.new_zeros(())
        if self.terms != "ce":
            loss = loss + self.dice(probability, true)
        if self.terms != "dice":
            loss = loss + self.cross_entropy(probability.clamp(EPSILON, 1 - EPSILON), true)
        return true.shape[1] * loss  # of means over the classes
