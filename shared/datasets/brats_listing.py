"""The cases of brain tumours in a folder, ready for inference."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from ..errors import UserError
from .brats_conventions import DECATHLON_ORDER, MODALITIES
from .brats_source import Case, group_files, list_volumes, refuse_numbered
from .faults import Fault, encoding_faults, raise_faults, twins
from .listing import finished_names
from .nifti_grid import read_header
from .volume import conversion_of, drop_single_axes, without_suffix
from .walk import is_result, is_run, walk_folder

__all__ = ["list_brats_cases"]

KNOWN = "<case>_t1.nii.gz, _t1ce, _t2, _flair (or -t1n, -t1c, -t2w, -t2f), or 4-D NIfTI files of all modalities"


def list_brats_cases(
    dataset_dir: str | Path,
    output_dir: str | Path,
    skip_existing: bool = False,
    channel_order: Sequence[str] | None = None,
) -> list[dict[str, Any]]:
    """List the cases of a folder and its sub-folders, or one case.

    A case is known by the names of its files in any layout of ``find_cases``, whether or not it has labels, which are
    not read; modalities may be missing, but not all. A NIfTI file of any other name is a case if it has a fourth axis
    with the modalities, as in ``imagesTs``. What lies in ``output_dir`` is not input, even when ``output_dir`` is
    inside ``dataset_dir``.

    Args:
        dataset_dir: a folder of cases, the folder of one case, or a 4-D file.
        output_dir: where the results will go.
        skip_existing: leave out cases whose label map and row in ``findings.csv`` are already there.
        channel_order: modalities as 4-D files hold them, by default that of the Decathlon: FLAIR, T1, T1ce, T2. Of
            one name: each 3-D file of unknown name is a case with this modality alone. Where each modality has a file
            of its own, its name counts.

    Returns:
        Sorted cases ``{"id", "image", "file", "channel_order"}``, with ``mask`` where a file tells the brain,
        for ``LoadModalitiesd``. The id is the name of the case; of a 4-D file of unknown name it is the path below
        ``dataset_dir`` without the suffix, and without ``imagesTs``. ``image`` is a file, or a list with a file for
        each modality; ``file`` names the case for a person.

    Raises:
        UserError: ``channel_order`` is wrong or says nothing of any case, nothing is there, or the names tell that
            something would go wrong: then all such faults are listed at once.

    Example:
        ``list_brats_cases("MICCAI_BraTS_2019_Data_Validation", "out")``
    """
    order = _check_order(channel_order)
    root = Path(os.path.abspath(dataset_dir))  # noqa: PTH100 - a link keeps its name, which is that of the case
    output = Path(output_dir).resolve()
    found = group_files(_volumes(root, output), labels=False)
    if root.is_file():
        root = root.parent
    cases = [case for case in found.cases if case.images]
    folders = {file.parent for case in cases for file in case.images}
    loose = [file for file in found.ignored if _is_case(file, len(order), file.parent in folders)]
    unknown = [file for file in found.ignored if file not in loose]
    refuse_numbered(root, unknown)
    cases = sorted([*cases, *(_loose_case(file, root) for file in loose)], key=lambda case: case.id)
    if not cases:
        hint = conversion_of(name for _, _, names in walk_folder(root) for name in names)
        hint = f"; the name of {unknown[0].name} tells no modality" if unknown else hint
        raise UserError(f"dataset_dir: no case in {dataset_dir}{hint}; name a folder with {KNOWN}")

    names = encoding_faults(file for case in cases for file in case.files.values())
    raise_faults(dataset_dir, [*names, *found.faults, *_twin_faults(cases), *_missing_faults(cases, unknown)])
    if channel_order is not None:
        _check_use(cases)
    if unknown:
        message = "left out volumes whose names tell no modality: %d, such as %s"
        logging.getLogger(__name__).warning(message, len(unknown), unknown[0])
    done = {case.id for case in cases} & _finished(output) if skip_existing else set()
    if done:
        logging.getLogger(__name__).info("%d of %d cases are done already", len(done), len(cases))
    return [_entry(case, order) for case in cases if case.id not in done]


def _check_order(channel_order: Sequence[str] | None) -> list[str]:
    if channel_order is None:
        return [*DECATHLON_ORDER]
    order = [channel_order] if isinstance(channel_order, str) else [*channel_order]
    if not order or len(set(order)) < len(order) or not set(order) <= set(MODALITIES):
        shown = ", ".join(map(str, order)) or "empty"
        raise UserError(f"channel_order: {shown}; name the modalities of your 4-D files once: {', '.join(MODALITIES)}")
    return order


def _check_use(cases: Sequence[Case]) -> None:
    """Tell of cases that ``channel_order`` says nothing of."""
    named = [case for case in cases if "image" not in case.files]
    if len(named) == len(cases):
        wrong = "no case is one file of all modalities; the names of the files tell theirs"
        raise UserError(f"channel_order: {wrong}, such as {named[0].images[0].name}; leave it out")
    if named:
        message = "channel_order says nothing of %d cases with a file for each modality, such as %s; names tell it"
        logging.getLogger(__name__).warning(message, len(named), named[0].place)


def _volumes(root: Path, output: Path) -> list[Path]:
    if root.is_file():
        if not without_suffix(root.name):
            hint = conversion_of([root.name])
            raise UserError(f"dataset_dir: {root} is no volume{hint}; name a folder with {KNOWN}, or a 4-D file")
        files = [root]
        if any("image" not in case.files for case in group_files(files).cases):
            raise UserError(f"dataset_dir: {root} is one file of a case; name the folder of the case")
        return files
    if not root.is_dir():
        raise UserError(f"dataset_dir: {root} does not exist; name a folder with {KNOWN}, or a 4-D file")
    if root.resolve() == output:
        raise UserError(f"output_dir: {output} is also dataset_dir; name another folder for the results")
    files = list_volumes(root)
    folders = {folder for file in files for folder in file.parents if root in folder.parents}
    runs = {folder for folder in folders if is_run([file.name for file in folder.iterdir()])}
    runs = {folder for folder in runs if folder.resolve() != output}
    if runs:
        logging.getLogger(__name__).info("left out folders of earlier runs: %d, such as %s", len(runs), min(runs))
    return [file for file in files if not is_result(file, output, root) and runs.isdisjoint(file.parents)]


def _is_case(path: Path, count: int, has_neighbours: bool) -> bool:
    """Whether a file of an unknown name is a case of ``count`` modalities.

    One that cannot be read, or has another number of them, is a case too if it stands alone, so that its error is
    told when it is read; beside modalities of known names it may be anything.
    """
    shape: tuple[int, ...] = ()
    if ".nii" in path.name.lower():
        header = read_header(path)
        if header is None:
            return not has_neighbours
        shape = drop_single_axes(header.get_data_shape())
    channels = shape[3] if len(shape) > 3 else 1
    if has_neighbours:
        return channels > 1 and channels == count
    return channels > 1 or channels == count


def _loose_case(file: Path, root: Path) -> Case:
    folders = [part for part in file.parent.relative_to(root).parts if part.casefold() != "imagests"]
    id_ = "/".join([*folders, without_suffix(file.name)])
    return Case(id_, file.parent, "decathlon", {"image": file})


def _twin_faults(cases: Sequence[Case]) -> Iterable[str]:
    """Find results of one name; letter case does not count, since it does not on every disk."""
    for number, first in twins(case.id for case in cases):
        wrong = f"its results would have the names of those of {_place(cases[first])}"
        yield str(Fault(_place(cases[number]), wrong, "rename one of them"))


def _missing_faults(cases: Sequence[Case], unknown: Sequence[Path]) -> Iterable[str]:
    """Find cases that lack a modality where a file of an unknown name may be it."""
    for case in cases:
        missing = [name for name in MODALITIES if name not in case.channel_order]
        own = case.place == case.folder
        near = [file for file in unknown if file.parent == case.folder and (own or file.name.startswith(case.id))]
        if missing and near:
            found = ", ".join(file.name for file in near[:5])
            wrong = f"no {', no '.join(missing)}, but {found}, whose name is unknown"
            yield str(Fault(case.place, wrong, f"rename it if it is {' or '.join(missing)}, else move it elsewhere"))


def _place(case: Case) -> Path:
    return case.files.get("image", case.place)


def _entry(case: Case, order: list[str]) -> dict[str, Any]:
    files = [str(file) for file in case.images]
    is_one = "image" in case.files
    return {
        "id": case.id,
        "image": files[0] if is_one else files,
        "file": str(_place(case)),
        "channel_order": order if is_one else case.channel_order,
    } | ({"mask": str(case.files["mask"])} if "mask" in case.files else {})


def _finished(output: Path) -> set[str]:
    """Cases that are finished and whose label maps are there."""
    return {name for name in finished_names(output, "case") if (output / f"{name}_seg.nii.gz").is_file()}
