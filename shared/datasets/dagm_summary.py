"""What ``prepare dagm`` tells at its end."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from .content import warn_of_much
from .dagm_case import CaseReport
from .groups import format_twins
from .plan import describe_plan

__all__ = ["format_summary", "summarise"]

# Defective pictures of the classes 1 to 10 in the official set.
OFFICIAL = {
    "Train": (79, 66, 66, 82, 70, 83, 150, 150, 150, 150),
    "Test": (71, 84, 84, 68, 80, 67, 150, 150, 150, 150),
}


def summarise(
    class_id: int, halves: Mapping[str, Sequence[CaseReport]], folds: Sequence[int], num_folds: int
) -> dict[str, Any]:
    """Count what was found.

    Args:
        class_id: number of the class, from 1.
        halves: reports of ``Train`` and ``Test``, at least one defective in the first.
        folds: of the reports in the first half.
        num_folds: number of folds.
    """
    reports = [report for half in halves.values() for report in half]
    areas = [report.area for report in reports if report.is_defective]
    counts = {name: (len(half), sum(report.is_defective for report in half)) for name, half in halves.items()}
    in_folds = next(iter(halves.values()))
    held = [[report for report, fold in zip(in_folds, folds, strict=True) if fold == n] for n in range(num_folds)]
    return {
        "class_id": class_id,
        "pictures": len(reports),
        "halves": {name: {"pictures": total, "defective": bad} for name, (total, bad) in counts.items()},
        "folds_defective": [sum(report.is_defective for report in fold) for fold in held],
        "sizes": dict(Counter(f"{report.size[0]}x{report.size[1]}" for report in reports).most_common()),
        "depths": dict(sorted(Counter(report.depth for report in reports).items())),
        "areas": {"min": min(areas), "median": statistics.median(areas), "max": max(areas)},
        "foreground": sum(areas) / sum(report.size[0] * report.size[1] for report in reports),
        "deviations": {
            name: OFFICIAL[name][class_id - 1]
            for name, (_, bad) in counts.items()
            if bad != OFFICIAL[name][class_id - 1]
        },
    }


def format_summary(summary: Mapping[str, Any]) -> str:
    """Write the result of ``prepare`` as lines for the terminal."""
    halves, areas = summary["halves"], summary["areas"]
    defective = sum(half["defective"] for half in halves.values())
    folds = zip(summary["folds"], summary["folds_defective"], strict=True)
    in_folds = next(iter(halves))
    lines = [
        f"pictures   {summary['pictures']} of class {summary['class_id']}, {defective} of them defective",
        *(
            f"{name:10} {half['pictures']}, {half['defective']} of them defective; {_use(name == in_folds)}"
            for name, half in halves.items()
        ),
        f"per fold   {', '.join(f'{total} ({bad} defective)' for total, bad in folds)}",
        f"sizes      {', '.join(f'{size}: {n}' for size, n in summary['sizes'].items())} (height x width)",
        f"values     {', '.join(f'{depth}: {n}' for depth, n in summary['depths'].items())}",
        f"labels     pixels of a defect: min {areas['min']}, median {areas['median']:g}, max {areas['max']}",
        describe_plan(summary["plan"]),
        f"written    {summary['bytes'] / 1e6:.1f} MB, {summary['datalist']}",
    ]
    if len(halves) == 1:
        lines.append(f"note       there is only {in_folds}; nothing is set apart as test")
    lines += warn_of_much(summary["foreground"])
    lines += format_twins(summary["twins"])
    lines += [
        f"WARNING    {name} has {halves[name]['defective']} defective pictures, the official set {official}"
        for name, official in summary["deviations"].items()
    ]
    lines += [
        f"WARNING    fold {fold} has no defective picture; give fewer folds"
        for fold, bad in enumerate(summary["folds_defective"])
        if not bad
    ]
    return "\n".join(lines)


def _use(in_folds: bool) -> str:
    return "split into folds" if in_folds else "set apart as test"
