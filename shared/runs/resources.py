"""Whether memory and disk suffice, before they are taken."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil
import torch
from PIL import Image

from ..errors import UserError

__all__ = ["check_resources"]

FLOAT = 4  # bytes
STATES = 4  # model.pt, two checkpoints and one being written ...
TENSORS = 3  # ... of weights and the optimiser's two moments


def check_resources(
    output_dir: str | Path,
    network: torch.nn.Module,
    cases: Sequence[dict[str, Any]],
    channels: int,
    cache_rate: float = 1.0,
) -> None:
    """Refuse a training run that would not fit, with the numbers and the knob to turn.

    Args:
        output_dir: where checkpoints go; their size follows from the network's.
        network: the network.
        cases: what will be cached; ``image`` names a picture, of which the header is read.
        channels: channels of a cached picture; its label is one more.
        cache_rate: share of the cases that is cached, in [0, 1].

    Raises:
        UserError: memory or disk does not suffice, or ``cache_rate`` is out of its range.
    """
    if not 0 <= cache_rate <= 1:
        raise UserError(f"cache_rate: {cache_rate} is out of range; take a share between 0 and 1")
    pixels = sum(_pixels(case["image"]) for case in cases)
    needed, free = cache_rate * pixels * (channels + 1) * FLOAT, psutil.virtual_memory().available
    if needed > free:
        fits = int(100 * cache_rate * free / needed) / 100
        raise UserError(
            f"cache_rate: caching {len(cases)} pictures takes {needed / 1e9:.1f} GB of memory, "
            f"{free / 1e9:.1f} GB are free; take --cache_rate {fits:.2f} or less"
        )
    weights = sum(parameter.numel() for parameter in network.parameters()) * FLOAT
    needed, free = STATES * TENSORS * weights, shutil.disk_usage(output_dir).free
    if needed > free:
        raise UserError(
            f"output_dir: checkpoints take {needed / 1e9:.2f} GB, the disk of {output_dir} has {free / 1e9:.2f} GB "
            "free; free some or name a folder on another disk"
        )


def _pixels(path: str) -> int:
    try:
        with Image.open(path) as picture:  # reads the header only
            return picture.width * picture.height
    except OSError:
        return 0  # not for Pillow; whoever reads it says what is wrong with it
