import sys

import pytest
import torch
from ignite.engine import Engine
from monai.engines import SupervisedTrainer

from shared.handlers import Curves, Progress, progress


def lines_of_a_run(caplog, tmp_path, epochs, **options):
    caplog.set_level("INFO", logger=progress.__name__)
    network = torch.nn.Linear(1, 1)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.0)
    batch = {"image": torch.ones(1, 1), "label": torch.ones(1, 1)}
    handlers = [Curves(tmp_path, optimizer), Progress("train", **options)]
    SupervisedTrainer(
        "cpu", epochs, [batch] * 3, network, optimizer, lambda pred, label: 0 * pred.sum() + 2,
        train_handlers=handlers, decollate=False,
    ).run()  # fmt: skip
    return [record.getMessage() for record in caplog.records if record.name == progress.__name__]


def test_a_log_gets_a_line_per_interval_and_the_last(caplog, tmp_path):
    lines = lines_of_a_run(caplog, tmp_path, epochs=5, log_interval=2)
    assert lines == [f"train: epoch {n} of 5: loss 2" for n in (2, 4, 5)]


def test_a_long_epoch_gives_signs_of_life(caplog, tmp_path, monkeypatch):
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0)
    lines = lines_of_a_run(caplog, tmp_path, epochs=2)
    assert lines[:4] == ["train: 1 of 3", "train: 2 of 3", "train: 3 of 3", "train: epoch 1 of 2: loss 2"]
    assert lines[4] == "train: 1 of 3"


def test_a_terminal_gets_a_bar_with_the_loss(caplog, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    validator = Engine(lambda engine, batch: None)
    validator.state.metrics = {"dice": 0.25}
    lines_of_a_run(caplog, tmp_path, epochs=1, validator=validator)
    shown = capsys.readouterr().err
    assert "loss=2" in shown
    assert "dice=0.25" in shown


def test_less_than_an_epoch_is_refused():
    with pytest.raises(ValueError, match="log_interval must be 1 epoch at least, got 0"):
        Progress("train", log_interval=0)
