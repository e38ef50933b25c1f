"""What ``prepare dsb`` tells at its end."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Sequence
from typing import Any

from .content import warn_of_much
from .dsb_case import CaseReport
from .groups import format_twins

__all__ = ["format_summary", "summarise"]

SHOWN = 5  # names


def summarise(reports: Sequence[CaseReport]) -> dict[str, Any]:
    """Count what was found in at least one case."""
    counts = [report.nuclei for report in reports]
    sizes = Counter(f"{report.size[0]}x{report.size[1]}" for report in reports)
    return {
        "pictures": len(reports),
        "sizes": dict(sorted(sizes.items())),
        "types": dict(sorted(Counter(report.type for report in reports).items())),
        "nuclei": {
            "total": sum(counts),
            "min": min(counts),
            "median": statistics.median(counts),
            "max": max(counts),
        },
        "foreground": sum(report.foreground for report in reports)
        / sum(report.size[0] * report.size[1] for report in reports),
        "overlap_pixels": sum(report.overlap_pixels for report in reports),
        "overlap_pictures": sum(report.overlap_pixels > 0 for report in reports),
        "vanished": [name for report in reports for name in report.vanished],
    }


def format_summary(summary: dict[str, Any]) -> str:
    """Write the result of ``prepare`` as lines for the terminal."""
    nuclei, vanished = summary["nuclei"], summary["vanished"]
    sizes = ", ".join(f"{size}: {count}" for size, count in summary["sizes"].items())
    spread = f"min {nuclei['min']}, median {nuclei['median']:g}, max {nuclei['max']}"
    lines = [
        f"pictures   {summary['pictures']} in {summary['groups']} groups",
        f"per fold   {', '.join(map(str, summary['folds']))}",
        f"sizes      {sizes} (height x width)",
        *(f"type       {type_}: {count}" for type_, count in summary["types"].items()),
        f"nuclei     {nuclei['total']}; per picture {spread}",
        f"overlaps   {summary['overlap_pixels']} pixels of {summary['overlap_pictures']} pictures, "
        "each given to the smallest nucleus that claims it",
        f"written    {summary['bytes'] / 1e6:.1f} MB, {summary['datalist']}",
    ]
    if summary["extra_group_ids"]:
        lines.append(f"note       the groups file has {summary['extra_group_ids']} ids more than the data; left out")
    if unknown := summary["unknown"]:
        lines.append(
            f"note       {len(unknown)} pictures are not in the table of the public set's groups and stand alone; if "
            f"some are tiles of one picture, give --groups: {', '.join(unknown[:SHOWN])}"
            + (", ..." if len(unknown) > SHOWN else "")
        )
    lines += warn_of_much(summary["foreground"])
    lines += format_twins(summary["twins"])
    if vanished:
        lines.append(f"WARNING    {len(vanished)} nuclei vanished, wholly covered by smaller ones or by an equal mask:")
        lines += [f"           {name}" for name in vanished]
    return "\n".join(lines)
