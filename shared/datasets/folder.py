"""Prepare pictures and masks of one's own: check everything, write label maps and ``datalist.json``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..atomic import atomic_folder
from ..errors import UserError
from .content import content_of
from .datalist import path_from, write_datalist
from .faults import raise_faults, space_faults
from .folder_case import CaseReport, convert_case, examine_case
from .folder_masks import KINDS, find_kind
from .folder_pairs import find_pairs
from .folder_summary import format_summary, summarise
from .folds import assign_folds, fold_faults
from .groups import join_twins, read_groups
from .plan import make_plan
from .workers import count_workers, map_in_threads

__all__ = ["format_summary", "prepare"]


def prepare(
    images: str | Path,
    masks: str | Path,
    output: str | Path,
    num_folds: int = 5,
    seed: int = 0,
    groups: str | Path | None = None,
    missing: str = "error",
    threshold: float | None = None,
    kind: str = "auto",
    num_workers: int | None = None,
) -> dict[str, Any]:
    """Make a data set of a folder of pictures and a folder of masks; ``output`` appears complete or not at all.

    PNG, TIFF, JPEG and BMP of 8 or 16 bits, grey or in colour, may differ in size. The pictures stay where they are;
    ``datalist.json`` refers to them. Masks are matched by name, see ``find_pairs``, and become ``labels/<id>.png``; an
    id keeps its sub-folders, e.g. ``day1/a``. Masks are of one of three kinds:

    * ``binary``: 0 and one of 1, 255 and 65535; or any grey values, with ``threshold``. Written as 0 and 1.
    * ``instances``: each object has a number of its own, 0 is background. Numbered anew from 1 without a gap.
    * ``classes``: each pixel has the number of its class, 0 is background, none of 1..C is left out. Or one sub-folder
      of binary masks for each class, numbered from 1 in the order of their names; where classes overlap, the one that
      covers less of the picture keeps the pixel.

    ``auto`` decides by all masks together, see ``decide_kind``, and asks where it cannot.

    Args:
        images: folder of the pictures.
        masks: folder of the masks.
        output: folder of the data set; must be new or empty.
        num_folds: number of folds, from 2 to the number of groups.
        seed: of the folds.
        groups: CSV file with the columns ``id`` and ``group``; by default each picture is its own group. Pictures of
            one content are one group whatever it says.
        missing: a picture without a mask is an ``error``, or ``empty``: there is nothing to find in it.
        threshold: values above it are foreground, for binary masks.
        kind: ``auto``, ``binary``, ``instances`` or ``classes``.
        num_workers: threads, at least 1; by default one per core.

    Returns:
        What ``format_summary`` tells.

    Raises:
        UserError: an option is wrong, or the data is: then all faults are listed at once.
    """
    workers = _check_options(missing, kind, threshold, num_workers)
    images, masks, output = Path(images).resolve(), Path(masks).resolve(), Path(output).resolve()
    with atomic_folder(output) as part:
        found = find_pairs(images, masks, missing, output)
        ids = [pair.id for pair in found.pairs]
        group_of, group_faults = read_groups(Path(groups), ids) if groups else ({id_: id_ for id_ in ids}, [])
        faults = [*found.faults, *group_faults]
        if set(ids) <= set(group_of):
            faults += fold_faults([group_of[id_] for id_ in ids], num_folds)

        reports: list[CaseReport] = map_in_threads(examine_case, [(pair,) for pair in found.pairs], workers, "examine")
        faults += [fault for report in reports for fault in report.faults]
        pixels = sum(report.size[0] * report.size[1] for report in reports)
        faults += space_faults(pixels, part)  # as PNG a label map hardly ever takes more than a byte per pixel
        all_masks = [mask for report in reports for mask in report.masks.values()]
        kind, reason, kind_faults = find_kind(all_masks, kind, threshold, masks, found.classes)
        raise_faults(images, [*faults, *kind_faults])

        jobs = [
            (pair, report, kind, found.classes, threshold, part / "labels" / f"{pair.id}.png")
            for pair, report in zip(found.pairs, reports, strict=True)
        ]
        map_in_threads(convert_case, jobs, workers, "convert")
        if all(report.is_empty for report in reports):
            raise UserError(f"masks: no mask in {masks} has any foreground; give others, or another --threshold")

        contents = [report.content for report in reports]
        case_groups, twins = join_twins([group_of[id_] for id_ in ids], ids, contents, num_folds)
        strata = [(content_of(report.type), report.type) for report in reports]
        folds = assign_folds(case_groups, strata, num_folds, seed)
        training = [
            {
                "id": pair.id,
                "image": path_from(output, pair.picture),
                "label": f"labels/{pair.id}.png",
                "fold": fold,
                "group": group,
                "type": report.type,
            }
            for pair, report, fold, group in zip(found.pairs, reports, folds, case_groups, strict=True)
        ]
        labels = _labels(kind, found.classes, reports)
        about = {
            "name": output.name,
            "description": f"Pictures of the folder {images.name}, masks of the folder {masks.name}",
            "licence": "not stated",
            "labels": labels,
            "kind": kind,
            "num_classes": len(labels) - 1,
        }
        if kind == "binary":
            widths = [width for report in reports for width in report.widths]
            about["plan"] = make_plan([report.size for report in reports], widths)
        written = write_datalist(part, output, about, num_folds, seed, training)
    return {
        **summarise(found, reports, labels),
        "kind": kind,
        "reason": reason,
        "plan": about.get("plan"),
        "groups": len(set(case_groups)),
        "extra_group_ids": len(set(group_of) - set(ids)),
        "twins": twins,
        **written,
    }


def _check_options(missing: str, kind: str, threshold: float | None, num_workers: int | None) -> int:
    """Refuse options that cannot be; return the number of threads."""
    if missing not in ("error", "empty"):
        raise UserError(f"missing: {missing!r} is neither error nor empty")
    if kind not in ("auto", *KINDS):
        raise UserError(f"kind: {kind!r} is none of auto, {', '.join(KINDS)}")
    if threshold is not None and kind == "instances":
        raise UserError(
            "threshold: it makes masks black and white, which leaves no instances; leave out one of the two"
        )
    if threshold is not None and threshold < 0:
        raise UserError(f"threshold: {threshold} is below 0; the values of masks are 0 and above")
    return count_workers(num_workers)


def _labels(kind: str, classes: Sequence[str], reports: Sequence[CaseReport]) -> dict[str, str]:
    """Names of the numbers in the label maps."""
    if kind == "classes":
        highest = max(number for report in reports for number in report.pixels)
        names = list(classes) or [f"class {number}" for number in range(1, highest + 1)]
    else:
        names = ["object" if kind == "instances" else "foreground"]
    return {"0": "background"} | {str(number): name for number, name in enumerate(names, start=1)}
