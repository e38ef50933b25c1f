"""What PyTorch writes, complete or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from .atomic import atomic_path

__all__ = ["atomic_save"]


def atomic_save(path: str | Path, content: Any) -> None:
    """``torch.save`` under a temporary name that becomes ``path``.

    Args:
        path: file to write.
        content: state dicts, tensors, numbers.

    Raises:
        OSError: it cannot be written; given a path, ``torch.save`` would hide why.
    """
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        torch.save(content, file)
