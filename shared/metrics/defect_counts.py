"""Counts of defective pixels and of those found, for each picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from monai.metrics import CumulativeIterationMetric
from monai.utils import convert_to_tensor

from .detection import REFERENCE_THRESHOLDS, PictureCounts

__all__ = ["DefectCounts", "any_defect"]


def any_defect(probability: torch.Tensor, truth: torch.Tensor | None) -> tuple[torch.Tensor, torch.Tensor]:
    """The kinds of defect as one: the greatest probability and the union of the masks.

    Args:
        probability: of each kind, in [0, 1].
        truth: mask of each kind, 0 or 1.

    Returns:
        Probability and truth (boolean) of each pixel.

    Shape:
        Both (B, C, *spatial); both results (B, pixels).

    Raises:
        ValueError: a value is out of its range, or the shapes differ.
    """
    if truth is None or truth.shape != probability.shape or truth.ndim < 3:
        shape = None if truth is None else tuple(truth.shape)
        raise ValueError(f"y_pred and y must both be (B, C, *spatial), got {tuple(probability.shape)} and {shape}")
    # A MetaTensor would carry its metadata through every step.
    probability, truth = convert_to_tensor(probability), convert_to_tensor(truth)
    low, high = probability.aminmax()
    if not (low >= 0 and high <= 1):  # also where either is NaN
        raise ValueError(f"y_pred must hold probabilities in [0, 1], got values from {low:g} to {high:g}")
    defective = truth != 0
    if not torch.equal(defective.to(truth.dtype), truth):
        raise ValueError("y must hold 0 and 1 only, got other values")
    return probability.amax(dim=1).flatten(1), defective.any(dim=1).flatten(1)


class DefectCounts(CumulativeIterationMetric):
    """Accumulates ``PictureCounts``, from which all scores of detection follow.

    Several kinds of defect count as one: a pixel is as defective as the likeliest kind makes it.

    Args:
        thresholds: probabilities *above* which a pixel is found, each in [0, 1).

    Raises:
        ValueError: a threshold is out of its range; the probabilities or the truth are, or their shapes differ.

    Shape:
        Probability and truth (B, C, *spatial) or lists of (C, *spatial); buffer (N, 2 + 2 thresholds).

    Example:
        >>> counts = DefectCounts([0.5, 0.9])
        >>> defective, sound = torch.tensor([[0.2, 0.7]]), torch.tensor([[0.1]])
        >>> counts([defective, sound], [torch.ones(1, 2), torch.zeros(1, 1)])
        tensor([[0.7000, 2.0000, 1.0000, 0.0000, 1.0000, 0.0000],
                [0.1000, 0.0000, 0.0000, 0.0000, 0.0000, 0.0000]], dtype=torch.float64)
        >>> counts.aggregate().found
        array([[1., 0.],
               [0., 0.]])
    """

    def __init__(self, thresholds: Sequence[float] = REFERENCE_THRESHOLDS) -> None:
        super().__init__()
        if not all(0 <= threshold < 1 for threshold in thresholds):
            raise ValueError(f"thresholds must be numbers in [0, 1), got {tuple(thresholds)}")
        self.thresholds = tuple(thresholds)

    def _compute_tensor(self, y_pred: torch.Tensor, y: torch.Tensor | None = None, **kwargs: Any) -> torch.Tensor:
        probability, true = any_defect(y_pred, y)
        above = [probability > threshold for threshold in self.thresholds]
        columns = [
            probability.amax(dim=1),
            true.sum(dim=1),
            *(found.sum(dim=1) for found in above),
            *((found & true).sum(dim=1) for found in above),
        ]
        return torch.stack([column.double() for column in columns], dim=1)

    def aggregate(self) -> PictureCounts:
        """The counts of all pictures of all processes.

        Raises:
            ValueError: no picture was seen.
        """
        rows = self.get_buffer()
        if rows is None:
            raise ValueError("there are no counts yet: give the metric a picture first")
        rows, first = rows.cpu().numpy(), 2 + len(self.thresholds)
        return PictureCounts(score=rows[:, 0], true=rows[:, 1], found=rows[:, 2:first], both=rows[:, first:])
