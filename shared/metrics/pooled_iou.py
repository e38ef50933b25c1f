"""The figure that pytorch-nested-unet reports as IoU."""

from __future__ import annotations

import numpy as np

__all__ = ["pooled_iou"]

SMOOTH = 1e-5


def pooled_iou(intersections: np.ndarray, unions: np.ndarray, group_size: int = 16) -> float:
    """Intersection over union of consecutive groups of pictures, each pooled over all its pixels.

    The value of a group is ``(I + 1e-5) / (U + 1e-5)``; groups count by their number of pictures, the last may be
    smaller. Large foregrounds dominate a group, and the figure depends on size and order of the groups.

    Args:
        intersections: pixels in truth and prediction, per picture.
        unions: pixels in truth or prediction.
        group_size: pictures per group; the reference's batch size.

    Shape:
        Both (N,) with N at least 1.

    Raises:
        ValueError: no picture, or a group of none.

    Reference:
        ``iou_score`` and ``AverageMeter`` of the program 4uiiurz1/pytorch-nested-unet.

    Example:
        >>> round(pooled_iou(np.array([1, 3, 1]), np.array([2, 6, 1]), group_size=2), 4)
        0.6667
    """
    if len(intersections) == 0 or group_size < 1:
        raise ValueError(f"a picture and a group of 1 are the least, got {len(intersections)} and {group_size}")
    starts = np.arange(0, len(intersections), group_size)
    sizes = np.diff([*starts, len(intersections)])
    pooled = (np.add.reduceat(intersections, starts) + SMOOTH) / (np.add.reduceat(unions, starts) + SMOOTH)
    return float(np.average(pooled, weights=sizes))
