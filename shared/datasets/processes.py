"""Work on many cases at once, in processes."""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from tqdm import tqdm

from ..errors import UserError

__all__ = ["map_in_processes"]


def map_in_processes(
    function: Callable[..., Any], jobs: Sequence[tuple[Any, ...]], workers: int, name: str, unit: str
) -> list[Any]:
    """Call ``function`` with each job, in several processes; a single worker is this process.

    Args:
        function: called with the arguments that a job holds; it must be at the top level of its module.
        jobs: one per case.
        workers: number of processes.
        name: what is done, for the progress bar.
        unit: what a job is, for the progress bar.

    Returns:
        The results, in the order of the jobs.

    Raises:
        UserError: a process was killed, as by a system that has no memory left.
    """
    workers = min(workers, len(jobs))
    with tqdm(total=len(jobs), desc=name, unit=unit, disable=None) as bar:
        if workers <= 1:
            results = []
            for job in jobs:
                results.append(function(*job))
                bar.update()
            return results
        # Ctrl-C reaches every process of the terminal: the workers end at once, and this one tidies up.
        pool = ProcessPoolExecutor(workers, initializer=signal.signal, initargs=(signal.SIGINT, signal.SIG_DFL))
        try:
            futures = [pool.submit(function, *job) for job in jobs]
            for _ in as_completed(futures):
                bar.update()
            return [future.result() for future in futures]
        except BrokenProcessPool as error:
            raise UserError("num_workers: a worker was killed, perhaps for want of memory; give fewer") from error
        finally:
            pool.shutdown(cancel_futures=True)
