"""Bounds the step that one batch can cause."""

from __future__ import annotations

from typing import Any

import torch
from ignite.engine import Events
from monai.engines import Workflow

__all__ = ["ClipGradient"]


class ClipGradient:
    """Scales the gradient down to a norm of ``max_norm`` just before the optimiser's step.

    With accumulated gradients that is once per step and not once per batch.

    Args:
        optimizer: whose parameters are clipped, all together.
        max_norm: largest Euclidean norm, above 0.

    Raises:
        ValueError: ``max_norm`` is not above 0.
    """

    def __init__(self, optimizer: torch.optim.Optimizer, max_norm: float) -> None:
        if max_norm <= 0:
            raise ValueError(f"max_norm must be above 0, got {max_norm}")
        self.optimizer = optimizer
        self.max_norm = max_norm

    def attach(self, engine: Workflow) -> None:
        engine.add_event_handler(Events.STARTED, self.start)

    def start(self, engine: Workflow) -> None:
        """Hook into the optimiser; released with it."""
        self.optimizer.register_step_pre_hook(self.clip)

    def clip(self, *_: Any) -> None:
        """Clip the gradients that the step is about to use."""
        parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
        torch.nn.utils.clip_grad_norm_(parameters, self.max_norm)
