"""Workers end with the process that they work for, however that ends."""

import os
import signal
import time
from pathlib import Path

import psutil
import pytest
from running import ROOT
from starting import Command

from shared.datasets.processes import map_in_processes

HELD = """
import os, sys, time
from pathlib import Path
from shared.datasets import dsb
from shared.cli import main

def hold(raw, cases, part):
    Path(os.environ["MARKS"], "worker_%d" % os.getpid()).touch()
    time.sleep(300)

dsb._convert_chunk = hold
sys.exit(main(sys.argv[1:]))
"""


def test_results_come_in_the_order_of_the_jobs():
    assert map_in_processes(pow, [(number, 2) for number in range(5)], 2, "square", "number") == [0, 1, 4, 9, 16]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_prepare_that_is_ended_leaves_no_worker_and_can_be_started_again(nuclei_raw, tmp_path, number):
    words = ["prepare", "dsb", "--source", str(nuclei_raw), "--output", str(tmp_path / "data"), "--num_folds", "2"]
    words += ["--num_workers", "2"]
    command = Command("-c", HELD, *words, folder=ROOT, env=os.environ | {"MARKS": str(tmp_path)})
    end = time.monotonic() + 60

    def workers():
        return [int(file.name.removeprefix("worker_")) for file in Path(tmp_path).glob("worker_*")]

    while len(workers()) < 2:
        assert command.poll() is None and time.monotonic() < end, command.communicate()
        time.sleep(0.01)
    assert [part.is_dir() for part in tmp_path.glob(".*.part.*")] == [True]
    second = Command("-m", "shared", *words, folder=ROOT)
    _, err = second.communicate()
    assert (second.returncode, err.count("\n")) == (1, 1)
    assert f"error: output: another process is making {tmp_path / 'data'}; wait for it, or choose another" in err
    command.send_signal(number)
    command.communicate()
    assert command.returncode == (-number if number == signal.SIGKILL else 128 + number)
    while any(psutil.pid_exists(worker) and psutil.Process(worker).status() != "zombie" for worker in workers()):
        assert time.monotonic() < end
        time.sleep(0.01)
    assert len([*tmp_path.glob(".*.part.*")]) == (number == signal.SIGKILL)
    again = Command("-m", "shared", *words, folder=ROOT)
    _, err = again.communicate()
    assert again.returncode == 0, err[-3000:]
    assert sorted(path.name for path in (tmp_path / "data").iterdir()) == ["datalist.json", "labels"]
    assert not [*tmp_path.glob(".*")]
