"""`datalist.json`: which pictures there are and which fold each belongs to."""

from __future__ import annotations

import json
import os
import re
import reprlib
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..atomic import atomic_write_json
from ..errors import UserError
from ..json_file import read_json
from .content import FOREGROUND, content_of
from .validation import training_or_validation
from .walk import in_words

__all__ = ["PARTS", "path_from", "read_datalist", "select_cases", "write_datalist"]

PARTS = ("training", "validation", "fold", "others", "test")
SURROGATE = re.compile("[\ud800-\udfff]")  # of no text that a table could hold
PATHS = ("image", "label", "mask")  # a mask tells what of the image counts; few data sets need one


def read_datalist(dataset_dir: str | Path) -> dict[str, Any]:
    """Read and check ``<dataset_dir>/datalist.json``; paths of the cases come back absolute.

    Args:
        dataset_dir: folder made by ``python -m shared prepare``, or any folder with a hand-written ``datalist.json`` in
            the Decathlon form: ``{"labels": {"0": "background", ...}, "training": [{"id", "image", "label",
            "fold"}]}``.

    Raises:
        UserError: the file is not there, is no JSON, lacks an entry, or names files that do not exist.
    """
    path = Path(dataset_dir) / "datalist.json"
    if not path.is_file():
        raise UserError(
            f"dataset_dir: no datalist.json in {dataset_dir}; make one with `python -m shared prepare`, see its --help"
        )
    content = read_json(path, "run `prepare` again or mend the file")
    if not isinstance(content, dict) or not isinstance(content.get("training"), list):
        raise UserError(f'{path}: no list named "training" in it; run `prepare` again or mend the file')
    for name, kind, what in (("test", list, "a list"), ("labels", dict, "an object")):
        if not isinstance(content.setdefault(name, kind()), kind):
            raise UserError(f'{path}: "{name}" is not {what}; run `prepare` again or mend the file')

    faults: list[str] = []
    seen: set[str] = set()
    for section in ("training", "test"):
        for number, case in enumerate(content[section]):
            faults += _check_case(case, f"{section}[{number}]", section, path.parent, seen)
    if faults:
        shown = "\n  ".join(faults[:20]) + (f"\n  ... and {len(faults) - 20} more" if len(faults) > 20 else "")
        raise UserError(f"{path}: {len(faults)} faults; run `prepare` again or mend the file:\n  {shown}")
    return content


def _check_case(case: Any, where: str, section: str, root: Path, seen: set[str]) -> list[str]:
    """Make the paths of one entry absolute and return what is wrong with it."""
    wanted = ("id", "image", "label", "fold") if section == "training" else ("id", "image", "label")
    if wrong := _form_fault(case, wanted):
        return [f"{where}: {wrong}"]
    if case["id"] in seen:
        return [f"{where}: id {case['id']} occurs twice"]
    seen.add(case["id"])
    faults = []
    for key in (name for name in PATHS if name in case):
        files = [root / name for name in _names(case[key])]
        faults += [f"{where}: {file} does not exist" for file in files if not file.is_file()]
        case[key] = [in_words(file) for file in files] if isinstance(case[key], list) else in_words(files[0])
    return faults


def _form_fault(case: Any, wanted: Sequence[str]) -> str | None:
    """What is wrong with the form of an entry, if anything is."""
    if not isinstance(case, dict):
        return "not an object"
    if missing := [key for key in wanted if key not in case]:
        return f"lacks {', '.join(missing)}"
    for key in (name for name in ("id", *PATHS) if name in case):
        several = isinstance(case[key], list) and case[key] and key == "image"
        if not all(isinstance(name, str) for name in (_names(case[key]) if several else [case[key]])):
            return f"{key} is {case[key]!r}, no text"
    if lone := SURROGATE.search(json.dumps(case, ensure_ascii=False)):
        return f"it holds {lone[0]!a}, which is half a letter and no text"
    if "fold" in wanted and (type(case["fold"]) is not int or case["fold"] < 0):
        return f"fold is {case['fold']!r}, not a whole number of 0 or more"
    return None


