"""Prepare a class of DAGM 2007 (defects of surfaces): check everything, write masks and ``datalist.json``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..atomic import atomic_folder
from .archive import Member, name_faults, open_reader, read_member
from .dagm_case import CaseReport, convert_case
from .dagm_source import Place, choose_place, find_halves, list_place
from .dagm_summary import format_summary, summarise
from .dagm_table import Case, match_files, read_table
from .datalist import path_from, write_datalist
from .faults import Fault, raise_faults, space_faults
from .folds import assign_folds, fold_faults
from .groups import join_twins
from .plan import make_plan
from .workers import count_workers, map_in_threads

__all__ = ["format_summary", "prepare"]

DESCRIPTION = "Textured surfaces, some with a defect; the labels are weak: ellipses that enclose the defects"
LICENCE = "for research; cite the competition Weakly Supervised Learning for Industrial Optical Inspection (DAGM 2007)"
LABELS = {"0": "background", "1": "defect"}
BLOCK = 4096  # bytes; a file takes whole blocks on the disk


def prepare(
    source: str | Path,
    output: str | Path,
    class_id: int | None = None,
    num_folds: int = 5,
    seed: int = 0,
    num_workers: int | None = None,
) -> dict[str, Any]:
    """Make a data set of one class of DAGM 2007; ``output`` appears complete or not at all.

    The classes have textures and defects of their own and are inspected apart, so each is a data set of its own.
    Pictures of ``Train`` are split into folds, those of ``Test`` become ``test``; where one of the two is missing, the
    other is split. The folds hold defective and defect-free pictures evenly. ``Labels.txt`` and the files must agree.

    The pictures of a zip are copied byte for byte; those of a folder stay where they are and ``datalist.json`` refers
    to them. Each picture has a mask ``labels/<half>/<name>.png`` of its size, 0 and 1; it is empty for a picture that
    has no defect.

    Args:
        source: ``ClassN.zip``, a folder of such zips, the unpacked ``ClassN``, or a folder that holds it.
        output: folder of the data set; must be new or empty.
        class_id: 1 to 10; by default the only one that is there.
        num_folds: number of folds, from 2 to the number of pictures.
        seed: of the folds.
        num_workers: threads, at least 1; by default one per core.

    Returns:
        What ``format_summary`` tells.

    Raises:
        UserError: an option is wrong, or the data is: then all faults are listed at once.

    Reference:
        Wieler and Hahn, Weakly supervised learning for industrial optical inspection, competition at DAGM 2007.
        https://hci.iwr.uni-heidelberg.de/content/weakly-supervised-learning-industrial-optical-inspection
    """
    source, output = Path(source).resolve(), Path(output).resolve()
    workers = count_workers(num_workers)
    class_id, place = choose_place(source, class_id)
    place, members = list_place(place)
    with atomic_folder(output) as part, open_reader(place.root) as read:
        halves, faults = _find_cases(place, members, read)
        (first, in_folds), *others = halves.items()
        faults += fold_faults([case.id for case in in_folds], num_folds) if in_folds else []
        cases = [case for half in halves.values() for case in half]
        faults += _space_faults(place, cases, part)

        # With a fault found already nothing will be kept: the rest is only checked, so that all faults come in one go.
        targets = None if faults else part
        jobs = [(place, case, read, targets) for case in cases]
        reports: list[CaseReport] = map_in_threads(_convert, jobs, workers, "prepare")
        report_of = {report.id: report for report in reports}
        faults += [fault for report in reports for fault in report.faults]
        if not any(case.label for case in in_folds) and not faults:
            faults.append(str(Fault(first, "no picture is defective, so that nothing can be learned", "add some")))
        raise_faults(place.root, faults)

        ids = [case.id for case in cases]  # those in folds come first
        groups, twins = join_twins(ids, ids, [report_of[id_].content for id_ in ids], num_folds)
        group_of = dict(zip(ids, groups, strict=True))
        folds = assign_folds(groups[: len(in_folds)], [report_of[case.id].type for case in in_folds], num_folds, seed)
        about = {
            "name": f"DAGM 2007, class {class_id}",
            "description": DESCRIPTION,
            "licence": LICENCE,
            "labels": LABELS,
            "kind": "binary",
            "class_id": class_id,
            "plan": make_plan(
                [report.size for report in reports], [width for case in in_folds for width in report_of[case.id].widths]
            ),
        }
        training = [
            _entry(place, case, report_of[case.id], group_of, output, fold)
            for case, fold in zip(in_folds, folds, strict=True)
        ]
        test = [_entry(place, case, report_of[case.id], group_of, output) for _, half in others for case in half]
        written = write_datalist(part, output, about, num_folds, seed, training, test)
    reports_of_halves = {name: [report_of[case.id] for case in half] for name, half in halves.items()}
    more = {"twins": twins, "plan": about["plan"]}
    return {**summarise(class_id, reports_of_halves, folds, num_folds), **more, **written}


def _find_cases(
    place: Place, members: Sequence[Member], read: Callable[[str], bytes]
) -> tuple[dict[str, list[Case]], list[str]]:
    """The cases of each half as its ``Labels.txt`` has them, and one line per fault."""
    faults = [str(fault) for fault in name_faults(members)]
    cases: dict[str, list[Case]] = {}
    for name, half in find_halves(place.base, members).items():
        cases[name] = []
        faults += [str(fault) for fault in half.faults()]
        if half.table is None:
            continue
        try:
            rows, row_faults = read_table(half.table.name, read_member(half.table.name, read))
        except Fault as fault:
            faults.append(str(fault))
            continue
        cases[name], file_faults = match_files(name, half, rows)
        faults += row_faults + file_faults
    return cases, faults


def _space_faults(place: Place, cases: Sequence[Case], part: Path) -> list[str]:
    """An ellipse takes less than a block as PNG."""
    needed = 2 * BLOCK * len(cases)
    if place.root.is_file():
        needed += sum(case.picture.size for case in cases)
    return space_faults(needed, part)


def _convert(place: Place, case: Case, read: Callable[[str], bytes], part: Path | None) -> CaseReport:
    """Convert a case into the folder ``part``, or only check it if that is ``None``."""
    label = part / "labels" / f"{case.id}.png" if part else None
    image = part / "images" / f"{case.id}.png" if part and place.root.is_file() else None
    return convert_case(case, read, label, image)


def _entry(
    place: Place, case: Case, report: CaseReport, group_of: Mapping[str, str], output: Path, fold: int | None = None
) -> dict[str, Any]:
    """What ``datalist.json`` says of a case; one of ``test`` has no fold."""
    in_zip = place.root.is_file()
    return {
        "id": case.id,
        "image": f"images/{case.id}.png" if in_zip else path_from(output, place.root / case.picture.name),
        "label": f"labels/{case.id}.png",
        **({} if fold is None else {"fold": fold}),
        "group": group_of[case.id],
        "type": report.type,
    }
