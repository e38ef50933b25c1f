"""Says early that a training learns nothing."""

from __future__ import annotations

import logging

from ignite.engine import Events
from monai.engines import Workflow

__all__ = ["NothingFound"]


class NothingFound:
    """Warns once, at the first validation in the second half of a training, if next to nothing is found.

    It belongs after the handler that validates. A metric that is NaN, of pictures with nothing to find, tells nothing.

    Args:
        validator: evaluator whose metric it reads.
        metric: name of a metric in [0, 1] that is near 0 where nothing is found.
        least: what it should have reached, in [0, 1].
        advice: what to look at and what to try, told with the warning.
    """

    def __init__(self, validator: Workflow, metric: str, least: float = 0.05, advice: str = "") -> None:
        self.validator, self.metric, self.least, self.advice = validator, metric, least, advice
        self.done = False

    def attach(self, engine: Workflow) -> None:
        if engine.state.rank == 0:
            engine.add_event_handler(Events.EPOCH_COMPLETED, self)

    def __call__(self, engine: Workflow) -> None:
        epoch, epochs = engine.state.epoch, engine.state.max_epochs
        if self.done or 2 * epoch < epochs or self.validator.state.epoch != epoch:
            return
        self.done = True
        if (value := float(self.validator.state.metrics[self.metric])) < self.least:
            logging.getLogger(__name__).warning(
                "next to nothing is found after %d of %d epochs: %s of the validation pictures is %.3f; %s",
                epoch,
                epochs,
                self.metric,
                value,
                self.advice,
            )
