"""One loss for the masks of the classes, another for the distance that parts touching instances."""

from __future__ import annotations

import torch
from torch import nn

__all__ = ["MasksAndDistanceLoss"]


class MasksAndDistanceLoss(nn.Module):
    """``masks`` on all channels but the last, plus ``weight`` times ``distance`` on the last.

    Args:
        masks: loss of the masks.
        distance: loss of the distance, which lies in [0, 1]; binary cross-entropy is least where the prediction equals
            it.
        weight: of ``distance``, 0 at least.

    Shape:
        Logits and truth (N, classes + 1, *spatial), the result is a scalar.

    Raises:
        ValueError: ``weight`` is negative, shapes differ, or there is but one channel.

    Example:
        >>> loss = MasksAndDistanceLoss(nn.BCEWithLogitsLoss(), nn.BCEWithLogitsLoss(), weight=0.5)
        >>> loss(torch.zeros(1, 2, 4, 4), torch.ones(1, 2, 4, 4))  # 1.5 times log 2
        tensor(1.0397)
    """

    def __init__(self, masks: nn.Module, distance: nn.Module, weight: float = 1.0) -> None:
        super().__init__()
        if weight < 0:
            raise ValueError(f"weight must be 0 at least, got {weight}")
        self.masks, self.distance, self.weight = masks, distance, weight

    def forward(self, logits: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
        if logits.shape != truth.shape or logits.shape[1] < 2:
            shapes = f"{tuple(logits.shape)} and {tuple(truth.shape)}"
            raise ValueError(f"logits and truth must both be (N, classes + 1, ...), got {shapes}")
        depth = self.distance(logits[:, -1:], truth[:, -1:])
        return self.masks(logits[:, :-1], truth[:, :-1]) + self.weight * depth
