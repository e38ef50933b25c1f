"""How fast a bundle is: throughput, latency and memory."""

from .bundle import bench, format_bench

__all__ = ["bench", "format_bench"]
