"""What comes first in every run."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import torch

from ..errors import UserError, in_short, message_behind
from ..staged import complete_release
from .at_work import take_paths_as_given, workflow_at_work
from .knobs import check_knobs
from .options import check_options, config_folders, is_command_line, merged_config, parse_options
from .processes import fails_first, is_first, is_group

__all__ = ["check_device", "read_options", "start_run"]


def read_options() -> None:
    """Take what was asked for as it was given, and refuse what nothing uses; before anything is made of it.

    On the command line it also makes a ``UserError`` or a full disk end the process with one line instead of a
    traceback; of several processes the first that fails says why, and only the first of all logs.

    Raises:
        UserError: an option does not exist, or a path reads as something else.
    """
    options: dict[str, Any] = {}
    if is_command_line():
        sys.excepthook = _one_line
        if not is_first():
            logging.disable(logging.WARNING)
        options = parse_options(sys.argv[1:])
    if workflow := workflow_at_work():
        parser = workflow.parser
        config = merged_config(options) if options else parser.get()
        bundle = Path(str(config["bundle_root"])) / "configs"
        folders = {Path(workflow.config_root_path), bundle, *config_folders(options)}
        check_options(config, folders, options, {workflow.init_id, workflow.run_id, workflow.final_id})
        take_paths_as_given(parser, config if options else None)


def start_run(
    bundle_root: str,
    dataset_dir: str,
    device: torch.device | str,
    knobs: Mapping[str, Any],
    torchrun: bool = False,
) -> None:
    """Check what was asked for before any work; nothing is written.

    Args:
        bundle_root: folder of the bundle.
        dataset_dir: folder of the data, or one picture.
        device: where the network runs.
        knobs: values of the other knobs by name.
        torchrun: whether the configuration is one for several processes.

    Raises:
        UserError: an option does not exist or has a value that cannot be meant.
    """
    _check_processes(torchrun)
    check_knobs({"bundle_root": bundle_root, "dataset_dir": dataset_dir, **knobs})
    if not (Path(bundle_root) / "configs").is_dir():
        raise UserError(f"bundle_root: {bundle_root} has no folder configs; name the folder of the bundle")
    if complete_release(bundle_root):
        raise UserError(
            f"bundle_root: a release into {bundle_root} had been cut short, and is complete now; repeat the command"
        )
    if not Path(dataset_dir).exists():
        raise UserError(f"dataset_dir: {dataset_dir} does not exist; name the folder of your data")
    check_device(device)


def check_device(device: torch.device | str) -> torch.device:
    """The device with its number, on which a tensor was put; a process of several makes it its own.

    Args:
        device: ``cpu``, ``cuda`` or ``cuda:1``.

    Raises:
        UserError: it is not there, or neither a processor nor a GPU of CUDA's.
    """
    try:
        kind = torch.empty(1, device=device).device
        if kind.type == "cuda" and is_group():  # where processes exchange what they know
            torch.cuda.set_device(kind)
    except (RuntimeError, AssertionError, TypeError, ValueError) as error:
        reason = in_short(error)
        raise UserError(f"device: {device} cannot be used ({reason}); try --device cpu") from error
    if kind.type not in ("cpu", "cuda"):  # Apple's has no float64, in which scores are computed
        raise UserError(f"device: {device} is neither cpu nor cuda; try --device cpu")
    return kind


def _check_processes(torchrun: bool) -> None:
    """Processes and configuration must both be several or both single, or each process would do the whole work."""
    if torchrun and not is_group():
        raise UserError(
            "config_file: multi_gpu_train.json is for several processes; put `torchrun --standalone "
            "--nproc_per_node=2` in the place of `python`, or leave the file out"
        )
    if not torchrun and int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise UserError(
            "config_file: several processes were started, this configuration is for one; name multi_gpu_train.json as "
            "the last file, or put `python` in the place of `torchrun`"
        )


def _one_line(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    """Print what a person can put right as one line; MONAI has wrapped it in errors of its own that say less."""
    if kind is KeyboardInterrupt or not fails_first():  # who presses Ctrl-C knows where
        return
    if message := message_behind(error):
        print(f"error: {message}", file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, traceback)