def _names(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def select_cases(
    dataset_dir: str | Path,
    part: str,
    fold: int = 0,
    num_classes: int | None = None,
    defective: bool = False,
) -> list[dict[str, Any]]:
    """Return the cases of one part of a data set.

    ``fold`` is held out: it is scored and takes no part in any choice. Of the other folds about one case in eight,
    whole groups and spread over the picture types, forms ``validation``, which chooses the checkpoint; the rest is
    ``training``.

    Args:
        dataset_dir: folder with ``datalist.json``.
        part: ``training``, ``validation``, ``fold`` (the one held out), ``others`` (all but that) or ``test``.
        fold: number of the fold held out; -1 holds none out.
        num_classes: number of classes besides background that the caller is made for.
        defective: leave out the cases that are not known to have something to find.

    Returns:
        Cases with absolute paths. Each also carries its ``index`` in this list, the data set's ``kind`` of label,
        ``instances`` unless it says otherwise, and its ``content``, see ``content_of``, or else its type.

    Raises:
        UserError: no such fold or part, nothing in it, nothing defective in it, or another number of classes.
    """
    if part not in PARTS:
        raise UserError(f"split: there is no part {part!r}; take one of {', '.join(PARTS)}")
    content = read_datalist(dataset_dir)
    cases = content["training"]
    if part == "test":
        chosen = content["test"]
    else:
        folds = sorted({case["fold"] for case in cases})
        if type(fold) is not int or (fold not in folds and fold != -1):
            known = f"take one of {folds}, or -1 to hold none out"
            raise UserError(f"fold: {reprlib.repr(fold)} is not in {Path(dataset_dir) / 'datalist.json'}; {known}")
        chosen = [case for case in cases if (case["fold"] == fold) == (part == "fold")]
        if part in ("training", "validation"):
            chosen = training_or_validation(chosen, part)
    classes = len(content["labels"]) - 1
    if num_classes is not None and classes > 0 and classes != num_classes:
        raise UserError(f"num_classes: {dataset_dir} has {classes}, not {num_classes}; add --num_classes {classes}")
    if not chosen:
        raise UserError(
            f"split: nothing belongs to {part!r} of {dataset_dir} with fold {fold} held out; take another split or fold"
        )
    kind = content.get("kind", "instances")
    selected = [
        {"content": content_of(type_ := str(case.get("type", ""))) or type_, **case, "index": index, "kind": kind}
        for index, case in enumerate(chosen)
    ]
    if not defective:
        return selected
    if found := [case for case in selected if case["content"] == FOREGROUND]:
        return found
    raise UserError(
        f"dataset_dir: of {part!r} no case of {dataset_dir} is known to be defective, and this recipe learns from "
        'defective ones alone; prepare the data set, or say "type": "defective" of each that is in its datalist.json'
    )


def path_from(folder: Path, file: Path) -> str:
    """Path of ``file`` as seen from ``folder``; absolute only if it lies on another drive."""
    try:
        return Path(os.path.relpath(file, folder)).as_posix()
    except ValueError:
        return file.as_posix()


def write_datalist(
    part: Path,
    output: Path,
    about: Mapping[str, Any],
    num_folds: int,
    seed: int,
    training: Sequence[Mapping[str, Any]],
    test: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """Write ``datalist.json``, the last file of a data set.

    Args:
        part: where the files of the data set lie until all are there.
        output: where they will lie.
        about: what the file tells of the data set before its cases, such as ``labels``.
        num_folds: number of folds.
        seed: by which the cases were dealt out.
        training: the cases in folds.
        test: those set apart.

    Returns:
        What every summary of ``prepare`` tells: the cases in each of the ``folds``, the ``bytes`` of all files, and the
        path of the ``datalist``.
    """
    datalist = {**about, "num_folds": num_folds, "seed": seed, "training": list(training), "test": list(test)}
    atomic_write_json(part / "datalist.json", datalist)
    held = Counter(case["fold"] for case in training)
    return {
        "folds": [held[fold] for fold in range(num_folds)],
        "bytes": sum(file.stat().st_size for file in part.rglob("*") if file.is_file()),
        "datalist": str(output / "datalist.json"),
    }
