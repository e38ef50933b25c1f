import csv
import math

import pytest
import torch
from ignite.engine import Engine, Events
from PIL import Image

from shared.errors import UserError
from shared.handlers import Checkpoint, Curves


def run(folder, epochs, start=0):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.5)
    validator = Engine(lambda engine, batch: None)
    validator.state.epoch, validator.state.metrics = 0, {}
    trainer = Engine(lambda engine, batch: {"loss": torch.tensor(float(batch * engine.state.epoch))})

    @trainer.on(Events.STARTED)
    def go_on(engine):
        engine.state.epoch, engine.state.iteration = start, 2 * start

    @trainer.on(Events.EPOCH_COMPLETED(every=2))
    def validate(engine):
        validator.state.epoch, validator.state.metrics = engine.state.epoch, {"dice": engine.state.epoch / 10}

    Curves(folder, optimizer, validator).attach(trainer)
    trainer.run([1, 3], max_epochs=epochs)
    with (folder / "curves.csv").open() as file:
        return trainer, list(csv.DictReader(file))


def test_a_row_per_epoch_with_the_mean_loss_and_validation_where_it_ran(tmp_path):
    trainer, rows = run(tmp_path, 2)
    assert [(r["epoch"], r["loss"], r["learning_rate"], r["validation_dice"]) for r in rows] == [
        ("1", "2", "0.5", ""),
        ("2", "4", "0.5", "0.2"),
    ]
    assert trainer.state.metrics["loss"] == pytest.approx(4)
    with Image.open(tmp_path / "curves.png") as picture:
        assert picture.width > 100


def test_a_resumed_run_keeps_the_rows_before_it(tmp_path):
    run(tmp_path, 3)
    _, rows = run(tmp_path, 4, start=2)
    assert [r["epoch"] for r in rows] == ["1", "2", "3", "4"]
    assert rows[1]["validation_dice"] == "0.2"


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_network_that_diverges_ends_the_run_and_leaves_what_was_good(tmp_path, bad):
    network = torch.nn.Linear(1, 1)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.5)

    def step(engine, batch):
        value = float(engine.state.epoch) if engine.state.iteration < 4 else bad  # in the second step of epoch 2
        torch.nn.init.constant_(network.weight, value)
        return {"loss": torch.tensor(value)}

    trainer = Engine(step)
    Curves(tmp_path, optimizer).attach(trainer)
    Checkpoint(tmp_path, network, optimizer, interval=5).attach(trainer)
    with pytest.raises(UserError, match=f"loss: {bad} in epoch 2; train again with a lower --learning_rate"):
        trainer.run([1, 3], max_epochs=3)
    state = torch.load(tmp_path / "checkpoints" / "epoch_00001.pt", weights_only=True)
    best = torch.load(tmp_path / "model.pt", weights_only=True)
    assert best["weight"] == state["network"]["weight"] == 1
