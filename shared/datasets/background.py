"""The background of a volume whose intensities were standardised, background and all."""

from __future__ import annotations

import numpy as np

__all__ = ["MOST_FILLED", "background_of"]

LEAST = 0.1  # of the voxels: so many of the value that all corners have are no brain
MOST_FILLED = 0.85  # share of voxels that are not 0; a brain fills half of its box, and three quarters of some slabs


def background_of(values: np.ndarray) -> float:
    """The value of the background, where the skull was removed.

    It is 0 as in the releases of BraTS, unless the eight corners have exactly one other value, which a tenth of the
    voxels or more have, and more than are 0: so are volumes of which a mean was subtracted, background and all.

    Args:
        values: one modality.

    Returns:
        The background's value; 0 also where there is none.

    Shape:
        ``values`` (W, H, D).

    Example:
        >>> background_of(np.array([[[-3.5, 1.0, 0.5, 0.0, -3.5]]]))
        -3.5
        >>> background_of(np.array([[[0.0, 1.0, 0.5, 0.0]]]))
        0.0
    """
    first, *others = values[np.ix_(*[(0, -1)] * 3)].ravel()
    if not first or any(corner != first for corner in others):
        return 0.0
    same, zero = (int(np.count_nonzero(values == value)) for value in (first, 0))
    is_background = LEAST * values.size <= same < values.size and same > zero
    return float(first) if is_background else 0.0
