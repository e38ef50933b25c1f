"""Dice and intersection over union, undefined where there is nothing to find and nothing found."""

from __future__ import annotations

from typing import Any

import torch
from monai.metrics import (
    CumulativeIterationMetric,
    compute_confusion_matrix_metric,
    get_confusion_matrix,
)

__all__ = ["Overlap"]

NAMES = {"dice": "f1 score", "iou": "threat score"}  # what MONAI calls them


class Overlap(CumulativeIterationMetric):
    """Dice ``2 tp / (2 tp + fp + fn)`` or IoU ``tp / (tp + fp + fn)`` of each case and class.

    MONAI's ``DiceMetric`` and ``MeanIoU`` score a case without truth as NaN even when something was found there
    (``ignore_empty=True``), or as 1 when nothing was (``False``). Here it is 0 in the first case and NaN in the second,
    and the mean leaves NaN out.

    Args:
        score: ``"dice"`` or ``"iou"``.

    Raises:
        ValueError: ``score`` is neither.

    Shape:
        Prediction and truth (N, C, *spatial), binary; buffer (N, C); aggregate: one number, NaN if none is defined.

    Example:
        >>> metric = Overlap("iou")
        >>> truth, found = torch.tensor([[[1, 1, 0]]]), torch.tensor([[[0, 1, 1]]])
        >>> round(metric(found[None], truth[None]).item(), 4)
        0.3333
    """

    def __init__(self, score: str = "dice") -> None:
        super().__init__()
        if score not in NAMES:
            raise ValueError(f"score must be one of {sorted(NAMES)}, got {score!r}")
        self.score = score

    def _compute_tensor(self, y_pred: torch.Tensor, y: torch.Tensor | None = None, **kwargs: Any) -> torch.Tensor:
        if y is None:
            raise ValueError("y is missing, an overlap needs the truth")
        counts = get_confusion_matrix(y_pred=y_pred, y=y, include_background=True)
        return compute_confusion_matrix_metric(NAMES[self.score], counts.double())

    def aggregate(self) -> torch.Tensor:
        """Mean over the defined classes of each case, then over the cases."""
        values = self.get_buffer()
        return torch.nanmean(torch.nanmean(values, dim=1))
