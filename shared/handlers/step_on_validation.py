"""A learning rate that follows a validation metric."""

from __future__ import annotations

from ignite.engine import Events
from monai.engines import Workflow
from torch.optim.lr_scheduler import ReduceLROnPlateau

__all__ = ["StepOnValidation"]


class StepOnValidation:
    """Steps a schedule by a metric of the validator, in the epochs in which that ran.

    It belongs after the handler that validates. The schedule's patience counts validations.

    Args:
        lr_scheduler: schedule of the learning rate.
        validator: evaluator whose metric it follows.
        metric: name of the metric.
    """

    def __init__(self, lr_scheduler: ReduceLROnPlateau, validator: Workflow, metric: str) -> None:
        self.lr_scheduler = lr_scheduler
        self.validator = validator
        self.metric = metric

    def attach(self, engine: Workflow) -> None:
        engine.add_event_handler(Events.EPOCH_COMPLETED, self)

    def __call__(self, engine: Workflow) -> None:
        if self.validator.state.epoch == engine.state.epoch:
            self.lr_scheduler.step(self.validator.state.metrics[self.metric])
