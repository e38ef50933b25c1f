"""The commands of `python -m shared` and how they end."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from .cli_bundle import bench, calibrate, export, folds, pack, release
from .cli_data import (
    prepare_brats,
    prepare_dagm,
    prepare_dsb,
    prepare_folder,
    prepare_join,
    synthesize_brats,
    synthesize_dagm,
    synthesize_dsb,
    synthesize_surfaces,
)
from .command_line import UsageError, run_command
from .errors import message_behind
from .stop_signals import StopSignals

__all__ = ["main"]

COMMANDS: dict[str, dict[str, Callable[..., str]] | Callable[..., str]] = {
    "bench": bench,
    "calibrate": calibrate,
    "folds": folds,
    "release": release,
    "export": export,
    "pack": pack,
    "prepare": {
        "brats": prepare_brats,
        "dagm": prepare_dagm,
        "dsb": prepare_dsb,
        "folder": prepare_folder,
        "join": prepare_join,
    },
    "synthesize": {
        "brats": synthesize_brats,
        "dagm": synthesize_dagm,
        "dsb": synthesize_dsb,
        "surfaces": synthesize_surfaces,
    },
}
SUMMARIES = {
    "calibrate": "find the threshold at which the mistakes of an inspection cost least",
    "folds": "bring the scores of a cross-validation together: each fold, mean, standard deviation",
    "release": "turn a training run, or weights of another program, into weights of a bundle",
    "export": "write a bundle's network as ONNX, and compare it with PyTorch",
    "pack": "put a bundle and the code that it needs into one archive that runs alone",
    "bench": "measure how fast a bundle trains, infers, loads data or does whole cases",
    "prepare": "turn a data set as downloaded, or your own, into one to train on",
    "synthesize": "draw a learnable stand-in for a data set, in its raw layout",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code: 0 done, 1 a mistake in data or environment, 2 a wrong command line."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    signals = StopSignals()
    signals.take()  # what is half made is deleted then
    try:
        return run_command(words, COMMANDS, SUMMARIES)
    except UsageError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted; no file is half-written", file=sys.stderr)
        return 130
    except Exception as error:
        if not (message := message_behind(error)):
            raise
        print(f"error: {message}", file=sys.stderr)
        return 1
    finally:
        signals.give_back()
