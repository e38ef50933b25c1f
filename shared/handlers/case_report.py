"""A row per case and a summary, from the metrics an evaluator has computed."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ignite.engine import Events
from monai.engines import Workflow
from monai.utils import string_list_all_gather

from ..atomic import atomic_write_json, atomic_write_table
from ..tables import six_digits

__all__ = ["CaseReport", "case_scores"]


def case_scores(engine: Workflow, cases: Sequence[str]) -> dict[str, dict[str, float]]:
    """The metrics of each case from ``engine.state.metric_details``.

    Args:
        engine: evaluator whose metrics keep details: a tensor of one row per case and one column per class each.
        cases: one text per case, in the order in which the evaluator saw them.

    Returns:
        ``{case: {metric: value}}``; with several classes it is their mean, and ``dice_1`` and so on stand beside it.
    """
    scores: dict[str, dict[str, float]] = {case: {} for case in cases}
    for name, details in engine.state.metric_details.items():
        values = details.detach().cpu().numpy().reshape(len(cases), -1)
        for case, row in zip(cases, values, strict=True):
            scores[case][name] = _mean(row)
            if len(row) > 1:
                scores[case] |= {f"{name}_{number}": float(value) for number, value in enumerate(row, start=1)}
    return scores


class CaseReport:
    """Writes ``metrics.csv`` (a row per case) and ``summary.json`` (means and counts) when an evaluation has ended.

    A value that is undefined for a case is an empty cell; the means leave it out and ``undefined`` counts it. Of
    details that are true or false, such as whether a region was missed, the summary counts the cases. Metrics of the
    whole evaluation, which keep no details, stand in the summary only.

    Args:
        output_dir: folder for both files.
        group_by: key of the cases, such as ``type``, by whose values the summary also averages.
        facts: what the summary shall say besides, such as split and checkpoint.
    """

    def __init__(self, output_dir: str | Path, group_by: str = "type", facts: dict[str, Any] | None = None) -> None:
        self.output_dir = Path(output_dir)
        self.group_by = group_by
        self.facts = facts or {}
        self.cases: list[str] = []

    def attach(self, engine: Workflow) -> None:
        engine.add_event_handler(Events.STARTED, self.start)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.remember)
        engine.add_event_handler(Events.COMPLETED, self.write)

    def start(self, engine: Workflow) -> None:
        """Forget the cases of an earlier run."""
        self.cases = []

    def remember(self, engine: Workflow) -> None:
        """Note which cases the evaluator has just seen; JSON, so that processes can exchange them as text."""
        self.cases += [json.dumps([item["id"], item.get(self.group_by, "")]) for item in engine.state.batch]

    def write(self, engine: Workflow) -> None:
        """Write both files on the first process."""
        scores = case_scores(engine, string_list_all_gather(self.cases))
        if engine.state.rank > 0:
            return
        rows = [(*json.loads(case), values) for case, values in scores.items()]
        rows.sort(key=lambda row: row[0])
        metrics = list(dict.fromkeys(name for *_, values in rows for name in values))
        events = {name for name, details in engine.state.metric_details.items() if details.dtype == torch.bool}

        cells = [
            {"id": case, self.group_by: group}
            | {name: six_digits(value) for name, value in values.items() if not np.isnan(value)}
            for case, group, values in rows
        ]
        atomic_write_table(self.output_dir / "metrics.csv", ("id", self.group_by, *metrics), cells)

        def means(chosen: list[dict[str, float]]) -> dict[str, Any]:
            columns = {name: [case[name] for case in chosen] for name in metrics}
            return {"cases": len(chosen)} | {
                name: int(sum(values)) if name in events else _rounded(_mean(values))
                for name, values in columns.items()
            }

        summary = means([values for *_, values in rows])
        whole = {name: value for name, value in engine.state.metrics.items() if name not in engine.state.metric_details}
        summary |= {name: _rounded(float(value)) for name, value in whole.items()}
        summary["undefined"] = {
            name: sum(bool(np.isnan(values[name])) for *_, values in rows) for name in metrics if name not in events
        }
        groups = sorted({group for _, group, _ in rows})
        summary[f"by_{self.group_by}"] = {g: means([values for _, group, values in rows if group == g]) for g in groups}
        atomic_write_json(self.output_dir / "summary.json", self.facts | summary)


def _mean(values: Sequence[float] | np.ndarray) -> float:
    """Mean of the defined values, NaN when there is none."""
    defined = [value for value in values if not np.isnan(value)]
    return float(np.mean(defined)) if defined else math.nan


def _rounded(value: float) -> float | None:
    """For JSON, which knows no NaN."""
    return None if math.isnan(value) else float(six_digits(value))
