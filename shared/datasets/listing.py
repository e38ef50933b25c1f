"""The pictures of a folder, ready for inference."""

from __future__ import annotations

import logging
from collections import Counter
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..tables import read_table
from .datalist import read_datalist
from .faults import encoding_faults, raise_faults, twins
from .picture import PICTURE_SUFFIXES
from .walk import in_words, is_result, is_run, walk_folder

__all__ = ["finished_names", "list_pictures"]

SHOWN = 8  # suffixes


def list_pictures(dataset_dir: str | Path, output_dir: str | Path, skip_existing: bool = False) -> list[dict[str, Any]]:
    """List the pictures of a folder and its sub-folders, or one picture.

    What lies in ``output_dir`` is not input, even when ``output_dir`` is inside ``dataset_dir``; nor are the folders of
    earlier runs below it. The log counts these, and the files of other kinds.

    Args:
        dataset_dir: a folder, or the path of one picture. Suffixes count in any case. Of a prepared data set the
            label maps are left out.
        output_dir: where the results will go.
        skip_existing: leave out pictures whose label map and row in ``findings.csv`` are already there.

    Returns:
        Sorted cases ``{"id", "image", "file"}``; the id is the path below the folder without its suffix.

    Raises:
        UserError: no such folder, no picture in it, a broken ``datalist.json``, names that are not UTF-8, or two
            pictures whose results would have one name, letter case apart.
    """
    root, output = Path(dataset_dir), Path(output_dir).resolve()
    if root.is_file():
        files, root = [root], root.parent
    elif root.is_dir():
        if root.resolve() == output:
            raise UserError(f"output_dir: {output_dir} is also dataset_dir; name another folder for the results")
        labels = _labels(root)
        files = [file for file in _pictures_below(root, output) if file not in labels]
    else:
        raise UserError(f"dataset_dir: {dataset_dir} does not exist; name a folder of pictures or one picture")
    if not files:
        kinds = ", ".join(PICTURE_SUFFIXES)
        raise UserError(f"dataset_dir: no picture ({kinds}) in {dataset_dir} or below it; name the folder of yours")

    raise_faults(dataset_dir, encoding_faults(files))
    names = [file.relative_to(root).with_suffix("").as_posix() for file in files]
    if clashes := [f"{files[first]} and {files[number]}" for number, first in twins(names)]:
        raise UserError(
            "dataset_dir: these would write one result; rename or move one of each pair:\n  " + "\n  ".join(clashes)
        )
    done = _finished(output) if skip_existing else set()
    if done:
        logging.getLogger(__name__).info("%d of %d pictures are done already", len(done), len(files))
    return [
        {"id": name, "image": in_words(file), "file": str(file)}
        for name, file in zip(names, files, strict=True)
        if file.relative_to(root).as_posix() not in done
    ]


def _labels(root: Path) -> set[Path]:
    """Label maps of a prepared data set; of other folders none."""
    if not (root / "datalist.json").exists():
        return set()
    content = read_datalist(root)
    return {Path(case["label"]) for part in ("training", "test") for case in content[part]}


def _pictures_below(root: Path, output: Path) -> list[Path]:
    logger = logging.getLogger(__name__)
    pictures: list[Path] = []
    others: list[Path] = []
    runs: list[Path] = []
    for folder, subfolders, names in walk_folder(root):
        subfolders[:] = [name for name in subfolders if not name.startswith(".")]
        files = [folder / name for name in names if not name.startswith(".")]
        files = [file for file in files if not is_result(file, output, root)]
        if files and folder != root and is_run(names):
            runs.append(folder)
            subfolders.clear()
            continue
        for file in files:
            (pictures if file.suffix.lower() in PICTURE_SUFFIXES else others).append(file)
    if runs:
        logger.info("left out folders of earlier runs: %d, such as %s", len(runs), runs[0])
    if others:
        kinds = Counter(file.suffix.lower() or "without one" for file in others).most_common()
        told = ", ".join(f"{count} {kind}" for kind, count in kinds[:SHOWN]) + (", ..." if len(kinds) > SHOWN else "")
        logger.info("left out files that are no pictures by their suffix: %d (%s)", len(others), told)
    return sorted(pictures)


def finished_names(output: Path, column: str) -> set[str]:
    """What an earlier run has finished, by the column of ``findings.csv`` that names it.

    Raises:
        UserError: the table has no such column.
    """
    table = output / "findings.csv"
    if not table.is_file():
        return set()
    columns, rows = read_table(table)
    if not {column, "error"} <= set(columns):
        raise UserError(f"skip_existing: {table} has no columns {column} and error; give another --output_dir")
    return {row[column] for _, row in rows if not row["error"]}


def _finished(output: Path) -> set[str]:
    """Pictures that are finished and whose label maps are there."""
    names = {Path(name) for name in finished_names(output, "picture")}
    return {name.as_posix() for name in names if (output / name.with_name(f"{name.stem}_seg.png")).is_file()}
