import math
import signal

import pytest
import torch
from ignite.engine import Engine, Events

from shared.errors import UserError, message_behind
from shared.handlers import Checkpoint


def run(folder, metrics, epochs=None, **options):
    """Train one weight, which counts the epochs, under a validator that scores them as told."""
    network = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.zeros_(network.weight)
    optimizer = torch.optim.SGD(network.parameters(), lr=1.0)
    validator = Engine(lambda engine, batch: None)
    validator.state.key_metric_name, validator.state.epoch = "dice", 0
    trainer = Engine(lambda engine, batch: None)

    @trainer.on(Events.EPOCH_COMPLETED)
    def validate(engine):
        with torch.no_grad():
            network.weight += 1
        if (metric := metrics[engine.state.epoch - 1]) is not None:
            validator.state.epoch, validator.state.metrics = engine.state.epoch, {"dice": metric}

    handler = Checkpoint(folder, network, optimizer, validator=validator, **options)
    handler.attach(trainer)
    trainer.state.max_epochs = epochs or len(metrics)
    trainer.run([0], max_epochs=epochs or len(metrics))
    return trainer, int(network.weight)


def saved(folder):
    return [path.name for path in sorted((folder / "checkpoints").iterdir())]


def best(folder):
    return int(torch.load(folder / "model.pt", weights_only=True)["weight"])


def test_the_best_network_is_kept_and_a_tie_changes_nothing(tmp_path):
    run(tmp_path, [0.1, 0.7, 0.7, 0.3])
    assert best(tmp_path) == 2


def test_undefined_is_never_best_unless_there_is_nothing_else(tmp_path):
    run(tmp_path / "a", [math.nan, 0.1, math.nan])
    assert best(tmp_path / "a") == 2
    run(tmp_path / "b", [math.nan, None, math.nan])
    assert best(tmp_path / "b") == 3


def test_the_newest_two_states_at_the_interval_and_at_the_end(tmp_path):
    run(tmp_path, [0.1] * 7, interval=3)
    assert saved(tmp_path) == ["epoch_00006.pt", "epoch_00007.pt"]


@pytest.mark.parametrize(("number", "ending"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)])
def test_a_signal_that_a_callback_swallows_ends_the_run_all_the_same(tmp_path, monkeypatch, number, ending):
    """As Python does with what is raised while it frees an object."""
    seen = []

    def swallow(engine):
        seen.append(engine.state.epoch)
        if engine.state.epoch == 2:
            with pytest.raises(ending):
                signal.raise_signal(number)

    def attach_after(handler, engine):
        engine.add_event_handler(Events.ITERATION_STARTED, swallow)
        attach(handler, engine)

    attach = Checkpoint.attach
    monkeypatch.setattr(Checkpoint, "attach", attach_after)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(ending):
            run(tmp_path, [0.1] * 3, interval=10)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
    assert (seen, saved(tmp_path)) == ([1, 2], ["epoch_00001.pt"])


def test_resume_goes_on_with_the_weights_and_the_best_so_far(tmp_path):
    run(tmp_path, [0.1, 0.9, 0.2, 0.3], epochs=3)
    trainer, weight = run(tmp_path, [0, 0, 0, 0.5, 0.6], resume=True)
    assert (weight, trainer.state.iteration, best(tmp_path)) == (5, 5, 2)
    _, weight = run(tmp_path, [0, 0, 0, 0, 0], resume=True)  # nothing is left to do
    assert weight == 5


def test_a_training_that_has_ended_is_not_trained_over(tmp_path):
    run(tmp_path, [0.1, 0.9])
    with pytest.raises(UserError, match="output_dir: .* holds a training that has ended; name another folder"):
        run(tmp_path, [0.5, 0.6])
    assert best(tmp_path) == 2


