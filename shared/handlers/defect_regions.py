"""Connected regions of a picture of any size, found strip by strip."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import find_objects
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from skimage.measure import label

__all__ = ["Region", "Regions"]

STRIP = 2**20  # pixels that are labelled at a time


@dataclass(frozen=True)
class Region:
    """A connected region, or the part of one that lies in a strip, in pixels of the picture.

    Args:
        first: row and column of its first pixel, row by row.
        top, left, bottom, right: its box; bottom and right are the first row and column beyond.
        area: number of its pixels.
        rows, columns: sum of their rows and columns.
        total, peak: sum and maximum of their probabilities.
    """

    first: tuple[int, int]
    top: int
    left: int
    bottom: int
    right: int
    area: int
    rows: int
    columns: int
    total: float
    peak: float

    def __or__(self, other: Region) -> Region:
        """Both as one."""
        return Region(
            min(self.first, other.first),
            min(self.top, other.top),
            min(self.left, other.left),
            max(self.bottom, other.bottom),
            max(self.right, other.right),
            self.area + other.area,
            self.rows + other.rows,
            self.columns + other.columns,
            self.total + other.total,
            max(self.peak, other.peak),
        )


class Regions:
    """The connected regions (a pixel has eight neighbours) above a threshold that are large enough.

    Labels of a whole picture would take as much memory as its probabilities. Here the parts of a region in the strips
    of a picture are measured one by one, and those that touch across a border between strips are joined.

    Args:
        probability: it is looked at again by ``mask``.
        threshold: a pixel counts above it.
        min_area: of a region, in pixels.
        strip: pixels that are labelled at a time, at least one row.

    Shape:
        ``probability`` (H, W).

    Example:
        >>> found = Regions(np.array([[0.9, 0.0, 0.0], [0.0, 0.0, 0.7], [0.0, 0.8, 0.0]]), threshold=0.5, min_area=2)
        >>> [(region.top, region.left, region.area, region.peak) for region in found.regions]
        [(1, 1, 2, 0.8)]
        >>> np.vstack(list(found.mask())).astype(int)
        array([[0, 0, 0],
               [0, 0, 1],
               [0, 1, 0]])
    """

    def __init__(self, probability: np.ndarray, threshold: float, min_area: int, strip: int = STRIP) -> None:
        self.probability, self.threshold = probability, threshold
        self.rows = max(1, strip // probability.shape[1])
        parts, groups = self._parts()
        joined: dict[int, Region] = {}
        for group, part in zip(groups.tolist(), parts, strict=True):
            joined[group] = joined[group] | part if group in joined else part
        large = {group for group, region in joined.items() if region.area >= min_area}
        self.regions = sorted((joined[group] for group in large), key=lambda region: region.first)
        self.kept = np.array([False, *(group in large for group in groups.tolist())])  # by number of the part

    def mask(self) -> Iterator[np.ndarray]:
        """Whether a pixel belongs to a region, strip by strip from the top."""
        before = 0
        for _, labels, count in self._strips():
            numbers = np.r_[False, self.kept[before + 1 : before + 1 + count]]
            yield numbers[labels]
            before += count

    def _strips(self) -> Iterator[tuple[np.ndarray, np.ndarray, int]]:
        """Probabilities of each strip, its parts numbered from 1, and their number."""
        for top in range(0, len(self.probability), self.rows):
            values = np.ascontiguousarray(self.probability[top : top + self.rows])
            yield values, *label(values > self.threshold, return_num=True, connectivity=2)

    def _parts(self) -> tuple[list[Region], np.ndarray]:
        """All parts, and for each the number of the region to which it belongs."""
        parts: list[Region] = []
        pairs = [np.zeros((2, 0), int)]  # of parts that touch
        above = np.zeros(self.probability.shape[1], int)
        for strip, (values, labels, _) in enumerate(self._strips()):
            below = np.where(labels[0] > 0, labels[0] + len(parts), 0)
            pairs += [_both(above, below), _both(above[1:], below[:-1]), _both(above[:-1], below[1:])]
            above = np.where(labels[-1] > 0, labels[-1] + len(parts), 0)
            parts += _measure(values, labels, strip * self.rows)
        first, second = np.concatenate(pairs, axis=1) - 1
        touch = coo_array((np.ones(len(first), bool), (first, second)), shape=(len(parts), len(parts)))
        return parts, connected_components(touch, directed=False)[1] if parts else np.zeros(0, int)


def _both(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    both = np.stack([above, below])
    return np.unique(both[:, (both > 0).all(axis=0)], axis=1)


def _measure(values: np.ndarray, labels: np.ndarray, top: int) -> Iterator[Region]:
    """The parts of a strip. Only the box of each is looked at: a defect is small, a strip can be large."""
    for number, box in enumerate(find_objects(labels), start=1):
        inside = labels[box] == number
        row, column = (side.start for side in box)
        height, width = inside.shape
        found = values[box][inside]
        area = len(found)
        yield Region(
            first=(top + row, column + int(inside[0].argmax())),
            top=top + row,
            left=column,
            bottom=top + row + height,
            right=column + width,
            area=area,
            rows=(top + row) * area + int(np.arange(height) @ inside.sum(axis=1)),
            columns=column * area + int(np.arange(width) @ inside.sum(axis=0)),
            total=float(found.sum()),
            peak=float(found.max()),
        )
