import pytest
from ignite.engine import Engine
from monai.engines import Evaluator

from shared.handlers import ValidationHandler


@pytest.mark.parametrize(("epochs", "expected"), [(7, [3, 6, 7]), (6, [3, 6]), (2, [2])])
def test_every_few_epochs_and_the_last(epochs, expected):
    seen = []
    validator = Evaluator("cpu", [0])
    validator.run = seen.append
    trainer = Engine(lambda engine, batch: None)
    ValidationHandler(validator, interval=3).attach(trainer)
    trainer.run([0], max_epochs=epochs)
    assert seen == expected


def test_less_than_an_epoch_is_refused():
    with pytest.raises(ValueError, match="interval must be 1 epoch at least, got 0"):
        ValidationHandler(Evaluator("cpu", [0]), interval=0)
