"""Loss, learning rate and validation metrics over the epochs, as a table and as a picture."""

from __future__ import annotations

import csv
import math
import time
from pathlib import Path
from typing import Any

import ignite.distributed as idist
import torch
from ignite.engine import Events
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from monai.engines import Workflow

from ..atomic import atomic_path, atomic_write_table
from ..errors import UserError

__all__ = ["Curves"]


class Curves:
    """Writes ``curves.csv`` and ``curves.png`` at the end of every epoch.

    The epoch's mean loss is also left in ``engine.state.metrics["loss"]`` for the handlers after this one. When a run
    is resumed the rows of the epochs before it are kept. Of several processes the mean of their losses counts, and the
    first writes. A network that has diverged ends the run before its weights are saved, so this handler belongs before
    ``Checkpoint``.

    Args:
        output_dir: folder of the run.
        optimizer: whose learning rate (of the first parameter group) is recorded.
        validator: evaluator whose metrics are recorded in the epochs in which it runs.

    Raises:
        UserError: at the end of an epoch, its mean loss is not finite.
    """

    def __init__(self, output_dir: str | Path, optimizer: Any, validator: Workflow | None = None) -> None:
        self.table = Path(output_dir) / "curves.csv"
        self.optimizer = optimizer
        self.validator = validator
        self.rows: list[dict[str, float]] = []
        self.losses: list[torch.Tensor] = []
        self.began = 0.0

    def attach(self, engine: Workflow) -> None:
        engine.add_event_handler(Events.EPOCH_STARTED, self.start_epoch)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.record_step)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self.finish_epoch)

    def start_epoch(self, engine: Workflow) -> None:
        """Take up the table of a run that is resumed, less what lies ahead of it."""
        if not self.rows and engine.state.epoch > 1 and self.table.is_file():
            with self.table.open(newline="") as file:
                rows = [{key: float(value) for key, value in row.items() if value} for row in csv.DictReader(file)]
            self.rows = [row for row in rows if row["epoch"] < engine.state.epoch]
        self.losses = []
        self.began = time.perf_counter()

    def record_step(self, engine: Workflow) -> None:
        """Remember the loss of a step."""
        self.losses.append(engine.state.output["loss"].detach())  # not yet .item(): a GPU need not be waited for

    def finish_epoch(self, engine: Workflow) -> None:
        """Add the epoch's row and write both files."""
        epoch = engine.state.epoch
        loss = float(idist.all_reduce(torch.stack(self.losses).double().mean().item())) / idist.get_world_size()
        engine.state.metrics["loss"] = loss
        if not math.isfinite(loss):
            raise UserError(
                f"loss: {loss} in epoch {epoch}; train again with a lower --learning_rate, --clip_gradient 1 or "
                "--amp False"
            )
        if idist.get_rank() > 0:
            return
        row = {
            "epoch": epoch,
            "loss": loss,
            "learning_rate": self.optimizer.param_groups[0]["lr"],
            "seconds": time.perf_counter() - self.began,
        }
        if self.validator is not None and self.validator.state.epoch == epoch:
            row |= {f"validation_{name}": float(value) for name, value in self.validator.state.metrics.items()}
        self.rows.append(row)
        cells = [{key: f"{value:.6g}" for key, value in row.items()} for row in self.rows]
        atomic_write_table(self.table, self._columns(), cells)
        self._draw()

    def _columns(self) -> list[str]:
        return list(dict.fromkeys(key for row in self.rows for key in row))

    def _draw(self) -> None:
        figure = Figure(figsize=(9, 4), layout="constrained")
        left, right = figure.subplots(1, 2)
        epochs = [row["epoch"] for row in self.rows]
        left.plot(epochs, [row["loss"] for row in self.rows], marker=".")
        left.set(xlabel="epoch", ylabel="loss", title="training")
        for name in (column for column in self._columns() if column.startswith("validation_")):
            points = [(row["epoch"], row[name]) for row in self.rows if not math.isnan(row.get(name, math.nan))]
            if points:
                right.plot(*zip(*points, strict=True), marker=".", label=name.removeprefix("validation_"))
                right.legend()
        right.set(xlabel="epoch", title="validation")
        for axes in (left, right):
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        with atomic_path(self.table.with_suffix(".png")) as temporary:
            figure.savefig(temporary)
