"""Prepare the nuclei of the 2018 Data Science Bowl: check everything, merge the masks, write ``datalist.json``."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..atomic import atomic_folder
from ..errors import UserError
from .archive import NOT_READ, list_members, open_reader
from .datalist import path_from, write_datalist
from .dsb_case import CaseReport, convert_case
from .dsb_source import DEEPEST, INNER_ZIP, WANTED, Case, find_cases, find_inner_zip
from .dsb_summary import format_summary, summarise
from .faults import raise_faults, space_faults
from .folds import REFERENCE_SEED, assign_folds, fold_faults, reference_split
from .groups import join_twins, public_groups, read_groups
from .processes import map_in_processes
from .workers import count_workers

__all__ = ["format_summary", "prepare"]

ABOUT = {
    "name": "2018 Data Science Bowl, stage 1, training set",
    "description": "Nuclei in microscopy pictures of several stainings; each label map numbers its nuclei from 1",
    "licence": "CC0-1.0 (Broad Bioimage Benchmark Collection, BBBC038v1)",
    "labels": {"0": "background", "1": "nucleus"},
}
BLOCK = 4096  # bytes; a file takes whole blocks on the disk
CHUNKS_PER_WORKER = 8  # each opens the zip anew (0.1 s): enough to share the work evenly and to move the progress bar


def prepare(
    source: str | Path,
    output: str | Path,
    groups: str | Path | None = None,
    num_folds: int | None = None,
    seed: int | None = None,
    num_workers: int | None = None,
    split: str = "folds",
) -> dict[str, Any]:
    """Make a data set of Kaggle's ``stage1_train.zip``; ``output`` appears complete or not at all.

    The pictures of a zip are copied byte for byte; those of a folder stay where they are and ``datalist.json`` refers
    to them. The masks of a picture become one uint16 map ``labels/<id>.png``: the nuclei are numbered from 1 in the
    order of their files' names, a pixel belongs to a mask where its value is above 127, and a pixel that several
    nuclei claim goes to the smallest. The folds never split a group and spread the types of pictures evenly.

    Args:
        source: ``stage1_train.zip``, the zip of the whole competition, or the unpacked folder.
        output: folder of the data set; must be new or empty.
        groups: CSV file with the columns ``id`` and ``group``; by default those of the public set, see
            ``public_groups``. Pictures of one content are one group whatever it says.
        num_folds: number of folds, from 2 to the number of groups; by default 5.
        seed: of the folds; by default 0.
        num_workers: processes, at least 1; by default one per core.
        split: ``folds``, or ``reference`` for that of the reference program, see ``reference_split``, which takes
            neither ``num_folds`` nor ``seed``.

    Returns:
        What ``format_summary`` tells.

    Raises:
        UserError: an option is wrong, or the data is: then all faults are listed at once.

    Reference:
        Caicedo et al., Nucleus segmentation across imaging experiments: the 2018 Data Science Bowl, Nature Methods 16,
        2019. https://bbbc.broadinstitute.org/BBBC038
    """
    source, output = Path(source).resolve(), Path(output).resolve()
    workers = count_workers(num_workers)
    if split not in ("folds", "reference"):
        raise UserError(f"split: {split!r} is neither folds nor reference")
    if split == "reference":
        if num_folds is not None or seed is not None:
            raise UserError(
                "split: reference is two folds, always the same; leave out num_folds and seed, or give folds"
            )
        num_folds, seed = 2, REFERENCE_SEED
    num_folds, seed = 5 if num_folds is None else num_folds, seed or 0
    list_members(source, WANTED, DEEPEST)  # a wrong source is told before anything is made
    with atomic_folder(output) as part:
        (part / "labels").mkdir()
        raw = _unpack_inner(source, part)
        cases, faults = find_cases(list_members(raw, WANTED, DEEPEST))
        if not cases and not faults:
            raise UserError(f"source: no <id>/images/*.png in {source}; give {WANTED}")
        ids = [case.id for case in cases]
        unknown: list[str] = []
        group_faults: list[str] = []
        if groups:
            group_of, group_faults = read_groups(Path(groups), ids)
        else:
            group_of, unknown = public_groups(ids)
        faults += group_faults + _space_faults(raw, cases, part)
        if ids and set(ids) <= set(group_of):
            faults += fold_faults([group_of[id_] for id_ in ids], num_folds)

        if raw.is_file():
            (part / "images").mkdir()
        # With a fault found already nothing will be kept: the rest is only checked, so that all faults come in one go.
        reports = _convert_all(raw, cases, None if faults else part, workers)
        raise_faults(source, [*faults, *(fault for report in reports for fault in report.faults)])

        contents = [report.content for report in reports]
        case_groups, twins = join_twins([group_of[id_] for id_ in ids], ids, contents, num_folds)
        if split == "reference":
            folds = reference_split(len(ids))
        else:
            folds = assign_folds(case_groups, [report.type for report in reports], num_folds, seed)
        training = [
            {
                "id": case.id,
                "image": _image_path(raw, case, output),
                "label": f"labels/{case.id}.png",
                "fold": fold,
                "group": group,
                "type": report.type,
            }
            for case, report, fold, group in zip(cases, reports, folds, case_groups, strict=True)
        ]
        if raw != source:
            raw.unlink()
        written = write_datalist(part, output, ABOUT, num_folds, seed, training)
    return {
        **summarise(reports),
        "groups": len(set(case_groups)),
        "extra_group_ids": len(set(group_of) - set(ids)),
        "unknown": unknown,
        "twins": twins,
        **written,
    }


def _unpack_inner(source: Path, part: Path) -> Path:
    """Unpack a zip within the zip, since reading in it needs jumps that a compressed member does not allow.

    Returns:
        The zip or folder that holds the cases: ``source`` itself, or the unpacked zip.
    """
    inner = None if source.is_dir() else find_inner_zip(list_members(source, WANTED, DEEPEST))
    if inner is None:
        return source
    raise_faults(source, space_faults(inner.size, part))
    target = part / INNER_ZIP
    try:
        with zipfile.ZipFile(source) as archive, archive.open(inner.name) as packed, target.open("wb") as file:
            shutil.copyfileobj(packed, file)
        zipfile.ZipFile(target).close()  # tells now, by the name that the user knows, if it was cut short
    except NOT_READ as error:
        raise UserError(f"source: {inner.name} in {source} is damaged ({error}); download it again") from error
    return target


def _space_faults(raw: Path, cases: Sequence[Case], part: Path) -> list[str]:
    """The masks stand for the label maps, which come out smaller than all of them together."""
    needed = 2 * BLOCK * len(cases) + sum(mask.size for case in cases for mask in case.masks)
    if raw.is_file():
        needed += sum(image.size for case in cases for image in case.images)
    return space_faults(needed, part)


def _image_path(raw: Path, case: Case, output: Path) -> str:
    """Path of a picture from the folder of ``datalist.json``; absolute only if it lies on another drive."""
    if raw.is_file():
        return f"images/{case.id}.png"
    return path_from(output, raw / case.images[0].name)


def _convert_all(raw: Path, cases: Sequence[Case], part: Path | None, workers: int) -> list[CaseReport]:
    """Convert the cases in several processes; a report each, in their order."""
    count = min(workers * CHUNKS_PER_WORKER, len(cases))
    chunks = [cases[i::count] for i in range(count)]
    jobs = [(raw, chunk, part) for chunk in chunks]
    done = map_in_processes(_convert_chunk, jobs, workers, "prepare", "picture", [len(chunk) for chunk in chunks])
    reports = {report.id: report for some in done for report in some}
    return [reports[case.id] for case in cases]


def _convert_chunk(raw: Path, cases: Sequence[Case], part: Path | None) -> list[CaseReport]:
    """Convert some cases into the folder ``part``, or only check them if it is ``None``."""
    reports = []
    with open_reader(raw) as read:
        for case in cases:
            label = part / "labels" / f"{case.id}.png" if part else None
            image = part / "images" / f"{case.id}.png" if part and raw.is_file() else None
            reports.append(convert_case(case, read, label, image))
    return reports
