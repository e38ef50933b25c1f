"""What a calibration says: its facts as JSON, its curve as a table, and lines for the terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from scipy.special import logit
from scipy.stats import binomtest

from ..tables import six_digits
from .operating_point import RESOLUTION, CostCurve, OperatingPoint

__all__ = ["COLUMNS", "calibration_facts", "calibration_lines", "curve_rows", "open_questions"]

COLUMNS = ("threshold", "cost_per_picture", "missed", "false_alarms")  # of the cost curve
CONFIDENCE = 0.95
NARROW = 0.1  # logits; another precision or engine may move a score as far


def calibration_facts(curve: CostCurve, point: OperatingPoint, missed: float, false_alarm: float) -> dict[str, Any]:
    """The threshold, what it costs on these pictures, and how often it may err on others like them.

    Args:
        curve: from ``trace_cost``.
        point: from ``choose_threshold``.
        missed: cost of a defective picture that passes.
        false_alarm: cost of a sound picture that is rejected.
    """
    cost, misses, alarms = curve.at(point.threshold)
    return {
        "threshold": point.threshold,
        "interval": [point.low, point.high],
        "cost": {"missed": missed, "false_alarm": false_alarm, "per_picture": float(six_digits(cost))},
        "defective": curve.defective,
        "missed": misses,
        "missed_at_most": _at_most(misses, curve.defective),
        "defect_free": curve.defect_free,
        "false_alarms": alarms,
        "false_alarms_at_most": _at_most(alarms, curve.defect_free),
    }


def _at_most(count: int, of: int) -> float:
    """Upper bound of a share, one-sided, by Clopper and Pearson."""
    bound = binomtest(count, of, alternative="less").proportion_ci(CONFIDENCE, method="exact").high
    return float(f"{bound:.4g}")


def curve_rows(curve: CostCurve) -> list[dict[str, Any]]:
    """Rows of ``COLUMNS``."""
    return [
        dict(zip(COLUMNS, (six_digits(threshold), six_digits(cost), missed, alarms), strict=True))
        for threshold, cost, missed, alarms in zip(*curve[:4], strict=True)
    ]


def _beside(curve: CostCurve, low: float, high: float) -> str:
    """What the next thresholds cost: far more on one side means that a single picture decided."""
    below, above = curve.at(low - RESOLUTION / 2)[0], curve.at(min(high, 1 - RESOLUTION))[0]
    return f"below it {below:.3g} per picture, above {above:.3g}"


def open_questions(facts: dict[str, Any]) -> list[str]:
    """In which respect the pictures leave the threshold open, if any."""
    (low, high), notes = facts["interval"], []
    found = facts["defective"] - facts["missed"] + facts["false_alarms"]
    if facts["missed"] + facts["false_alarms"] == 0:
        notes.append(
            f"both kinds are parted without a mistake by any threshold from {low:g} to {high:g}: the pictures do not "
            "decide between these"
        )
    elif found in (0, facts["defective"] + facts["defect_free"]):
        notes.append(
            f"at these costs nothing is cheaper than to call {'all' if found else 'none'} of the pictures defective: "
            "the network does not part them; do not use it as it is"
        )
    if logit(high) - logit(low) < NARROW:
        notes.append(
            "one or two pictures decide between thresholds so near to each other, and the next ones like them may fall "
            "on either side; give more pictures"
        )
    return notes


def calibration_lines(facts: dict[str, Any], curve: CostCurve, before: float, folder: Path) -> list[str]:
    """Lines for the terminal.

    Args:
        facts: from ``calibration_facts``, with the ``split`` that was looked at.
        curve: from ``trace_cost``.
        before: the threshold in use so far.
        folder: where the files are.
    """
    threshold, (low, high), cost = facts["threshold"], facts["interval"], facts["cost"]
    pictures = "validation pictures" if facts["split"] == "validation" else "pictures"
    lines = [
        f"threshold     {threshold:g}; the same decisions from {low:g} to {high:g}; {_beside(curve, low, high)}",
        f"cost          {cost['per_picture']:.3g} per picture, a miss at {cost['missed']:g}, a false alarm at "
        f"{cost['false_alarm']:g}; {curve.at(before)[0]:.3g} at the threshold {before:g}",
        *(
            f"{title:13} {facts[key]} of {facts[of]} {kind} {pictures}; with {CONFIDENCE:.0%} confidence "
            f"at most {100 * facts[f'{key}_at_most']:.3g}% of such pictures"
            for title, key, of, kind in (
                ("missed", "missed", "defective", "defective"),
                ("false alarms", "false_alarms", "defect_free", "defect-free"),
            )
        ),
    ]
    lines += [f"note          {note}" for note in open_questions(facts)]
    if facts["split"] != "validation":
        lines.append(
            "note          nothing tells whether the weights have learned from these pictures; if so, all is worse"
        )
    lines.append(f"files         {folder}")
    lines.append(f"use it        --threshold {threshold!r} at evaluation and inference")
    return lines
