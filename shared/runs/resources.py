"""Whether memory and disk suffice, before they are taken."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from ..errors import UserError
from ..machine import free_memory

__all__ = ["check_resources"]

FLOAT = 4  # bytes
STATES = 4  # model.pt, two checkpoints and one being written ...
TENSORS = 3  # ... of weights and the optimiser's two moments


def check_resources(
    output_dir: str | Path,
    network: torch.nn.Module,
    cases: Sequence[dict[str, Any]],
    channels: int = 1,
    cache_rate: float = 1.0,
    sample: Mapping[str, Any] | None = None,
) -> None:
    """Refuse a training run that would not fit, with the numbers and the knob to turn.

    Args:
        output_dir: where checkpoints go; their size follows from the network's.
        network: the network.
        cases: what will be cached; ``image`` names a picture, of which the header is read.
        channels: channels of a cached picture; its label is one more.
        cache_rate: share of the cases that is cached, in [0, 1].
        sample: a case as the cache holds it, where headers do not tell how much that is; the others count as it does.

    Raises:
        UserError: memory or disk does not suffice.
    """
    if sample is None:
        size = sum(_pixels(case["image"]) for case in cases) * (channels + 1) * FLOAT
    else:
        size = len(cases) * sum(value.nbytes for value in sample.values() if isinstance(value, torch.Tensor))
    # Processes on one machine share its memory. Given a sample, each caches its share of the cases; else each all.
    processes = int(os.environ.get("LOCAL_WORLD_SIZE", "1")) if sample is None else 1
    needed, free = cache_rate * size * processes, free_memory()
    if needed > free:
        fits = int(100 * cache_rate * free / needed) / 100
        raise UserError(
            f"cache_rate: caching {len(cases)} cases takes {needed / 1e9:.1f} GB of memory, "
            f"{free / 1e9:.1f} GB are free; take --cache_rate {fits:.2f} or less"
        )
    output_dir = next(folder for folder in (Path(output_dir), *Path(output_dir).resolve().parents) if folder.exists())
    weights = sum(parameter.numel() for parameter in network.parameters()) * FLOAT
    needed, free = STATES * TENSORS * weights, shutil.disk_usage(output_dir).free
    if needed > free:
        raise UserError(
            f"output_dir: checkpoints take {needed / 1e9:.2f} GB, the disk of {output_dir} has {free / 1e9:.2f} GB "
            "free; free some or name a folder on another disk"
        )


def _pixels(path: str) -> int:
    limit = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = None  # only the header is read; the reader has a limit of its own
    try:
        with Image.open(path) as picture:
            return picture.width * picture.height
    except OSError:
        return 0  # not for Pillow; whoever reads it says what is wrong with it
    finally:
        Image.MAX_IMAGE_PIXELS = limit
