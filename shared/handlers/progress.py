"""Shows how a run goes: a bar on a terminal, plain lines in a log."""

from __future__ import annotations

import logging
import time
from typing import Any

from ignite.engine import Events
from ignite.handlers import ProgressBar
from monai.engines import Trainer, Workflow

from ..runs import on_terminal

__all__ = ["Progress"]

SECONDS_BETWEEN_LINES = 30


class Progress:
    """A tqdm bar per epoch on a terminal; in a log a line per half minute and one for every ``log_interval`` epochs.

    Of several processes only the first shows anything.

    Args:
        name: what is going on, such as ``train`` or ``validate``; stands in front of bar and line.
        log_interval: epochs between two lines with the epoch's metrics.
        validator: evaluator whose last metrics the bar shows beside the loss.

    Raises:
        ValueError: ``log_interval`` is less than 1.
    """

    def __init__(self, name: str, log_interval: int = 1, validator: Workflow | None = None) -> None:
        if log_interval < 1:
            raise ValueError(f"log_interval must be 1 epoch at least, got {log_interval}")
        self.name = name
        self.log_interval = log_interval
        self.validator = validator
        self.last_line = 0.0
        self.logger = logging.getLogger(__name__)

    def attach(self, engine: Workflow) -> None:
        if engine.state.rank > 0:
            return
        if on_terminal():
            ProgressBar(desc=self.name, persist=False).attach(engine, output_transform=self.numbers)
        else:
            engine.add_event_handler(Events.EPOCH_STARTED, self.start_epoch)
            engine.add_event_handler(Events.ITERATION_COMPLETED, self.sign_of_life)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self.finish_epoch)

    def start_epoch(self, engine: Workflow) -> None:
        """The half minute begins."""
        self.last_line = time.monotonic()

    def sign_of_life(self, engine: Workflow) -> None:
        """Say how far a long epoch is."""
        if time.monotonic() - self.last_line >= SECONDS_BETWEEN_LINES:
            self.last_line = time.monotonic()
            done = (engine.state.iteration - 1) % engine.state.epoch_length + 1
            self.logger.info("%s: %d of %d", self.name, done, engine.state.epoch_length)

    def finish_epoch(self, engine: Workflow) -> None:
        """Log the metrics of the epoch."""
        state = engine.state
        if not state.metrics or (state.epoch % self.log_interval and state.epoch != state.max_epochs):
            return
        epoch = f"epoch {state.epoch} of {state.max_epochs}: " if isinstance(engine, Trainer) else ""
        numbers = ", ".join(f"{name} {float(value):.4g}" for name, value in state.metrics.items())
        self.logger.info("%s: %s%s", self.name, epoch, numbers)

    def numbers(self, output: Any) -> dict[str, float]:
        """What the bar shows: the loss of the step, if it has one, and the newest metrics of the validator."""
        loss = {"loss": output["loss"].item()} if isinstance(output, dict) and "loss" in output else {}
        metrics = self.validator.state.metrics if self.validator is not None else {}
        return loss | {name: float(value) for name, value in metrics.items()}
