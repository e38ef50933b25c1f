import pytest
import torch
from ignite.engine import Engine, Events
from monai.data import DataLoader, Dataset
from monai.transforms import RandScaleIntensity

from shared.handlers import Reseed


def draws(seed, first_epoch=0, epochs=3, steps=2, rank=0):
    """What each epoch draws: order of the items, a random transform and torch's own numbers."""
    data = Dataset([torch.full((1, 2), float(n)) for n in range(1, 8)], RandScaleIntensity(factors=0.5, prob=1.0))
    seen = {}

    def step(engine, batch):
        seen.setdefault(engine.state.epoch, []).append((batch.flatten().tolist(), torch.rand(1).item()))

    engine = Engine(step)

    @engine.on(Events.STARTED)
    def go_on(engine):
        engine.state.epoch, engine.state.iteration, engine.state.rank = first_epoch, first_epoch * steps, rank

    Reseed(seed).attach(engine)
    engine.run(DataLoader(data, batch_size=2, shuffle=True), max_epochs=epochs, epoch_length=steps)
    return seen


def test_an_epoch_depends_on_seed_and_number_only():
    whole, tail = draws(5), draws(5, first_epoch=1)
    assert {epoch: whole[epoch] for epoch in (2, 3)} == tail
    assert whole == draws(5)


def test_epochs_seeds_and_ranks_differ():
    whole = draws(5)
    assert whole[1] != whole[2]
    assert whole[1] != draws(6)[1]
    assert whole[1] != draws(5, rank=1)[1]


def test_a_negative_seed_is_refused():
    with pytest.raises(ValueError, match="seed must not be negative, got -1"):
        Reseed(-1)
