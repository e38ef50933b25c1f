"""How well defects were found, from counts of pixels: pure functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from monai.metrics import compute_average_precision, compute_roc_auc

__all__ = [
    "REFERENCE_THRESHOLDS",
    "PictureCounts",
    "cost_curve",
    "defective_dice",
    "defective_iou",
    "detection_cost",
    "histogram_average_precision",
    "image_average_precision",
    "image_roc_auc",
    "iou_ths",
    "true_negatives",
    "true_positives",
]

REFERENCE_THRESHOLDS = (0.05, 0.125, 0.25, 0.5, 0.75, 0.85, 0.95, 0.99)
SMOOTH = 1e-5
MISSED, FALSE_ALARM = 20.0, 1.0  # what either costs in the competition of the data


class PictureCounts(NamedTuple):
    """What there is in each picture and what was found.

    ``score`` is the greatest probability of a defect, ``true`` the number of defective pixels; ``found`` counts the
    pixels above a threshold and ``both`` those of them that are defective.

    Shape:
        ``score`` and ``true`` (N,); ``found`` and ``both`` (N, thresholds).
    """

    score: np.ndarray
    true: np.ndarray
    found: np.ndarray
    both: np.ndarray

    def at(self, threshold: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """``true``, ``found`` and ``both`` at one threshold, given by its number; each (N,)."""
        return self.true, self.found[:, threshold], self.both[:, threshold]


def iou_ths(true: np.ndarray, found: np.ndarray, both: np.ndarray) -> np.ndarray:
    """What NVIDIA's UNet_Industrial calls IoU: a Dice of each picture, 1 where nothing is and nothing was found.

    Shape:
        All (N,), also the result.

    Example:
        >>> iou_ths(np.array([0, 0, 6]), np.array([0, 2, 4]), np.array([0, 0, 4])).round(4)
        array([1. , 0. , 0.8])
    """
    return (2 * both + SMOOTH) / (true + found + SMOOTH)


def defective_dice(true: np.ndarray, found: np.ndarray, both: np.ndarray) -> np.ndarray:
    """Dice of each defective picture, NaN for the others.

    Example:
        >>> defective_dice(np.array([0, 6]), np.array([0, 4]), np.array([0, 4]))
        array([nan, 0.8])
    """
    return np.where(true > 0, 2 * both / np.maximum(true + found, 1), np.nan)


def defective_iou(true: np.ndarray, found: np.ndarray, both: np.ndarray) -> np.ndarray:
    """Intersection over union of each defective picture, NaN for the others."""
    return np.where(true > 0, both / np.maximum(true + found - both, 1), np.nan)


def true_positives(true: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Whether anything was found in each defective picture, NaN for the others; the mean is the true positive rate.

    A single pixel decides, and it need not be a defective one.
    """
    return np.where(true > 0, found > 0, np.nan)


def true_negatives(true: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Whether nothing was found in each sound picture, NaN for the others; the mean is the true negative rate."""
    return np.where(true > 0, np.nan, found == 0)


def detection_cost(
    true: np.ndarray, found: np.ndarray, missed: float = MISSED, false_alarm: float = FALSE_ALARM
) -> float:
    """Cost of the decisions on all pictures together.

    Args:
        true: defective pixels per picture.
        found: pixels found.
        missed: cost of a defective picture in which nothing was found.
        false_alarm: cost of a sound picture in which something was.

    Reference:
        DAGM 2007: Weakly supervised learning for industrial optical inspection, where a miss costs 20 and a false
        alarm 1.

    Example:
        >>> detection_cost(np.array([9, 9, 0, 0, 0]), np.array([4, 0, 1, 1, 0]))
        22.0
    """
    return float(missed * np.sum((true > 0) & (found == 0)) + false_alarm * np.sum((true == 0) & (found > 0)))


def cost_curve(
    score: np.ndarray, defective: np.ndarray, missed: float = MISSED, false_alarm: float = FALSE_ALARM
) -> tuple[np.ndarray, np.ndarray]:
    """Cost as a function of the threshold, at all thresholds where it can change.

    Args:
        score: of each picture, in [0, 1]; it counts as defective when its score is *greater than* the threshold.
        defective: whether each picture is.
        missed: cost of a defective picture that does not count as one.
        false_alarm: cost of a sound picture that counts as defective.

    Returns:
        Thresholds, ascending from 0, and the cost from each of them up to the next.

    Shape:
        ``score`` and ``defective`` (N,); both results (K,) with K at most N + 1.

    Example:
        >>> cost_curve(np.array([0.2, 0.4, 0.4, 0.9]), np.array([False, False, True, True]))
        (array([0. , 0.2, 0.4, 0.9]), array([ 2.,  1., 20., 40.]))
    """
    defective = np.asarray(defective, dtype=bool)
    thresholds = np.unique(np.append(np.asarray(score, dtype=np.float64), 0.0))
    below_or_at = np.searchsorted(np.sort(score[defective]), thresholds, side="right")
    above = np.count_nonzero(~defective) - np.searchsorted(np.sort(score[~defective]), thresholds, side="right")
    return thresholds, missed * below_or_at + false_alarm * above


def image_roc_auc(score: np.ndarray, defective: np.ndarray) -> float:
    """Probability that a defective picture has the greater score than a sound one; NaN unless there are both."""
    return _of_both_kinds(compute_roc_auc, score, defective)


def image_average_precision(score: np.ndarray, defective: np.ndarray) -> float:
    """Average precision of the pictures in the order of their scores; NaN unless there are both kinds."""
    return _of_both_kinds(compute_average_precision, score, defective)


def _of_both_kinds(compute: Callable[..., Any], score: np.ndarray, defective: np.ndarray) -> float:
    if len(np.unique(defective)) < 2:  # MONAI would warn
        return float("nan")
    return float(compute(torch.as_tensor(score), torch.as_tensor(defective).double()))


def histogram_average_precision(negatives: np.ndarray, positives: np.ndarray) -> float:
    """Average precision where all within a bin count as equal, NaN without positives.

    It is the sum over bins from the highest down of ``precision * positives in the bin / all positives``.

    Args:
        negatives: how many there are in each bin, bins in ascending order of probability.
        positives: likewise.

    Shape:
        Both (bins,).

    Example:
        >>> histogram_average_precision(np.array([5, 1, 0]), np.array([0, 1, 1]))  # (1 + 2/3) / 2
        0.8333333333333333
    """
    above, all_above = np.cumsum(positives[::-1]), np.cumsum((positives + negatives)[::-1])
    if above[-1] == 0:
        return float("nan")
    return float(np.sum(positives[::-1] * (above / np.maximum(all_above, 1))) / above[-1])
