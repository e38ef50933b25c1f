"""What a run was: `run.json`."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shlex
import sys
import time
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from .. import __version__
from ..atomic import atomic_write_json, remove_parts
from ..errors import UserError
from ..json_file import read_json
from .at_work import config_at_work
from .folder import claim_folder
from .options import is_command_line
from .processes import count_processes, from_first, is_first

__all__ = ["read_record", "record_run", "sha256_of"]

MAY_CHANGE = frozenset(  # knobs that leave a run what it was, or that record_run compares otherwise
    {"resume", "output_dir", "dataset_dir", "bundle_root", "num_workers", "cache_rate", "early_stop", "pretrained"}
    | {"log_interval", "checkpoint_interval", "_meta_"}
)
MAY_CHANGE_AT_INFERENCE = MAY_CHANGE | frozenset(  # beyond that: how it is computed, and what else is written
    {
        "skip_existing",
        "checkpoint",
        "checkpoints",
        "device",
        "amp",
        "engine",
        "batch_size",
        "save_probability",
        "save_overlay",
        "submission",
    }
)
RESUMED = "a resumed run keeps what it had; start a new one, with --pretrained if its weights are to be used"
CONTINUED = "results of both would lie in one folder; give another --output_dir"
PACKAGES = ("torch", "monai", "pytorch-ignite", "numpy", "scikit-image", "itk", "nibabel", "openvino")


def record_run(
    output_dir: str | Path,
    dataset_dir: str | Path,
    cases: Sequence[Any],
    seed: int | None = None,
    resume: bool | None = None,
    skip_existing: bool | None = None,
    checkpoint: str | Path | Sequence[str | Path] | None = None,
) -> None:
    """Claim the folder of a run and write ``run.json``: command, configuration, versions, machine, seed, data.

    It stands in ``run`` after all that can be checked beforehand, so that a mistake leaves no folder behind. A run
    that goes on adds to the list of its ``starts`` and must have the knobs that it had; one that is resumed also its
    data and number of processes, an inference the folder of its data. Of several processes the first does all this, and
    the others wait for it.

    Args:
        output_dir: folder of the run; new or empty, unless an earlier run goes on in it.
        dataset_dir: folder of the data; the SHA-256 of its ``datalist.json`` is recorded.
        cases: what will be worked on; recorded is their number.
        seed: seed of the run.
        resume: training: whether an earlier run goes on; None if it cannot.
        skip_existing: inference: whether an earlier run goes on; None if it cannot.
        checkpoint: evaluation and inference: file of the weights, or several, whose SHA-256 is recorded.

    Raises:
        UserError: the folder is not empty, there is nothing to resume, or what is to go on had other knobs, data or
            another number of processes.
    """
    mistake = None
    if is_first():
        try:
            _record(output_dir, dataset_dir, cases, seed, resume, skip_existing, checkpoint)
        except UserError as error:
            mistake = error
    if mistake := from_first(mistake):
        raise mistake


def _record(
    output_dir: str | Path,
    dataset_dir: str | Path,
    cases: Sequence[Any],
    seed: int | None,
    resume: bool | None,
    skip_existing: bool | None,
    checkpoint: str | Path | Sequence[str | Path] | None,
) -> None:
    path = Path(output_dir) / "run.json"
    if resume and not path.is_file():
        raise UserError(f"resume: there is no run in {output_dir}; name its folder with --output_dir")
    knob = "resume" if resume is not None else "skip_existing" if skip_existing is not None else None
    goes_on = bool(resume or skip_existing)
    has_begun = goes_on and path.is_file() and path.stat().st_size > 0  # nothing is in the claim of one that was killed
    earlier = read_record(path) if has_begun else {"starts": []}
    datalist = Path(dataset_dir) / "datalist.json"
    record = {
        "seed": seed,
        "data": {
            "dataset_dir": str(dataset_dir),
            "cases": len(cases),
            "datalist_sha256": sha256_of(datalist) if datalist.is_file() else None,
        },
        "checkpoint_sha256": _digest(checkpoint),
        "processes": count_processes(),
        "config": config_at_work(),
    }
    if resume and has_begun:
        _refuse_other_data(earlier, record)
        _refuse_other_knobs("resume", earlier, record, MAY_CHANGE, RESUMED)
    elif has_begun:
        _refuse_other_place(earlier, Path(dataset_dir))
        if earlier.get("checkpoint_sha256") != record["checkpoint_sha256"]:
            raise UserError(f"skip_existing: checkpoint holds other weights than before; {CONTINUED}")
        _refuse_other_knobs("skip_existing", earlier, record, MAY_CHANGE_AT_INFERENCE, CONTINUED)
    program = ["python", "-m", "monai.bundle"] if is_command_line() else ["python", *sys.argv[:1]]
    if "LOCAL_WORLD_SIZE" in os.environ:
        here, all_ = int(os.environ["LOCAL_WORLD_SIZE"]), int(os.environ["WORLD_SIZE"])
        machines = "--standalone" if here == all_ else f"--nnodes={all_ // here}"
        program[:1] = ["torchrun", machines, f"--nproc_per_node={here}"]
    start = {
        "time": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "command": shlex.join([*program, *sys.argv[1:]]),
        "working_directory": str(Path.cwd()),
        "versions": {"python": platform.python_version(), "shared": __version__} | _versions(),
        "hardware": _hardware(),
    }
    claim_folder(output_dir, knob, may_exist=goes_on)
    if goes_on:
        remove_parts(output_dir)
    try:
        atomic_write_json(path, record | {"starts": [*earlier["starts"], start]}, default=str)
    except OSError:
        if not goes_on:
            path.unlink(missing_ok=True)  # the claim
        raise


def read_record(path: Path) -> dict[str, Any]:
    """What ``run.json`` tells of a run.

    Raises:
        UserError: it is damaged, or none of a run.
    """
    record = read_json(path, "it is no record of a run")
    starts, data = (record.get(name) for name in ("starts", "data")) if isinstance(record, dict) else (None, None)
    texts = [data.get("dataset_dir")] if isinstance(data, dict) else [None]
    for start in starts if isinstance(starts, list) and starts else [None]:
        texts += [start.get(name) for name in ("command", "working_directory")] if isinstance(start, dict) else [None]
    if not all(isinstance(text, str) for text in texts) or not isinstance(record.get("config"), dict | None):
        raise UserError(f"{path}: no record of a run; name the folder of one, or another --output_dir")
    return record


def _refuse_other_data(earlier: dict[str, Any], now: dict[str, Any]) -> None:
    """A resumed run that changed would be neither the one nor the other."""
    if earlier["data"].get("datalist_sha256") != now["data"]["datalist_sha256"]:
        raise UserError(f"resume: dataset_dir holds other data than this run had; {RESUMED}")
    if (was := earlier.get("processes", 1)) != now["processes"]:
        raise UserError(f"resume: processes was {was}, now is {now['processes']}; {RESUMED}")


def _refuse_other_place(earlier: dict[str, Any], dataset_dir: Path) -> None:
    """A picture of the same name in another folder is another one; the folder may be named in another way."""
    was = (Path(earlier["starts"][-1]["working_directory"]) / earlier["data"]["dataset_dir"]).resolve()
    if was != dataset_dir.resolve():
        raise UserError(f"skip_existing: dataset_dir was {was}, now is {dataset_dir.resolve()}; {CONTINUED}")


def _refuse_other_knobs(
    option: str, earlier: dict[str, Any], now: dict[str, Any], may_change: frozenset[str], remedy: str
) -> None:
    """The results of one folder are to be of one kind."""
    before, after = earlier.get("config") or {}, now["config"] or {}
    if not before or not after:
        return  # called from Python
    for name in sorted((before.keys() | after.keys()) - may_change):
        was, is_ = (json.loads(json.dumps(config.get(name), default=str)) for config in (before, after))
        if was != is_ and str(was) != str(is_):  # 2019 on a command line is a number, in a file it may be a text
            values = "" if isinstance(was, (dict, list)) else f" was {was}, now is {is_}"
            raise UserError(f"{option}: {name}{values or ' is not what it was'}; {remedy}")


def _digest(checkpoint: str | Path | Sequence[str | Path] | None) -> Any:
    if checkpoint is None or isinstance(checkpoint, str | Path):
        return sha256_of(Path(checkpoint)) if checkpoint and Path(checkpoint).is_file() else None
    return [_digest(file) for file in checkpoint]


def sha256_of(path: Path) -> str:
    """By which a file is known again."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


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
