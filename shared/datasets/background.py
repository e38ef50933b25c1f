"""The background of a volume whose intensities were standardised, background and all."""

from __future__ import annotations

import numpy as np

__all__ = ["background_of"]

LEAST = 0.1  # of the voxels: so many of one value at the rim are no brain


def background_of(values: np.ndarray) -> float:
    """The value of the background, where the skull was removed.

    It is 0 as in the releases of BraTS, unless no voxel is 0 and a tenth of the voxels or more have exactly the value
    of the first voxel, a corner: so are volumes of which a mean was subtracted, background and all.

    Args:
        values: one modality.

    Returns:
        The background's value; 0 also where there is none.

    Shape:
        ``values`` (W, H, D).

    Example:
        >>> background_of(np.array([[[-3.5, -3.5, 1.0, 0.5]]]))
        -3.5
        >>> background_of(np.array([[[-3.5, -3.5, 1.0, 0.0]]]))
        0.0
    """
    corner = values.flat[0]
    is_background = not (values == 0).any() and (values == corner).mean() >= LEAST
    return float(corner) if is_background else 0.0
