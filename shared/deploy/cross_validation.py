"""The scores of the folds of a cross-validation, side by side."""

from __future__ import annotations

import re
import statistics
from collections.abc import Mapping, Sequence
from glob import glob
from pathlib import Path
from typing import Any

from ..atomic import atomic_write_table
from ..errors import UserError, in_short
from ..json_file import read_json
from ..tables import six_digits

__all__ = ["summarise_folds"]


def summarise_folds(runs: str, output: str | Path | None = None) -> str:
    """Bring together what the runs of one recipe scored, each on the fold that it held out.

    Each fold counts once, however many cases it has. A score that is undefined on a fold is left out of the mean; in
    how many cases it is undefined stands beside it, for these may be the worst.

    Args:
        runs: pattern of the folders of trainings or evaluations, such as ``runs/nuclei_*``; of each ``summary.json``
            is read, or those of ``fold_0`` and so on in it.
        output: CSV file to write as well; replaced if it is there.

    Returns:
        A table of a row per score: its value on each fold, their mean and their standard deviation, that of a sample,
        and the number of cases without it.

    Raises:
        UserError: a file is damaged, there are fewer than two folds, one occurs twice, or what was scored is not a
            fold held out or not scored alike.
    """
    folds = _read(runs)
    columns = ["score", *(f"fold_{fold}" for fold in folds), "mean", "standard_deviation", "undefined"]
    cells = []
    for name in _scores(next(iter(folds.values()))):
        values = [summary[name] for summary in folds.values()]
        defined = [value for value in values if value is not None and name != "cases"]
        mean = statistics.fmean(defined) if defined else None
        deviation = statistics.stdev(defined) if len(defined) > 1 else None
        undefined = sum(summary["undefined"].get(name, 0) for summary in folds.values())
        row = [name, *(_written(value) for value in (*values, mean, deviation)), str(undefined)]
        cells.append(dict(zip(columns, row, strict=True)))
    if output is not None:
        atomic_write_table(output, columns, cells)
    return _told(columns, cells)


def _read(runs: str) -> dict[int, dict[str, Any]]:
    """The summaries by their folds."""
    folders = [Path(folder) for folder in sorted(glob(runs))]  # noqa: PTH207 - Path's takes no absolute patterns
    files = [file for folder in folders for file in _summaries(folder)]
    folds: dict[int, tuple[Path, dict[str, Any]]] = {}
    for file in files:
        try:
            summary = read_json(file)
        except UserError as error:
            raise UserError(
                f"runs: {file} is no whole JSON ({in_short(error)}); score that run again, or leave it out"
            ) from error
        is_whole = isinstance(summary, dict) and {"fold", "cases", "undefined"} <= summary.keys()
        if not is_whole or summary.get("split") != "fold":
            raise UserError(f"runs: {file} is not the score of a fold held out; leave it out")
        other, _ = folds.setdefault(summary["fold"], (file, summary))
        if other != file:
            raise UserError(f"runs: {file} and {other} have both scored fold {summary['fold']}; name one of them")
    if len(folds) < 2:
        raise UserError(f"runs: {runs} names {len(folds)} folds that were scored; name two or more: 'runs/nuclei_*'")
    (like, first), *others = folds.values()
    for file, summary in others:
        if set(_scores(summary)) != set(_scores(first)):
            raise UserError(f"runs: {file} and {like} have other scores; name runs of one bundle and recipe")
    return {fold: summary for fold, (_, summary) in sorted(folds.items())}


def _summaries(folder: Path) -> list[Path]:
    own = folder / "summary.json"
    return [own] if own.is_file() else sorted(folder.glob("fold_*/summary.json"))


def _scores(summary: Mapping[str, Any]) -> list[str]:
    """The number of cases and the scores, which stand between what the summary is of and how it comes about."""
    names = list(summary)
    return names[names.index("cases") : names.index("undefined")]


def _written(value: float | None) -> str:
    return "" if value is None else six_digits(value)


def _short(cell: str) -> str:
    """Whole numbers, as of cases, as they are."""
    return f"{float(cell):#.4g}" if re.search(r"[.e]", cell) else cell or "-"


def _told(columns: Sequence[str], cells: Sequence[Mapping[str, str]]) -> str:
    short = {"mean": "mean", "standard_deviation": "std"}
    heads = [short.get(name, name.replace("_", " ")) for name in columns[1:]]
    width = max(len(row["score"]) for row in cells)
    lines = [f"{'':{width}}" + "".join(f"{head:>10}" for head in heads)]
    for row in cells:
        values = [_short(row[name]) for name in columns[1:]]
        lines.append(f"{row['score']:{width}}" + "".join(f"{value:>10}" for value in values))
    return "\n".join(lines)
