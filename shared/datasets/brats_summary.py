"""What ``prepare brats`` tells at its end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from .brats_case import CaseReport
from .brats_conventions import LABELS, MODALITIES
from .brats_source import Case, Found
from .volume import NOT_PLACED

__all__ = ["format_summary", "summarise"]

SHOWN = 5  # names


def summarise(found: Found, reports: Sequence[CaseReport]) -> dict[str, Any]:
    """Count what was found in at least one case."""
    cases = found.cases
    maxima = [value for report in reports for value in report.maxima.values()]
    return {
        "cases": len(cases),
        "patients": len({case.group for case in cases}),
        "grades": dict(sorted(Counter(case.grade for case in cases).items())),
        "conventions": dict(sorted(Counter(case.convention for case in cases).items())),
        "incomplete": _incomplete(cases, reports),
        "sizes": _count("x".join(map(str, report.shape)) for report in reports),
        "spacings": _count("x".join(f"{length:g}" for length in report.spacing) for report in reports),
        "orientations": _count(report.orientation for report in reports),
        "maxima": {"min": min(maxima), "max": max(maxima)},
        "cases_with": {name: sum(report.voxels[int(number)] > 0 for report in reports) for number, name in _classes()},
        "millilitres": {name: _mean_volume(reports, int(number)) for number, name in _classes()},
        "not_placed": [report.id for report in reports if not report.is_placed],
        "with_cavity": [report.id for report in reports if report.cavity],
        "background_not_0": [report.id for report in reports if not report.has_background],
        "noisy": [report.id for report in reports if report.noisy],
        "empty": [f"{name} of {report.id}" for report in reports for name in report.empty],
        "ignored": [str(path) for path in found.ignored],
    }


def format_summary(summary: Mapping[str, Any]) -> str:
    """Write the result of ``prepare`` as lines for the terminal."""
    maxima = summary["maxima"]
    folds = zip(summary["folds"], summary["folds_grades"], strict=True)
    several = len(summary["grades"]) > 1
    lines = [
        f"cases      {summary['cases']} of {summary['patients']} patients; {_join(summary['grades'])}",
        f"per fold   {', '.join(f'{total} ({_join(grades)})' if several else str(total) for total, grades in folds)}",
        f"labels     numbered as in {_join(summary['conventions'])}",
        f"sizes      {_join(summary['sizes'])} (voxels), {_join(summary['spacings'])} (mm)",
        f"axes       {_join(summary['orientations'])}",
        f"maxima     of a modality from {maxima['min']:.6g} to {maxima['max']:.6g}",
        *(
            f"{name}: in {count} cases, there {summary['millilitres'][name]:.3g} ml on average"
            for name, count in summary["cases_with"].items()
        ),
        f"written    {summary['datalist']}; the volumes stay where they are",
    ]
    if names := summary["with_cavity"]:
        lines.append(f"note       a resection cavity (label 4) in {len(names)} cases ({_shown(names)}) is background")
    lines += [f"note       {count} cases without {names}" for names, count in summary["incomplete"].items()]
    if summary["patients"] == summary["cases"] and not summary["has_groups"]:
        lines.append("note       each case counts as a patient of its own; if some are of one patient, give --groups")
    if summary["extra_group_ids"]:
        lines.append(f"note       the groups file has {summary['extra_group_ids']} ids more than the data; left out")
    if summary["ignored"]:
        lines.append(f"note       {len(summary['ignored'])} volumes left out, such as {summary['ignored'][0]}")
    if names := summary["not_placed"]:
        lines.append(f"WARNING    {NOT_PLACED} in {len(names)} cases ({_shown(names)}); compare a picture of each")
    if empty := summary["empty"]:
        lines.append(f"WARNING    modalities that hold nothing, taken as missing: {_shown(empty)}")
    if noisy := summary["noisy"]:
        lines.append(
            f"WARNING    noise or ringing outside the brain in {len(noisy)} cases ({_shown(noisy)}), taken as 0; "
            "is the skull removed?"
        )
    if summary["background_not_0"]:
        names = summary["background_not_0"]
        lines.append(
            f"WARNING    no background known in {len(names)} cases ({_shown(names)}): intensities are "
            "scaled by the voxels that are not 0; strip the skull, or name a mask of the brain in a --table"
        )
    return "\n".join(lines)


def _classes() -> list[tuple[str, str]]:
    return [(number, name) for number, name in LABELS.items() if number != "0"]


def _mean_volume(reports: Sequence[CaseReport], number: int) -> float:
    """Mean over the cases that have the class, in ml; 0 if none has."""
    volumes = [
        report.voxels[number] * report.spacing[0] * report.spacing[1] * report.spacing[2] / 1000
        for report in reports
        if report.voxels[number]
    ]
    return sum(volumes) / len(volumes) if volumes else 0.0


def _incomplete(cases: Sequence[Case], reports: Sequence[CaseReport]) -> dict[str, int]:
    there = ({*case.channel_order} - {*report.empty} for case, report in zip(cases, reports, strict=True))
    missing = (", ".join(name for name in MODALITIES if name not in names) for names in there)
    return _count(names for names in missing if names)


def _count(values: Any) -> dict[str, int]:
    return dict(Counter(values).most_common())


def _join(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name}: {count}" for name, count in counts.items())


def _shown(names: Sequence[str]) -> str:
    return ", ".join(names[:SHOWN]) + (", ..." if len(names) > SHOWN else "")
