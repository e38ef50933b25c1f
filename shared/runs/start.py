"""The first entry of every `run` list."""

from __future__ import annotations

import sys
from pathlib import Path
from types import TracebackType

import torch

from ..errors import UserError
from .folder import claim_folder
from .options import check_options, is_command_line, merged_config, parse_options
from .record import write_record

__all__ = ["start_run"]


def start_run(
    bundle_root: str | Path,
    dataset_dir: str | Path,
    output_dir: str | Path,
    device: torch.device | str,
    may_exist: bool = False,
    knob: str = "resume",
    seed: int | None = None,
    at_least_one: dict[str, int | None] | None = None,
) -> None:
    """Check what was asked for before any long work, claim the run's folder and write its ``run.json``.

    On the command line it also makes a ``UserError`` end the process with one line instead of a traceback.

    Args:
        bundle_root: folder of the bundle.
        dataset_dir: folder of the data.
        output_dir: folder of the run; must be new or empty unless ``may_exist``.
        device: where the network runs.
        may_exist: whether ``output_dir`` may hold an earlier run.
        knob: name of the option behind ``may_exist``.
        seed: seed of the run, for the record.
        at_least_one: options that count something, with their values; None is left alone.

    Raises:
        UserError: an option does not exist or has a wrong value.
    """
    config = None
    if is_command_line():
        sys.excepthook = _one_line
        options = parse_options(sys.argv[1:])
        check_options(options)
        config = merged_config(options)
    if not (Path(bundle_root) / "configs").is_dir():
        raise UserError(f"bundle_root: {bundle_root} has no folder configs; name the folder of the bundle")
    if not Path(dataset_dir).exists():
        raise UserError(f"dataset_dir: {dataset_dir} does not exist; name the folder of your data")
    for name, value in (at_least_one or {}).items():
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
            raise UserError(f"{name}: {value!r} will not do; take a whole number of 1 or more")
    _check_device(device)
    claim_folder(output_dir, may_exist, knob)
    write_record(output_dir, dataset_dir, seed, config)


def _check_device(device: torch.device | str) -> None:
    try:
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise UserError(f"device: {device} cannot be used ({str(error).splitlines()[0]}); try --device cpu") from error


def _one_line(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    """Print a person's mistake as one line; MONAI has wrapped it in errors of its own that say less."""
    if kind is KeyboardInterrupt:  # who presses Ctrl-C knows where
        return
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, UserError):
            print(f"error: {cause}", file=sys.stderr)
            return
        cause = cause.__cause__ or cause.__context__
    sys.__excepthook__(kind, error, traceback)
