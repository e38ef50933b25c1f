"""Shows how a run goes: a bar on a terminal, plain lines in a log."""

from __future__ import annotations

import logging
import sys
from typing import Any

from ignite.engine import Events
from ignite.handlers import ProgressBar
from monai.engines import Workflow

__all__ = ["Progress"]


class Progress:
    """A tqdm bar per epoch on a terminal, one line per ``log_interval`` epochs otherwise.

    Args:
        name: what is going on, such as ``train`` or ``validate``; stands in front of bar and line.
        log_interval: epochs between two lines when there is no terminal.

    Raises:
        ValueError: ``log_interval`` is less than 1.
    """

    def __init__(self, name: str, log_interval: int = 1) -> None:
        if log_interval < 1:
            raise ValueError(f"log_interval must be 1 epoch at least, got {log_interval}")
        self.name = name
        self.log_interval = log_interval
        self.logger = logging.getLogger(__name__)

    def attach(self, engine: Workflow) -> None:
        if sys.stderr.isatty():
            ProgressBar(desc=self.name, persist=False).attach(engine, output_transform=_loss)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self.line)

    def line(self, engine: Workflow) -> None:
        """Log the epoch and its metrics."""
        state = engine.state
        if state.epoch % self.log_interval == 0 or state.epoch == state.max_epochs:
            numbers = ", ".join(f"{name} {float(value):.4f}" for name, value in state.metrics.items())
            self.logger.info("%s: epoch %d of %d: %s", self.name, state.epoch, state.max_epochs, numbers)


def _loss(output: Any) -> dict[str, float]:
    """The loss of a step; an evaluator has none."""
    return {"loss": output["loss"].item()} if isinstance(output, dict) and "loss" in output else {}
