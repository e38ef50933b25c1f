"""Times of steps that are repeated, and the memory they take."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import psutil
import torch

__all__ = ["PeakMemory", "measure", "summarise"]


def measure(
    steps: Mapping[str, Callable[[], Any]], device: torch.device, warmup: int, repeats: int
) -> dict[str, dict[str, Any]]:
    """Time several variants of a step in turn, so that what else the machine does meets all of them alike.

    Args:
        steps: variants by name.
        device: what is waited for after each step.
        warmup: rounds that are not counted.
        repeats: rounds that are, 1 at least.

    Returns:
        Per variant ``seconds``, a list, and ``peak_bytes``.
    """
    found: dict[str, dict[str, Any]] = {name: {"seconds": [], "peak_bytes": 0} for name in steps}
    for number in range(warmup + repeats):
        for name, step in steps.items():
            with PeakMemory(device) as memory:
                began = time.perf_counter()
                step()
                if device.type == "cuda":
                    torch.cuda.synchronize(device)
                seconds = time.perf_counter() - began
            if number >= warmup:
                found[name]["seconds"].append(seconds)
                found[name]["peak_bytes"] = max(found[name]["peak_bytes"], memory.peak)
    return found


def summarise(seconds: list[float], pictures: int) -> dict[str, float]:
    """Pictures per second, and the latency of a step in milliseconds: mean and true percentiles.

    Args:
        seconds: time of each step.
        pictures: pictures per step.

    Example:
        >>> summarise([0.1, 0.1, 0.4], pictures=2)["latency_ms_p50"]
        100.0
    """
    percentiles = {f"latency_ms_p{q}": 1000 * float(np.percentile(seconds, q)) for q in (50, 90, 99)}
    mean = statistics.fmean(seconds)
    return {"pictures_per_second": pictures / mean, "latency_ms_mean": 1000 * mean} | percentiles


class PeakMemory:
    """The most memory in use while the block runs: of the GPU's own allocator, or of the process on a CPU.

    Args:
        device: whose memory.
    """

    SECONDS_BETWEEN_LOOKS = 0.005

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.peak = 0
        self.done = threading.Event()
        self.thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> PeakMemory:
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)
        else:
            self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.device.type == "cuda":
            self.peak = torch.cuda.max_memory_allocated(self.device)
        else:
            self.done.set()
            self.thread.join()

    def _look(self) -> None:
        process = psutil.Process()
        while True:
            self.peak = max(self.peak, process.memory_info().rss)
            if self.done.wait(self.SECONDS_BETWEEN_LOOKS):
                return
