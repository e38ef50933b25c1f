"""The figures of all cases of an evaluation, from all its processes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from monai.utils import evenly_divisible_all_gather

__all__ = ["gather_by_index"]


def gather_by_index(rows: Sequence[Sequence[float]], width: int) -> tuple[np.ndarray, np.ndarray]:
    """Join the rows of all processes; a case that several of them saw, to have equally many, counts once.

    Args:
        rows: of this process, a row per case; the first column is the case's ``index`` in the data list.
        width: number of columns, since a process may have seen no case.

    Returns:
        All rows, process after process, as float64, and which of them to count, by rising index.
    """
    own = torch.tensor(rows, dtype=torch.float64).reshape(-1, width)
    everyone = evenly_divisible_all_gather(own, concat=True).cpu().numpy()
    return everyone, np.unique(everyone[:, 0], return_index=True)[1]
