"""A run that is killed and resumed ends as if it had never stopped."""

import os
import signal
import time

import pytest
import torch
from running import FEATURES, ROOT
from starting import LIMIT, Command

EPOCHS = 3


@pytest.fixture(autouse=True)
def interruptible():
    """A shell lets what it starts in the background ignore Ctrl-C, and processes inherit that."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def start(nuclei, output, *more, features=FEATURES, program=("-m", "monai.bundle")):
    config = str(ROOT / "bundles" / "unet_dsb" / "configs" / "train.json")
    words = [*program, "run", "training", "--config_file", config]
    words += [
        "--bundle_root",
        str(ROOT / "bundles" / "unet_dsb"),
        "--dataset_dir",
        str(nuclei),
        "--output_dir",
        str(output),
    ]
    words += ["--epochs", str(EPOCHS), "--val_interval", "1", "--batch_size", "2", "--device", "cpu"]
    words += ["--network_def::features", str(features), *more]
    return Command(*words, env=os.environ | {"OMP_NUM_THREADS": "1"})


def finish(process):
    _, err = process.communicate()
    assert process.returncode == 0, err[-3000:]


def wait_for(process, is_there):
    end = time.monotonic() + LIMIT
    while not is_there():
        assert process.poll() is None and time.monotonic() < end, process.communicate()[1][-3000:]
        time.sleep(0.01)


@pytest.fixture(scope="module")
def uninterrupted(nuclei, once):
    return once("nuclei_uninterrupted", lambda folder: finish(start(nuclei, folder / "run"))) / "run"


def assert_equal_runs(run, expected):
    """The best network, which may be that of the first epoch, and the last."""
    for file, part in (("model.pt", None), (f"checkpoints/epoch_{EPOCHS:05d}.pt", "network")):
        states = (torch.load(folder / file, weights_only=True) for folder in (run, expected))
        found, wanted = (state[part] if part else state for state in states)
        assert found.keys() == wanted.keys()
        assert all(torch.equal(found[name], wanted[name]) for name in wanted), file
    assert (run / "metrics.csv").read_bytes() == (expected / "metrics.csv").read_bytes()


@pytest.mark.parametrize("landmark", ["run.json", "checkpoints/epoch_00001.pt", "checkpoints/epoch_00003.pt"])
def test_killed_at_any_moment_and_resumed(nuclei, uninterrupted, tmp_path, landmark):
    run = tmp_path / "run"
    process = start(nuclei, run)
    wait_for(process, (run / landmark).exists)
    process.kill()
    process.communicate()
    finish(start(nuclei, run, "--resume", "True"))
    assert_equal_runs(run, uninterrupted)


# A moment is met on a machine of any load if the run itself waits in it. What stands in front of the command line:
KILLED_IN_WRITING = """
import io, os, signal, torch

def half(content, file, save=torch.save):
    if content.get("epoch") != 2:
        return save(content, file)
    save(content, whole := io.BytesIO())
    file.write(whole.getvalue()[:10_000])
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL)

torch.save = half
"""
HELD_IN_EPOCH_3 = """
import time
from ignite.engine import Events
from monai.engines import SupervisedTrainer

def hold():
    print("held", flush=True)
    time.sleep(300)

def run(trainer, run=SupervisedTrainer.run):
    trainer.add_event_handler(Events.ITERATION_COMPLETED(once=1 + 2 * trainer.state.epoch_length), hold)
    run(trainer)

SupervisedTrainer.run = run
"""
FULL_DISK = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
"""
COMMAND_LINE = 'import runpy\nrunpy.run_module("monai.bundle", run_name="__main__", alter_sys=True)\n'


def test_killed_while_a_checkpoint_is_written(nuclei, uninterrupted, tmp_path):
    run = tmp_path / "run"
    process = start(nuclei, run, program=("-c", KILLED_IN_WRITING + COMMAND_LINE))
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    (half,) = run.glob("checkpoints/.*.part.pt")
    assert half.stat().st_size == 10_000
    assert [file.name for file in run.glob("checkpoints/epoch*")] == ["epoch_00001.pt"]
    finish(start(nuclei, run, "--resume", "True"))
    assert_equal_runs(run, uninterrupted)
    assert not list(run.glob("checkpoints/.*"))


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, -signal.SIGINT)])
def test_a_polite_end_saves_what_the_interval_left_unsaved(nuclei, uninterrupted, tmp_path, number, code):
    run = tmp_path / "run"
    process = start(nuclei, run, "--checkpoint_interval", "10", program=("-c", HELD_IN_EPOCH_3 + COMMAND_LINE))
    wait_for(process, lambda: "held" in process.printed()[0])
    assert not list(run.glob("checkpoints/*"))
    process.send_signal(number)
    _, err = process.communicate()
    assert process.returncode == code, err[-3000:]
    assert "Traceback" not in err
    assert "--resume True" in err.splitlines()[-1]
    assert [file.name for file in run.glob("checkpoints/*")] == ["epoch_00002.pt"]
    finish(start(nuclei, run, "--resume", "True"))
    assert_equal_runs(run, uninterrupted)


def test_a_full_disk_is_one_line(nuclei, tmp_path):
    """A limit for files stands for it: between model.pt and a checkpoint, which holds the optimiser's moments too."""
    pytest.importorskip("resource")
    process = start(nuclei, tmp_path / "run", program=("-c", FULL_DISK + COMMAND_LINE))
    _, err = process.communicate()
    assert (process.returncode, "Traceback" in err) == (1, False), err[-3000:]
    place = tmp_path / "run" / "checkpoints" / "epoch_00001.pt"
    assert err.splitlines()[-1].startswith(f"error: {place}: File too large; free some space, or name a place on")
