"""How well instances were found and parted: the score of the 2018 Data Science Bowl."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from monai.metrics import CumulativeIterationMetric
from scipy.sparse import csr_array

__all__ = [
    "DSB_THRESHOLDS",
    "InstanceScore",
    "MatchCounts",
    "count_matches",
    "dsb_score",
    "intersection_over_union",
]

# 0.50, 0.55 .. 0.95 as correctly rounded quotients: np.arange would give 0.6000000000000001, and an IoU of exactly 3/5
# must compare equal to its threshold.
DSB_THRESHOLDS = tuple(twentieths / 20 for twentieths in range(10, 20))


class MatchCounts(NamedTuple):
    """Hits, superfluous instances and missed instances."""

    true_positives: int
    false_positives: int
    false_negatives: int

    @property
    def precision(self) -> float:
        """Kaggle's precision tp / (tp + fp + fn), NaN where there is no instance at all.

        >>> MatchCounts(true_positives=3, false_positives=1, false_negatives=0).precision
        0.75
        """
        return self.true_positives / sum(self) if sum(self) else float("nan")


def intersection_over_union(truth: np.ndarray, pred: np.ndarray) -> csr_array:
    """IoU of each true with each predicted instance, of which most do not meet.

    Args:
        truth: true instances, integers, 0 is background; ids may have gaps and take any value.
        pred: predicted instances, likewise.

    Returns:
        Sparse matrix with a row per true and a column per predicted instance, both in ascending order of their ids.

    Shape:
        ``truth`` and ``pred`` have the same shape, of any number of dimensions; the result is (n_truth, n_pred).

    Raises:
        ValueError: the shapes differ or the ids are not integers.

    Example:
        >>> intersection_over_union(np.array([7, 7, 7, 0]), np.array([0, 2, 2, 2])).toarray()
        array([[0.5]])
    """
    if truth.shape != pred.shape:
        raise ValueError(f"truth and pred must have one shape, got {truth.shape} and {pred.shape}")
    true_ids, true_index = _compact(truth, "truth")
    pred_ids, pred_index = _compact(pred, "pred")
    each = np.ones(truth.size, np.int64)
    pixels = csr_array((each, (true_index.ravel(), pred_index.ravel())), shape=(len(true_ids), len(pred_ids))).tocoo()
    row, column = pixels.coords
    union = pixels.sum(axis=1)[row] + pixels.sum(axis=0)[column] - pixels.data
    iou = csr_array((pixels.data / union, (row, column)), shape=pixels.shape)
    return iou[true_ids != 0][:, pred_ids != 0]


def _compact(instances: np.ndarray, argument: str) -> tuple[np.ndarray, np.ndarray]:
    """The ids that occur, ascending, and each pixel's place among them."""
    if not np.issubdtype(instances.dtype, np.integer):
        raise ValueError(f"{argument} must hold integer ids, got {instances.dtype}")
    ids = np.unique(instances)
    return ids, np.searchsorted(ids, instances)


def count_matches(iou: csr_array, threshold: float) -> MatchCounts:
    """Hits, superfluous and missed instances at one threshold.

    Kaggle's rule: an instance is hit when the IoU with a predicted one is *greater than* the threshold. From 0.5 on no
    instance can be hit twice, so that counting pairs is enough. The comparison is exact: an IoU is the correctly
    rounded quotient of two integers and equals a threshold such as 0.6 only where the quotient does.

    Args:
        iou: matrix of ``intersection_over_union``.
        threshold: in [0.5, 1).

    Raises:
        ValueError: the threshold is out of its range; below 0.5 a pair would not be unique.
    """
    if not 0.5 <= threshold < 1:
        raise ValueError(f"threshold must lie in [0.5, 1), where matches are unique, got {threshold}")
    hits = int(np.count_nonzero(iou.data > threshold))
    n_truth, n_pred = iou.shape
    return MatchCounts(hits, n_pred - hits, n_truth - hits)


def dsb_score(truth: np.ndarray, pred: np.ndarray, thresholds: Sequence[float] = DSB_THRESHOLDS) -> float:
    """Mean over ``thresholds`` of tp / (tp + fp + fn) of one picture; with ``[0.5]`` it is AP50.

    A picture without instances in truth and prediction has no score (NaN); with instances in only one of them it is 0.

    Args:
        truth: true instances, integers, 0 is background.
        pred: predicted instances, likewise.
        thresholds: IoU above which an instance is a hit, each in [0.5, 1).

    Raises:
        ValueError: the shapes differ, the ids are not integers, or a threshold is out of its range.

    Reference:
        https://www.kaggle.com/competitions/data-science-bowl-2018/overview/evaluation

    Example:
        >>> dsb_score(np.array([7, 7, 7, 7, 0]), np.array([0, 2, 2, 2, 0]))  # IoU 3/4, a hit at 0.50 .. 0.70
        0.5
    """
    iou = intersection_over_union(truth, pred)
    return float(np.mean([count_matches(iou, threshold).precision for threshold in thresholds]))


class InstanceScore(CumulativeIterationMetric):
    """Accumulates ``dsb_score`` over pictures; ``aggregate`` gives the mean of those that have one.

    Args:
        thresholds: IoU above which an instance is a hit, each in [0.5, 1); the ten of the Data Science Bowl by default,
            ``[0.5]`` for AP50.

    Raises:
        ValueError: no threshold, or one out of its range.

    Shape:
        Predicted and true instances (B, 1, ...) or lists of (1, ...), 0 is background; the buffer is (N, 1).

    Example:
        >>> score = InstanceScore()
        >>> perfect, empty = torch.tensor([[[[0, 1, 1]]]]), torch.zeros(1, 1, 1, 3, dtype=torch.int32)
        >>> score(perfect, perfect), score(empty, perfect), score(empty, empty)
        (tensor([[1.]]), tensor([[0.]]), tensor([[nan]]))
        >>> score.aggregate()
        tensor(0.5000)
    """

    def __init__(self, thresholds: Sequence[float] = DSB_THRESHOLDS) -> None:
        super().__init__()
        if not thresholds or not all(0.5 <= threshold < 1 for threshold in thresholds):
            raise ValueError(f"thresholds must be numbers in [0.5, 1), got {thresholds}")
        self.thresholds = tuple(thresholds)

    def _compute_tensor(self, y_pred: torch.Tensor, y: torch.Tensor | None = None, **kwargs: object) -> torch.Tensor:
        if y is None:
            raise ValueError("y is missing, the score needs the true instances")
        for argument, instances in (("y_pred", y_pred), ("y", y)):
            if instances.ndim < 3 or instances.shape[1] != 1:
                raise ValueError(f"{argument} must have the shape (B, 1, *spatial), got {tuple(instances.shape)}")
        pairs = zip(_to_ids(y, "y"), _to_ids(y_pred, "y_pred"), strict=True)
        scores = [[dsb_score(truth, pred, self.thresholds)] for truth, pred in pairs]
        return torch.tensor(scores, dtype=torch.float32, device=y_pred.device)

    def aggregate(self) -> torch.Tensor:
        """Mean score of the pictures that have one, NaN where none has."""
        scores = self.get_buffer()
        return torch.tensor(float("nan")) if scores is None else torch.nanmean(scores)


def _to_ids(instances: torch.Tensor, argument: str) -> np.ndarray:
    """Integer ids; MONAI often keeps label maps as floats, but a probability here would be a mistake."""
    values = instances.cpu().numpy()
    ids = values.astype(np.int64)
    if not np.array_equal(ids, values):
        raise ValueError(f"{argument} must hold the ids of instances, whole numbers, got fractions")
    return ids
