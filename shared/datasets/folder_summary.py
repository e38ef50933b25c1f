"""What ``prepare folder`` tells at its end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from .content import warn_of_much
from .folder_case import CaseReport
from .folder_pairs import Pairs
from .groups import format_twins
from .plan import describe_plan

__all__ = ["format_summary", "summarise"]

SHOWN = 8  # sizes, ignored files


def summarise(found: Pairs, reports: Sequence[CaseReport], labels: Mapping[str, str]) -> dict[str, Any]:
    """Count what was found in at least one case."""
    area = sum(sum(report.pixels.values()) for report in reports)
    return {
        "pictures": len(reports),
        "sizes": dict(Counter(f"{report.size[0]}x{report.size[1]}" for report in reports).most_common()),
        "depths": dict(sorted(Counter(report.depth for report in reports).items())),
        "types": dict(sorted(Counter(report.type for report in reports).items())),
        "labels": {
            name: {
                "pictures": sum(report.pixels.get(int(number), 0) > 0 for report in reports),
                "share": sum(report.pixels.get(int(number), 0) for report in reports) / area,
            }
            for number, name in labels.items()
        },
        "objects": sum(report.objects for report in reports),
        "empty": sum(report.is_empty for report in reports),
        "without_mask": sum(not pair.masks for pair in found.pairs),
        "overlap_pixels": sum(report.overlap for report in reports),
        "overlap_pictures": sum(report.overlap > 0 for report in reports),
        "ignored": [str(file) for file in found.ignored],
    }


def format_summary(summary: Mapping[str, Any]) -> str:
    """Write the result of ``prepare`` as lines for the terminal."""
    sizes = [f"{size}: {count}" for size, count in summary["sizes"].items()]
    more = f", and {len(sizes) - SHOWN} more" if len(sizes) > SHOWN else ""
    lines = [
        f"pictures   {summary['pictures']} in {summary['groups']} groups",
        f"per fold   {', '.join(map(str, summary['folds']))}",
        f"sizes      {', '.join(sizes[:SHOWN])}{more} (height x width)",
        f"values     {', '.join(f'{depth}: {count}' for depth, count in summary['depths'].items())}",
        *(f"type       {type_}: {count}" for type_, count in summary["types"].items()),
        f"masks      {summary['kind']}: {summary['reason']}",
        *(
            f"label      {name}: in {found['pictures']} pictures, {100 * found['share']:.3g}% of all pixels"
            for name, found in summary["labels"].items()
        ),
    ]
    if summary["kind"] == "instances":
        lines.append(f"objects    {summary['objects']}")
    if summary["empty"]:
        lines.append(f"empty      {summary['empty']} pictures, {summary['without_mask']} of them without a mask")
    if summary["overlap_pixels"]:
        lines.append(
            f"overlaps   {summary['overlap_pixels']} pixels of {summary['overlap_pictures']} pictures, "
            "each given to the class that covers less of its picture"
        )
    if summary["plan"]:
        lines.append(describe_plan(summary["plan"]))
    lines.append(f"written    {summary['bytes'] / 1e6:.1f} MB, {summary['datalist']}")
    if summary["extra_group_ids"]:
        lines.append(f"note       the groups file has {summary['extra_group_ids']} ids more than the data; left out")
    lines += warn_of_much(1 - summary["labels"]["background"]["share"])
    lines += format_twins(summary["twins"])
    if ignored := summary["ignored"]:
        names = ", ".join(ignored[:SHOWN]) + (", ..." if len(ignored) > SHOWN else "")
        lines.append(f"note       {len(ignored)} files are no pictures by their suffix; left out: {names}")
    return "\n".join(lines)
