"""The threshold at which the mistakes on pictures of known truth cost least."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import expit, logit

from ..metrics.detection import cost_curve

__all__ = ["RESOLUTION", "CostCurve", "OperatingPoint", "choose_threshold", "trace_cost"]

RESOLUTION = 1e-6  # of the scores in metrics.csv; thresholds keep that distance from 0 and 1


class CostCurve(NamedTuple):
    """What mistakes cost from each threshold up to the next.

    ``cost`` is per picture; ``missed`` counts defective pictures that do not count as such, ``false_alarms`` the
    defect-free ones that count as defective. ``defective`` and ``defect_free`` are how many pictures there are.

    Shape:
        The first four (K,); ``threshold`` ascends from 0.
    """

    threshold: np.ndarray
    cost: np.ndarray
    missed: np.ndarray
    false_alarms: np.ndarray
    defective: int
    defect_free: int

    def at(self, threshold: float) -> tuple[float, int, int]:
        """Cost per picture, misses and false alarms at any threshold in [0, 1)."""
        step = int(np.searchsorted(self.threshold, threshold, side="right")) - 1
        return float(self.cost[step]), int(self.missed[step]), int(self.false_alarms[step])


class OperatingPoint(NamedTuple):
    """A threshold and the interval around it in which every threshold decides alike."""

    threshold: float
    low: float
    high: float


def trace_cost(score: np.ndarray, defective: np.ndarray, missed: float, false_alarm: float) -> CostCurve:
    """Cost per picture as a function of the threshold.

    Args:
        score: of each picture, in [0, 1]; it counts as defective when its score is *greater than* the threshold.
        defective: whether each picture is.
        missed: cost of a defective picture that does not count as one, above 0.
        false_alarm: cost of a sound picture that counts as defective, above 0.

    Shape:
        ``score`` and ``defective`` (N,).

    Raises:
        ValueError: the pictures are not of both kinds; one kind alone has its least cost at 0 or 1.
    """
    defective = np.asarray(defective, dtype=bool)
    if len(np.unique(defective)) < 2:
        raise ValueError(f"defective must hold both kinds of pictures, got {np.sum(defective)} of {len(defective)}")
    threshold, cost = cost_curve(score, defective, missed, false_alarm)
    _, misses = cost_curve(score, defective, 1, 0)
    _, alarms = cost_curve(score, defective, 0, 1)
    number, both = int(np.sum(defective)), len(defective)
    return CostCurve(threshold, cost / both, misses.astype(int), alarms.astype(int), number, both - number)


def choose_threshold(curve: CostCurve) -> OperatingPoint:
    """Choose the threshold of least cost.

    Between two neighbouring scores every threshold decides alike, and several such intervals may cost the same. Taken
    is the one that parts pictures, rather than calling all of them defective or none, if there is one; then the widest
    in logits; then the one nearest 0.5. The threshold lies in the middle half of it, in logits, so that pictures a
    little different from these will not cross it, and there as near as may be to 0.5, for which the network was
    trained, and its outlines are best; it is rounded to as few digits as a twentieth of the interval allows.

    Args:
        curve: from ``trace_cost``.

    Returns:
        The threshold, at ``RESOLUTION`` or more from 0 and 1, and its interval.

    Example:
        >>> choose_threshold(trace_cost(np.array([0.1, 0.2, 0.8, 0.9]), np.array([0, 0, 1, 1]), 20, 1))
        OperatingPoint(threshold=0.5, low=0.2, high=0.8)
    """
    low = np.maximum(curve.threshold, RESOLUTION)
    high = np.minimum(np.append(curve.threshold[1:], 1.0), 1 - RESOLUTION)
    there = low < high
    cheapest = there & np.isclose(curve.cost, curve.cost[there].min(), rtol=1e-9, atol=0)
    all_or_none = ~_parts(curve)
    middle, width = (logit(low) + logit(high)) / 2, logit(high) - logit(low)
    order = np.lexsort((np.abs(middle), -width.round(9), all_or_none, ~cheapest))
    best = order[0]
    quarter = width[best] / 4
    place = np.clip(0.0, middle[best] - quarter, middle[best] + quarter)
    return OperatingPoint(_short(float(place), width[best]), float(low[best]), float(high[best]))


def _parts(curve: CostCurve) -> np.ndarray:
    """Whether each step finds some pictures defective and others not; (K,) of bool."""
    found = curve.defective - curve.missed + curve.false_alarms
    return (found > 0) & (found < curve.defective + curve.defect_free)


def _short(place: float, width: float) -> float:
    """The number of fewest digits whose logit is at most a twentieth of ``width`` from ``place``.

    Digits are those of the distance to the nearer of 0 and 1.
    """
    share = float(expit(-abs(place)))
    for digits in range(1, 18):
        value = float(f"{share:.{digits}g}")
        value = value if place < 0 else round(1 - value, 15)
        if abs(logit(value) - place) <= width / 20:
            return value
    raise ValueError(f"width must be more than the precision of numbers, got {width}")
