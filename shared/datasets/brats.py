"""Prepare brain tumours in MRI (BraTS and its kin): check everything, write ``datalist.json``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..atomic import atomic_folder
from ..errors import UserError
from .brats_case import CaseReport, duplicate_faults, examine_case
from .brats_conventions import CONVENTIONS, LABELS, MODALITIES
from .brats_source import Case, Found, find_cases
from .brats_summary import format_summary, summarise
from .brats_table import read_table
from .datalist import path_from, write_datalist
from .faults import raise_faults
from .folds import assign_folds, fold_faults
from .groups import read_groups
from .processes import map_in_processes
from .workers import count_workers

__all__ = ["format_summary", "prepare"]

ABOUT = {
    "name": "Brain tumours in MRI, layout of BraTS",
    "description": "Gliomas in T1, T1 with contrast agent, T2 and FLAIR, registered and skull-stripped",
    "licence": "that of the release; cite Menze 2015, Bakas 2017 and 2018, and Baid 2021",
    "labels": LABELS,
    "kind": "classes",
    "num_classes": len(LABELS) - 1,
    "modalities": MODALITIES,
}


def prepare(
    source: str | Path,
    output: str | Path,
    table: str | Path | None = None,
    groups: str | Path | None = None,
    allow_missing: bool = False,
    label_convention: str | None = None,
    num_folds: int = 5,
    seed: int = 0,
    num_workers: int | None = None,
) -> dict[str, Any]:
    """Make a data set of brain tumours; ``output`` appears complete or not at all.

    Nothing is converted: the volumes stay where they are, and ``datalist.json`` refers to them. It says for each case
    which modalities its files or channels hold (``channel_order``) and how its labels are numbered
    (``label_convention``), so that cases of several releases can be mixed; ``LoadModalitiesd`` and ``LoadTumourd``
    bring them to one order and one numbering. The folds never split a patient and spread the grades evenly.

    Args:
        source: folder of BraTS 2012 to 2024 or of the Decathlon's Task01, see ``find_cases``; with ``table`` the one
            from which its paths count.
        output: folder of the data set; must be new or empty.
        table: CSV file with the files of each case, see ``read_table``; for other layouts.
        groups: CSV file with the columns ``id`` (of the case) and ``group`` (the patient); by default the column
            ``group`` of the table, or what names of BraTS tell, see ``patient_of``; else a case is its own patient.
        allow_missing: a case may lack modalities, but not all of them; one that holds nothing counts as missing.
        label_convention: one of ``CONVENTIONS``; by default that of the layout, but a table needs it.
        num_folds: number of folds, from 2 to the number of patients.
        seed: of the folds.
        num_workers: processes, at least 1; by default one per core. Each needs about 0.3 GB at 240x240x155 voxels.

    Returns:
        What ``format_summary`` tells.

    Raises:
        UserError: an option is wrong, or the data is: then all faults are listed at once.

    Reference:
        Menze et al., The multimodal brain tumor image segmentation benchmark (BRATS), IEEE TMI 34, 2015; Bakas et al.,
        Advancing The Cancer Genome Atlas glioma MRI collections, Scientific Data 4, 2017.
    """
    source, output = Path(source).resolve(), Path(output).resolve()
    workers = count_workers(num_workers)
    found = _find(source, table, allow_missing, label_convention)
    with atomic_folder(output) as part:
        extra, group_faults = _regroup(found.cases, groups, table)
        patients = [case.group for case in found.cases]
        faults = [*found.faults, *(group_faults or (fold_faults(patients, num_folds) if patients else []))]
        jobs = [(case, allow_missing) for case in found.cases]
        reports: list[CaseReport] = map_in_processes(examine_case, jobs, workers, "examine", "case")
        faults += [fault for report in reports for fault in report.faults]
        faults += [str(fault) for fault in duplicate_faults(found.cases, reports)]
        raise_faults(source, faults)
        if not any(sum(report.voxels[1:]) for report in reports):
            raise UserError(f"source: no case in {source} has a tumour, so that nothing can be learned; add some")

        folds = assign_folds(patients, [case.grade for case in found.cases], num_folds, seed)
        training = [_entry(case, output, fold) for case, fold in zip(found.cases, folds, strict=True)]
        written = write_datalist(part, output, ABOUT, num_folds, seed, training)
    return {
        **summarise(found, reports),
        "has_groups": groups is not None,
        "extra_group_ids": extra,
        **written,
        "folds_grades": _grades_of_folds(found.cases, folds, num_folds),
    }


def _find(source: Path, table: str | Path | None, allow_missing: bool, convention: str | None) -> Found:
    known = ", ".join(CONVENTIONS)
    if convention is not None and convention not in CONVENTIONS:
        raise UserError(f"label_convention: {convention!r} is none of {known}")
    if table is None:
        found = find_cases(source, allow_missing)
        late = [case for case in found.cases if case.convention == "2023"]
        if late and convention in ("2015", "2019"):
            wrong = f"{convention} reads 4 as enhancing, but {late[0].place} and its like are named as in BraTS 2023"
            remedy = "in which 3 is; give 2023, or 2024 with its resection cavity (4); or a --table if names mislead"
            raise UserError(f"label_convention: {wrong} and later, {remedy}")
        for case in found.cases:
            case.convention = convention or case.convention
            if case.convention not in CONVENTIONS:
                wrong = "labels that nnU-Net's dataset.json numbers need it; decathlon is the order of its own BraTS"
                raise UserError(f"label_convention: {wrong}, 2023 that of the challenge; one of {known}")
        return found
    if convention is None:
        raise UserError(f"label_convention: a table needs it, since numbers do not tell what they mean; one of {known}")
    return read_table(Path(table), source, convention, allow_missing)


def _regroup(cases: Sequence[Case], groups: str | Path | None, table: str | Path | None) -> tuple[int, list[str]]:
    """Give each case the patient that the file ``groups`` says; the number of its other ids, and one line per fault."""
    if groups is None:
        return 0, []
    if table is not None and any(case.group != case.id for case in cases):
        raise UserError(f"groups: {table} has a column group too; leave out --groups, or empty that column")
    group_of, faults = read_groups(Path(groups), [case.id for case in cases])
    for case in cases:
        case.group = group_of.get(case.id, case.group)
    return len(set(group_of) - {case.id for case in cases}), faults


def _entry(case: Case, output: Path, fold: int) -> dict[str, Any]:
    """What ``datalist.json`` says of a case."""
    images = [path_from(output, path) for path in case.images]
    mask = {"mask": path_from(output, case.files["mask"])} if "mask" in case.files else {}
    return {
        "id": case.id,
        "image": images[0] if "image" in case.files else images,
        "label": path_from(output, case.files["seg"]),
        **mask,
        "channel_order": case.channel_order,
        "label_convention": case.convention,
        "fold": fold,
        "group": case.group,
        "type": case.grade,
    }


def _grades_of_folds(cases: Sequence[Case], folds: Sequence[int], num_folds: int) -> list[dict[str, int]]:
    held: list[Counter[str]] = [Counter() for _ in range(num_folds)]
    for case, fold in zip(cases, folds, strict=True):
        held[fold][case.grade] += 1
    return [dict(sorted(counts.items())) for counts in held]
