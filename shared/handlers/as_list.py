"""Gives the output of a step the form that trackers of experiments expect."""

from __future__ import annotations

from ignite.engine import Events
from monai.engines import Workflow

__all__ = ["AsList"]


class AsList:
    """Makes the output of a training step a list of one dictionary for the handlers after it.

    Handlers that MONAI adds for ``--tracking`` expect the list into which a trainer takes a batch apart. Ours does not
    take it apart, since the loss of each step would be waited for.

    Example:
        ``{"_target_": "shared.handlers.AsList"}``, the last of the handlers of a trainer with ``decollate`` false.
    """

    def attach(self, engine: Workflow) -> None:
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.wrap)

    def wrap(self, engine: Workflow) -> None:
        """Put the output into a list."""
        engine.state.output = [engine.state.output]
