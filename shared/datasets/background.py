"""The background of a volume that is not 0 as it should be: of another value, of noise or ringing."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.ndimage import binary_dilation, binary_fill_holes, gaussian_filter

__all__ = ["MOST_FILLED", "Background", "clear_background"]

LEAST = 0.1  # of the voxels: so many of the value that all corners have are no brain
MOST_FILLED = 0.85  # share of voxels that are not 0; a brain fills half of its box, and three quarters of some slabs
BRIGHT = 99.9  # percentile that stands for the brain's brightest
FAINT = 0.02  # of that; a brain is brighter, but for a few voxels
UNEVEN = 0.3  # of what is faint or of the one value: so much of other values is noise
CALM = 0.2  # of the brightest: the corners of a head vary less, those of a crop within the brain do not
SMALLEST = 0.03  # share of voxels that a brain takes; less is a bright spot beside which all else is faint
DEVIATIONS = 5.0  # of the noise that is left after smoothing
EDGE = 2  # voxels that smoothing and ringing carry the brain outwards
CORNER = 16  # a corner is this part of a side


class Background(NamedTuple):
    """The value that became 0, and how far 99 of 100 voxels that became 0 had lain from it; 0 if none had."""

    level: float = 0.0
    noise: float = 0.0


def clear_background(values: np.ndarray) -> Background:
    """Set the background to 0 in place, where the skull was removed.

    It is 0 already as in the releases of BraTS, and nothing is changed, in two cases apart. The eight corners may have
    exactly one other value, which a tenth of the voxels or more have, and more than are 0: so are volumes of which a
    mean was subtracted, background and all. Or the background is of noise or of the ringing of splines: calm corners,
    and many faint voxels that are not of one value. Then the brain is what is not faint after smoothing, with its
    holes; at its outline faint voxels are none of it.

    Args:
        values: one modality, of floats.

    Shape:
        ``values`` (W, H, D).

    Example:
        >>> values = np.array([[[-3.5, 1.0, 0.5, 0.0, -3.5]]])
        >>> clear_background(values), values.tolist()
        (Background(level=-3.5, noise=0.0), [[[0.0, 1.0, 0.5, 0.0, 0.0]]])
    """
    if level := _level(values):
        values[values == level] = 0
        return Background(level)
    return _clear_noise(values)


def _level(values: np.ndarray) -> float:
    """The one value of the background, where it is not 0."""
    first, *others = values[np.ix_(*[(0, -1)] * 3)].ravel()
    if not first or any(corner != first for corner in others):
        return 0.0
    same, zero = (int(np.count_nonzero(values == value)) for value in (first, 0))
    is_background = LEAST * values.size <= same < values.size and same > zero
    return float(first) if is_background else 0.0


def _clear_noise(values: np.ndarray) -> Background:
    corners = _corners(values)
    level = float(np.median(corners))
    distance = np.abs(values - level)
    bright = np.percentile(distance[::2, ::2, ::2], BRIGHT)
    faint, same = (np.count_nonzero(distance <= most) for most in (FAINT * bright, 0))
    is_noisy = faint - same >= max(LEAST * values.size, UNEVEN * faint)
    if not is_noisy or np.percentile(np.abs(corners - level), 95) > CALM * bright:
        return Background()
    smooth = gaussian_filter(values, 1.0)
    corners = _corners(smooth)
    limit = max(FAINT * bright, DEVIATIONS * float(corners.std()))
    outside = ~binary_fill_holes(smooth > np.median(corners) + limit)
    outside |= binary_dilation(outside, iterations=EDGE) & (values < level + limit)
    if np.count_nonzero(outside) > (1 - SMALLEST) * values.size:
        return Background()
    noise = float(np.percentile(distance[outside], 99))
    values[outside] = 0
    return Background(level, noise)


def _corners(values: np.ndarray) -> np.ndarray:
    """The voxels of the eight corners."""
    depths = [max(1, side // CORNER) for side in values.shape]
    places = [np.r_[:depth, side - depth : side] for depth, side in zip(depths, values.shape, strict=True)]
    return values[np.ix_(*places)]
