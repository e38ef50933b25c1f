"""Modalities that are there by name alone: of one value, or copies of others."""

from __future__ import annotations

import numpy as np

__all__ = ["find_copies", "is_flat"]

ROUNDING = 1e-5  # of the value: what resampling and compression leave of one value
ALIKE = 0.9999  # correlation; those of one head stay below 0.99


def is_flat(values: np.ndarray) -> bool:
    """Whether a modality has one value at most inside the brain, of which normalisation leaves nothing.

    Args:
        values: one modality, 0 outside the brain.

    Example:
        >>> is_flat(np.array([0.0, 7, 7])), is_flat(np.array([0.0, 7, 8]))
        (True, False)
    """
    brain = values[values != 0]
    return brain.size == 0 or bool(brain.max() - brain.min() <= ROUNDING * np.abs(brain).max())


def find_copies(image: np.ndarray) -> np.ndarray:
    """Find modalities that hold what another holds, whatever the scale, which normalisation takes away.

    Args:
        image: the modalities, 0 outside the brain.

    Returns:
        For each the number of the first that it repeats, else -1.

    Shape:
        ``image`` (C, W, H, D), the result (C,).

    Example:
        >>> find_copies(np.array([[[[0, 3, 4]]], [[[0, 4, 3]]], [[[0, 6, 8]]], [[[0, 0, 0]]]])).tolist()
        [-1, -1, 0, -1]
    """
    copy_of = np.full(len(image), -1)
    brain = (image != 0).any(axis=0)
    values = image[:, brain]
    there = [number for number, modality in enumerate(values) if modality.size and np.ptp(modality) > 0]
    if len(there) > 1:
        alike = np.corrcoef(values[there]) > ALIKE
        for place, number in enumerate(there):
            first = int(np.argmax(alike[place]))
            if first < place:
                copy_of[number] = there[first]
    return copy_of
