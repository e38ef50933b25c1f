"""Average precision over all pixels of all pictures, in bounded memory."""

from __future__ import annotations

from typing import Any

import torch
from monai.metrics.metric import IterationMetric
from monai.utils import evenly_divisible_all_gather

from .defect_counts import any_defect
from .detection import histogram_average_precision

__all__ = ["PixelAveragePrecision"]

BINS = 2**18
# Probabilities of a trained network crowd at 0 and 1, so bins are equal in log-odds, over all values float32 has.
# A bin is 0.00046 wide: 0.00012 of probability at 1/2, a millionth at 0.998.
LOWEST, HIGHEST = -104.0, 17.0


class PixelAveragePrecision(IterationMetric):
    """Average precision of the pixels, from a histogram of their probabilities in 262144 bins of equal log-odds.

    Pixels within a bin count as equally likely. The error is some 1e-5 for a network that is sure of most pixels and
    5e-4 where all probabilities lie between 0.4 and 0.6. Four megabytes are kept, however many pixels there are. A
    picture that two processes see counts twice: let no sampler repeat pictures in an evaluation.

    Several kinds of defect count as one, see ``any_defect``.

    Raises:
        ValueError: probabilities or truth are out of range, or their shapes differ.

    Shape:
        Probability and truth (B, C, *spatial) or lists of (C, *spatial). A call returns the counts (B, 2, 262144) of
        sound and of defective pixels.

    Example:
        >>> metric = PixelAveragePrecision()
        >>> _ = metric(torch.tensor([[[0.9, 0.8, 0.7]]]), torch.tensor([[[1, 0, 1]]]))
        >>> metric.aggregate()  # (1 + 2/3) / 2
        tensor(0.8333, dtype=torch.float64)
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget what was counted."""
        self.counts = torch.zeros(2, BINS, dtype=torch.int64)

    def __call__(self, y_pred: Any, y: Any = None, **kwargs: Any) -> Any:
        """Add pictures.

        Args:
            y_pred: probabilities.
            y: truth.
        """
        counts: Any = super().__call__(y_pred=y_pred, y=y, **kwargs)
        self.counts = self.counts.to(counts.device) + counts.sum(dim=0)
        return counts

    def _compute_tensor(self, y_pred: torch.Tensor, y: torch.Tensor | None = None, **kwargs: Any) -> torch.Tensor:
        probability, true = any_defect(y_pred, y)
        # In float64, so that no two float32 probabilities change places.
        odds = torch.logit(probability.double()).clamp_(LOWEST, HIGHEST)
        bins = ((odds - LOWEST) * (BINS / (HIGHEST - LOWEST))).long().clamp_(max=BINS - 1) + BINS * true
        return torch.stack([torch.bincount(picture, minlength=2 * BINS) for picture in bins]).reshape(-1, 2, BINS)

    def aggregate(self) -> torch.Tensor:
        """Average precision, NaN without a defective pixel."""
        counts: Any = evenly_divisible_all_gather(self.counts[None], concat=True)
        return torch.tensor(histogram_average_precision(*counts.sum(dim=0).cpu().numpy()), dtype=torch.float64)
