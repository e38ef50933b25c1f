from types import SimpleNamespace

import pytest
from ignite.engine import Engine, Events

from shared.handlers import NothingFound


@pytest.mark.parametrize(
    ("figures", "warned"),
    [
        ({2: 0.0, 4: 0.01, 6: 0.0}, ["4 of 6 epochs: dice of the validation pictures is 0.010; look at the masks"]),
        ({3: 0.049}, ["3 of 6 epochs: dice of the validation pictures is 0.049; look at the masks"]),
        ({2: 0.0, 4: 0.05, 6: 0.0}, []),
        ({4: float("nan")}, []),
    ],
)
def test_it_warns_once_of_the_first_validation_in_the_second_half(figures, warned, caplog):
    validator = SimpleNamespace(state=SimpleNamespace(epoch=0, metrics={}))

    def validate(engine):
        if engine.state.epoch in figures:
            validator.state.epoch, validator.state.metrics = engine.state.epoch, {"dice": figures[engine.state.epoch]}

    trainer = Engine(lambda engine, batch: None)
    trainer.state.rank = 0
    trainer.add_event_handler(Events.EPOCH_COMPLETED, validate)
    NothingFound(validator, "dice", advice="look at the masks").attach(trainer)
    trainer.run([0], max_epochs=6)
    assert [record.getMessage().split("after ")[1] for record in caplog.records] == warned
