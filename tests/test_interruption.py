"""A run that is killed and resumed ends as if it had never stopped."""

import os
import signal
import subprocess
import sys
import time

import pytest
import torch
from running import FEATURES, ROOT

EPOCHS = 3


@pytest.fixture(autouse=True)
def interruptible():
    """A shell lets what it starts in the background ignore Ctrl-C, and processes inherit that."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def start(nuclei, output, *more, features=FEATURES, **options):
    config = str(ROOT / "bundles" / "unet_dsb" / "configs" / "train.json")
    words = [sys.executable, "-m", "monai.bundle", "run", "training", "--config_file", config]
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
    return subprocess.Popen(
        words,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        **options,
    )


def finish(process):
    _, err = process.communicate(timeout=300)
    assert process.returncode == 0, err[-3000:]


def rows(table):
    return table.read_text().splitlines() if table.exists() else []


def wait_for(process, path):
    for _ in range(6000):
        if path.exists():
            return
        assert process.poll() is None, process.stderr.read()[-3000:]
        time.sleep(0.01)
    raise TimeoutError(path)


@pytest.fixture(scope="module")
def uninterrupted(nuclei, tmp_path_factory):
    output = tmp_path_factory.mktemp("uninterrupted") / "run"
    finish(start(nuclei, output))
    return output


def assert_equal_runs(run, expected):
    found, wanted = (torch.load(folder / "model.pt", weights_only=True) for folder in (run, expected))
    assert found.keys() == wanted.keys()
    assert all(torch.equal(found[name], wanted[name]) for name in wanted)
    assert (run / "metrics.csv").read_bytes() == (expected / "metrics.csv").read_bytes()


@pytest.mark.parametrize("landmark", ["run.json", "checkpoints/epoch_00001.pt", "checkpoints/epoch_00003.pt"])
def test_killed_at_any_moment_and_resumed(nuclei, uninterrupted, tmp_path, landmark):
    run = tmp_path / "run"
    process = start(nuclei, run)
    wait_for(process, run / landmark)
    process.kill()
    process.communicate()
    (run / "checkpoints").mkdir(exist_ok=True)
    (run / "checkpoints" / ".0123456789abcdef.part.pt").write_bytes(b"PK half a checkpoint")  # killed while writing it
    finish(start(nuclei, run, "--resume", "True"))
    assert_equal_runs(run, uninterrupted)


def test_killed_while_a_checkpoint_is_written(nuclei, tmp_path):
    run, expected = tmp_path / "run", tmp_path / "expected"
    options = {"features": [32, 64, 128, 256, 512]}  # 94 MB a checkpoint: long enough to be met in the writing
    finish(start(nuclei, expected, "--epoch_length", "1", **options))
    process = start(nuclei, run, "--epoch_length", "1", **options)
    wait_for(process, run / "checkpoints" / "epoch_00001.pt")
    while not (half := list(run.glob("checkpoints/.*.part.pt"))) or half[0].stat().st_size == 0:
        assert process.poll() is None, process.stderr.read()[-3000:]
    process.kill()
    process.communicate()
    if (run / "checkpoints" / "epoch_00002.pt").exists():
        pytest.skip("this machine wrote the checkpoint before it could be met in the writing")
    finish(start(nuclei, run, "--epoch_length", "1", "--resume", "True", **options))
    assert_equal_runs(run, expected)
    assert not list(run.glob("checkpoints/.*"))


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, -signal.SIGINT)])
def test_a_polite_end_saves_what_the_interval_left_unsaved(nuclei, uninterrupted, tmp_path, number, code):
    run = tmp_path / "run"
    process = start(nuclei, run, "--checkpoint_interval", "10")
    table, picture = run / "curves.csv", run / "curves.png"
    # Until the second epoch's are both there: the state of the first is held, and nobody draws.
    while len(rows(table)) < 3 or picture.stat().st_mtime_ns < table.stat().st_mtime_ns:
        assert process.poll() is None, process.communicate()[1][-3000:]
        time.sleep(0.01)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == code, err[-3000:]
    assert "Traceback" not in err
    assert "--resume True" in err.splitlines()[-1]
    finish(start(nuclei, run, "--resume", "True"))
    assert_equal_runs(run, uninterrupted)


def test_a_full_disk_is_one_line(nuclei, tmp_path):
    resource = pytest.importorskip("resource", reason="a limit for files stands in for a full disk")

    def limit():  # between model.pt and a checkpoint, which holds the optimiser's moments too
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    process = start(nuclei, tmp_path / "run", preexec_fn=limit)
    _, err = process.communicate(timeout=300)
    assert (process.returncode, "Traceback" in err) == (1, False), err[-3000:]
    place = tmp_path / "run" / "checkpoints" / "epoch_00001.pt"
    assert err.splitlines()[-1].startswith(f"error: {place}: File too large; free some space, or name a place on")
