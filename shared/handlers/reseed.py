"""Every epoch starts from a seed of its own."""

from __future__ import annotations

import numpy as np
import torch
from ignite.engine import Events
from monai.data import set_rnd
from monai.engines import Workflow

__all__ = ["Reseed"]


class Reseed:
    """Seeds sampler, random transforms and torch from ``(seed, epoch, rank)`` when an epoch starts.

    What an epoch draws then depends on nothing that came before, so a run that is resumed at an epoch's border draws
    the same numbers as one that never stopped. The loader is asked for a new iterator for the same reason.

    Args:
        seed: any whole number that is not negative.
    """

    def __init__(self, seed: int) -> None:
        if seed < 0:
            raise ValueError(f"seed must not be negative, got {seed}")
        self.seed = seed

    def attach(self, engine: Workflow) -> None:
        engine.add_event_handler(Events.EPOCH_STARTED, self)

    def __call__(self, engine: Workflow) -> None:
        loader = engine.state.dataloader
        seed = int(np.random.SeedSequence([self.seed, engine.state.epoch, engine.state.rank]).generate_state(1)[0])
        torch.manual_seed(seed)
        set_rnd(loader.dataset, seed)
        engine.set_data(loader)
