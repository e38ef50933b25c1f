"""Heads without a look: which tissue each voxel is, with a tumour or without."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

import numpy as np

__all__ = ["Head", "Tissue", "draw_head", "grow_tumour", "smooth_noise"]

HALF_AXES = (0.29, 0.36, 0.45)  # of the brain, relative to the volume, as in BraTS
CORTEX = 0.1  # thickness, relative to the brain's radius; the rest of the numbers below likewise
SULCUS = 0.28  # depth
GYRUS = 0.17  # from one sulcus to the next


class Tissue(IntEnum):
    """What a voxel is made of."""

    OUTSIDE = 0
    CSF = 1
    GREY = 2
    WHITE = 3
    VESSEL = 4
    LESION = 5  # of old age: bright in T2 and FLAIR as oedema is, and no tumour
    CORE = 6  # necrotic, or not enhancing
    OEDEMA = 7
    ENHANCING = 8


class Head(NamedTuple):
    """Tissues in a box around the brain.

    ``tissue`` holds a ``Tissue`` per voxel of the box, ``window`` is the box in the volume. ``place`` holds coordinates
    along each axis, 0 in the brain's middle and about 1 on its surface; they broadcast to the box.
    """

    tissue: np.ndarray
    window: tuple[slice, ...]
    place: tuple[np.ndarray, ...]

    @property
    def radius(self) -> float:
        """Of the brain, in voxels."""
        return float(np.mean([1 / abs(axis.ravel()[1] - axis.ravel()[0]) for axis in self.place]))


def draw_head(random: np.random.Generator, shape: tuple[int, int, int]) -> Head:
    """Draw a brain: cortex with sulci, white matter, ventricles, deep grey matter, a sinus and lesions of old age.

    Args:
        random: source of all chance.
        shape: voxels to the left, to the back and upwards.
    """
    half_axes = [side * share * random.uniform(0.94, 1.02) for side, share in zip(shape, HALF_AXES, strict=True)]
    window = tuple(
        slice(max(0, int(side / 2 - 1.12 * half)), min(side, int(side / 2 + 1.12 * half) + 1))
        for side, half in zip(shape, half_axes, strict=True)
    )
    grid = np.ogrid[window]
    x, y, z = place = tuple(
        (axis - (side - 1) / 2) / half for axis, side, half in zip(grid, shape, half_axes, strict=True)
    )
    box = tuple(part.stop - part.start for part in window)
    head = Head(np.full(box, Tissue.WHITE, np.uint8), window, place)
    size = head.radius

    # Left and right differ a little; the brain is narrower in front and flat below.
    radius = np.sqrt((x * (1 - 0.12 * y)) ** 2 + y**2 + np.where(z < 0, 1.25 * z, z) ** 2)
    depth = 1 - radius * (1 + 0.025 * smooth_noise(random, box, 0.5 * size))
    fold = np.abs(smooth_noise(random, box, GYRUS * size))
    tissue = head.tissue
    folded = depth < SULCUS
    tissue[(depth < CORTEX) | (folded & (fold < 0.5))] = Tissue.GREY
    tissue[(folded & (fold < 0.16)) | (depth < 0.025)] = Tissue.CSF
    tissue[(np.abs(x) < 0.02) & (depth < 0.45) & (z > -0.1)] = Tissue.CSF

    wide = random.uniform(0.8, 1.3)
    for side in (-1, 1):
        nucleus = ((x - side * 0.3) / 0.12) ** 2 + ((y + 0.05) / 0.25) ** 2 + ((z - 0.02) / 0.18) ** 2 < 1
        horn = x - side * (0.13 + 0.15 * y**2)
        ventricle = (horn / (0.08 * wide)) ** 2 + (y / 0.5) ** 2 + ((z - 0.2 + 0.2 * y**2) / (0.14 * wide)) ** 2 < 1
        tissue[nucleus] = Tissue.GREY
        tissue[ventricle] = Tissue.CSF
    for _ in range(random.integers(0, 5)):
        middle = (
            random.choice([-1, 1]) * random.uniform(0.25, 0.45),
            random.uniform(-0.5, 0.5),
            random.uniform(0.2, 0.5),
        )
        lesion = _distance(place, middle) < random.uniform(0.03, 0.06)
        tissue[lesion & (tissue == Tissue.WHITE)] = Tissue.LESION
    tissue[(np.hypot(x / 0.035, (depth - 0.03) / 0.04) < 1) & (z > 0.1)] = Tissue.VESSEL
    tissue[depth < 0] = Tissue.OUTSIDE
    return head


def grow_tumour(random: np.random.Generator, head: Head, high_grade: bool) -> None:
    """Let a tumour grow in a head, in place.

    One of high grade is a necrotic core within an enhancing rim, with gaps, within oedema that follows the white
    matter. One of low grade is mostly core that does not enhance; in half of them a part does.

    Args:
        random: source of all chance.
        head: without a tumour.
        high_grade: glioblastoma, or a glioma of grade II to III.
    """
    tissue, size = head.tissue, head.radius
    direction = random.standard_normal(3)
    direction *= random.uniform(0.3, 0.55) / np.linalg.norm(direction)
    direction[0] += np.copysign(0.1, direction[0])  # seldom in both hemispheres
    stretch = random.uniform(0.8, 1.25, 3)
    reach = random.uniform(0.35, 0.55)
    wavy = smooth_noise(random, tissue.shape, 0.3 * size)
    distance = _distance(head.place, direction, stretch) / reach * (1 + 0.17 * wavy)
    patchy = smooth_noise(random, tissue.shape, 0.15 * size)

    brain = tissue != Tissue.OUTSIDE
    core = random.uniform(0.55, 0.75) if high_grade else random.uniform(0.7, 0.85)
    inside = distance < core
    rim = core + max(0.1, 1.8 / (reach * size))  # one voxel at least, also where there is no white matter
    white = (tissue == Tissue.WHITE) | (tissue == Tissue.LESION)
    spread = ((distance < 1) & white) | (distance < rim)
    if high_grade:
        enhancing = inside & (distance > core * (random.uniform(0.6, 0.75) + 0.08 * patchy)) & (patchy > -1.6)
    else:
        enhancing = inside & (distance < 0.7 * core) & (patchy > 0.8) & bool(random.random() < 0.5)
    tissue[spread & brain] = Tissue.OEDEMA
    tissue[inside & brain] = Tissue.CORE
    tissue[enhancing & brain] = Tissue.ENHANCING


def smooth_noise(random: np.random.Generator, shape: tuple[int, ...], period: float) -> np.ndarray:
    """Smooth noise of mean 0 and standard deviation 1, with a new value about every ``period`` voxels.

    Args:
        random: source of all chance.
        shape: of the noise, three sides.
        period: in voxels, 1 at least.
    """
    # A sum of Gaussian bumps on a coarse grid: one matrix per axis, which is much faster than splines in 3-D. Double
    # precision, so that rounding gives the same on every machine.
    first, second, third = (_bumps(side, max(period, 1.0)) for side in shape)
    nodes = random.standard_normal((first.shape[1], second.shape[1], third.shape[1]))
    return np.matmul(second, np.tensordot(first, nodes, 1)) @ third.T


def _bumps(side: int, period: float) -> np.ndarray:
    nodes = period * (np.arange(int(np.ceil(side / period)) + 5) - 2)
    bumps = np.exp(-2 * ((np.arange(side)[:, None] - nodes) / period) ** 2)
    return bumps / np.linalg.norm(bumps, axis=1, keepdims=True)


def _distance(
    place: tuple[np.ndarray, ...], middle: np.ndarray | tuple, stretch: np.ndarray | float = 1.0
) -> np.ndarray:
    """From a point, in radii of the brain, each axis stretched."""
    stretches = np.broadcast_to(stretch, 3)
    x, y, z = ((axis - centre) * s for axis, centre, s in zip(place, middle, stretches, strict=True))
    return np.sqrt(x**2 + y**2 + z**2)
