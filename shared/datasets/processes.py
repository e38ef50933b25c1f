"""Work on many cases at once, in processes."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from tqdm import tqdm

from ..errors import UserError

__all__ = ["map_in_processes"]

SECONDS_BETWEEN_LOOKS = 0.2


def map_in_processes(
    function: Callable[..., Any],
    jobs: Sequence[tuple[Any, ...]],
    workers: int,
    name: str,
    unit: str,
    sizes: Sequence[int] | None = None,
) -> list[Any]:
    """Call ``function`` with each job, in several processes; a single worker is this process.

    Args:
        function: called with the arguments that a job holds; it must be at the top level of its module.
        jobs: one per case, or per several.
        workers: number of processes.
        name: what is done, for the progress bar.
        unit: what a job is, or consists of, for the progress bar.
        sizes: how many units each job has; by default one.

    Returns:
        The results, in the order of the jobs.

    Raises:
        UserError: a process was killed, as by a system that has no memory left.
    """
    sizes = [1] * len(jobs) if sizes is None else sizes
    workers = min(workers, len(jobs))
    results: list[Any] = [None] * len(jobs)
    with tqdm(total=sum(sizes), desc=name, unit=unit, disable=None) as bar:
        if workers <= 1:
            for number, job in enumerate(jobs):
                results[number] = function(*job)
                bar.update(sizes[number])
            return results
        others = multiprocessing.active_children()
        pool = ProcessPoolExecutor(workers, initializer=_begin)
        try:
            numbers = {pool.submit(function, *job): number for number, job in enumerate(jobs)}
            for future in as_completed(numbers):
                number = numbers[future]
                results[number] = future.result()
                bar.update(sizes[number])
            return results
        except BrokenProcessPool as error:
            raise UserError("num_workers: a worker was killed, perhaps for want of memory; give fewer") from error
        except (KeyboardInterrupt, SystemExit):  # else the shutdown would wait for what they are at
            for worker in multiprocessing.active_children():
                if worker not in others:
                    worker.terminate()
            raise
        finally:
            pool.shutdown(cancel_futures=True)


def _begin() -> None:
    """Make a worker end with the process that it works for, even if that is killed.

    Ctrl-C reaches every process of the terminal: the workers end at once, and the first one tidies up.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()


def _end_with(parent: int) -> None:
    while os.getppid() == parent:  # the pipes of multiprocessing tell nothing, since workers inherit their other ends
        time.sleep(SECONDS_BETWEEN_LOOKS)
    os._exit(1)
