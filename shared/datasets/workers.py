"""Work on many pictures at once."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tqdm import tqdm

from ..errors import UserError
from ..machine import most_workers

__all__ = ["count_workers", "map_in_threads"]


def count_workers(num_workers: int | None) -> int:
    """Number of workers that an option asks for: by default one per core.

    Raises:
        UserError: it is less than 1, or more than a machine can bear.
    """
    workers = (os.cpu_count() or 1) if num_workers is None else num_workers
    if workers < 1:
        raise UserError(f"num_workers: {workers} is too few; give 1 or more")
    if workers > (most := most_workers()):
        raise UserError(f"num_workers: {workers} is too many for this machine; give {most} or fewer")
    return workers


def map_in_threads(function: Callable[..., Any], jobs: Sequence[tuple[Any, ...]], workers: int, name: str) -> list[Any]:
    """Call ``function`` with each job, in several threads: decoding and counting are done outside Python.

    Args:
        function: called with the arguments that a job holds.
        jobs: one per picture.
        workers: number of threads.
        name: what is done, for the progress bar.

    Returns:
        The results, in the order of the jobs.
    """
    pool = ThreadPoolExecutor(workers)
    try:
        results = pool.map(lambda job: function(*job), jobs)
        return list(tqdm(results, desc=name, total=len(jobs), unit="picture", disable=None))
    finally:
        pool.shutdown(cancel_futures=True)
