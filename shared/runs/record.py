"""What a run was: `run.json`."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shlex
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from .. import __version__
from ..atomic import atomic_write_text
from .options import is_command_line

__all__ = ["write_record"]

PACKAGES = ("torch", "monai", "pytorch-ignite", "numpy", "scikit-image", "itk", "nibabel", "openvino")


def write_record(
    output_dir: str | Path, dataset_dir: str | Path, seed: int | None, config: dict[str, Any] | None
) -> None:
    """Write ``run.json``: command, configuration, versions, machine, seed and a fingerprint of the data.

    A run that is resumed adds to the list of its ``starts``.

    Args:
        output_dir: folder of the run.
        dataset_dir: folder of the data; the SHA-256 of its ``datalist.json`` is the fingerprint.
        seed: seed of the run.
        config: merged configuration, None when the run was called from Python and it is not known.
    """
    path = Path(output_dir) / "run.json"
    earlier = json.loads(path.read_text(encoding="utf-8"))["starts"] if path.is_file() else []
    datalist = Path(dataset_dir) / "datalist.json"
    program = ["-m", "monai.bundle"] if is_command_line() else sys.argv[:1]
    start = {
        "time": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "command": shlex.join(["python", *program, *sys.argv[1:]]),
        "working_directory": str(Path.cwd()),
        "versions": {"python": platform.python_version(), "shared": __version__} | _versions(),
        "hardware": _hardware(),
    }
    record = {
        "seed": seed,
        "data": {
            "dataset_dir": str(dataset_dir),
            "datalist_sha256": hashlib.sha256(datalist.read_bytes()).hexdigest() if datalist.is_file() else None,
        },
        "starts": [*earlier, start],
        "config": config,
    }
    atomic_write_text(path, json.dumps(record, indent=1, default=str) + "\n")


def _versions() -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = None
    return found


def _hardware() -> dict[str, Any]:
    return {
        "machine": platform.machine(),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "torch_threads": torch.get_num_threads(),
        "gpus": [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())],
    }
