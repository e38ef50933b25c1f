import csv

import pytest
import torch
from ignite.engine import Engine, Events
from PIL import Image

from shared.handlers import Curves


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