def test_a_training_does_not_go_on_behind_its_schedule(tmp_path):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=2)
    run(tmp_path / "a", [0.1, 0.2], lr_scheduler=schedule)
    with pytest.raises(UserError, match="epochs: the learning rate falls over 2, the training goes on to 3; give as"):
        run(tmp_path / "b", [0.1, 0.2, 0.3], lr_scheduler=schedule)


def test_early_stop_counts_from_the_best_and_survives_a_resume(tmp_path):
    metrics = [0.1, 0.9, 0.2, 0.3, 0.4, 1.0]
    trainer, _ = run(tmp_path, metrics, early_stop=3)
    assert trainer.state.epoch == 5
    assert saved(tmp_path)[-1] == "epoch_00005.pt"
    trainer, weight = run(tmp_path, metrics, early_stop=3, resume=True)
    assert (trainer.state.epoch, weight) == (5, 5)
    trainer, weight = run(tmp_path, metrics, early_stop=4, resume=True)  # with more patience it goes on
    assert (trainer.state.epoch, weight, best(tmp_path)) == (6, 6, 6)


def test_only_a_validation_can_stop_early(tmp_path):
    trainer, _ = run(tmp_path, [None, None, None, 0.5, None, None, None, 0.4], early_stop=2)
    assert trainer.state.epoch == 8
    assert best(tmp_path) == 4
    trainer, _ = run(tmp_path / "nan", [math.nan] * 4, early_stop=1)
    assert (trainer.state.epoch, best(tmp_path / "nan")) == (4, 4)


def test_sigterm_is_given_back(tmp_path):
    before = signal.getsignal(signal.SIGTERM)
    run(tmp_path, [0.1])
    assert signal.getsignal(signal.SIGTERM) is before


def test_an_error_saves_what_the_interval_left_unsaved(tmp_path):
    with pytest.raises(IndexError):
        run(tmp_path, [0.1, 0.2], epochs=9, interval=5)
    assert saved(tmp_path) == ["epoch_00002.pt"]
    assert int(torch.load(tmp_path / "checkpoints" / "epoch_00002.pt", weights_only=True)["network"]["weight"]) == 2


def test_a_full_disk_is_named_with_the_way_on_and_sigterm_is_given_back(tmp_path, caplog):
    resource = pytest.importorskip("resource", reason="a limit for files stands in for a full disk")
    caplog.set_level("INFO")
    limit, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.getsignal(signal.SIGTERM)

    class FullInTheSecondEpoch(list):
        def __getitem__(self, epoch):
            if epoch == 1:
                resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limit[1]))
            return super().__getitem__(epoch)

    try:
        with pytest.raises((OSError, RuntimeError)) as raised:
            run(tmp_path, FullInTheSecondEpoch([0.2, 0.1]))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    place = f"{tmp_path / 'checkpoints' / 'epoch_00002.pt'}: File too large; free some space"
    assert message_behind(raised.value).startswith(place)
    assert f"the last epoch could not be saved: {place}" in caplog.text
    assert f"--output_dir {tmp_path} --resume True (it has epoch_00001.pt)" in caplog.messages[-1]
    assert signal.getsignal(signal.SIGTERM) is handler
    assert saved(tmp_path) == ["epoch_00001.pt"]


def test_a_broken_state_is_named_with_the_way_out(tmp_path, caplog):
    caplog.set_level("INFO")
    run(tmp_path, [0.1, 0.2])
    (tmp_path / "checkpoints" / "epoch_00002.pt").write_bytes(b"PK")
    with pytest.raises(UserError, match=r"epoch_00002.pt cannot be loaded .*; delete it to go on from epoch_00001.pt"):
        run(tmp_path, [0, 0, 0], resume=True)
    assert "to go on repeat the command" not in caplog.text  # which would meet the same file


@pytest.mark.parametrize("option", ["interval", "early_stop"])
def test_less_than_an_epoch_is_refused(tmp_path, option):
    with pytest.raises(ValueError, match=f"{option} must be 1 epoch at least, got 0"):
        run(tmp_path, [0.1], **{option: 0})
