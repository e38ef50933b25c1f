"""Validates every few epochs and at the end."""

from __future__ import annotations

import monai.handlers
from ignite.engine import Engine, Events
from monai.engines import Evaluator

__all__ = ["ValidationHandler"]


class ValidationHandler(monai.handlers.ValidationHandler):
    """MONAI's ``ValidationHandler`` by epochs, which also validates the last one.

    Else the best learned weights, those of the last low learning rates, might never be looked at.

    Args:
        validator: evaluator that is run.
        interval: epochs between two validations, 1 at least.

    Raises:
        ValueError: ``interval`` is less than 1.
    """

    def __init__(self, validator: Evaluator, interval: int) -> None:
        if interval < 1:
            raise ValueError(f"interval must be 1 epoch at least, got {interval}")
        super().__init__(interval=interval, validator=validator, epoch_level=True)

    def attach(self, engine: Engine) -> None:
        def is_due(engine: Engine, epoch: int) -> bool:
            return epoch % self.interval == 0 or epoch == engine.state.max_epochs

        engine.add_event_handler(Events.EPOCH_COMPLETED(event_filter=is_due), self)
