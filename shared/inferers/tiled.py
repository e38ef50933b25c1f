"""Pictures of any size: whole where they fit, in overlapping tiles where they do not."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from monai.data import MetaTensor
from monai.data.utils import compute_importance_map, dense_patch_slices
from monai.inferers import Inferer
from monai.utils import convert_to_dst_type
from torch.nn import functional
from torch.utils import _pytree as pytree

from ..networks import Geometry, geometry_of
from .lazy_normalization import Moments
from .network_call import module_behind

__all__ = ["TiledInferer"]

STRIP = 2**20  # pixels or voxels whose weights are summed at a time


class TiledInferer(Inferer):
    """Sliding window whose window grows with the picture up to ``max_tile``.

    MONAI's ``SlidingWindowInferer`` has one window size: large, and small pictures are mostly padding; small, and large
    pictures are mostly overlap. Here the window is the picture itself, rounded up to what the network takes
    (``geometry_of``), and only pictures beyond ``max_tile`` are cut. Padding repeats the border. The result is MONAI's
    to the last bit, with gaussian weights.

    It takes less memory than MONAI's: of the picture's size there is the result alone. The weights are summed strip by
    strip, and a picture whose normalisation was put off (``LazyNormalizeIntensityd``) is normalised window by window.

    Args:
        max_tile: longest side of a window in pixels or voxels, a multiple of ``divisor``.
        divisor: what every side of a window must be a multiple of besides, also where the network does not tell.
        overlap: share of a window that it has in common with the next, in [0, 1).
        batch_size: windows per call of the network.

    Raises:
        ValueError: an argument is out of its range; at work, whole numbers that are to be normalised by nobody, or a
            network whose output has another batch or size than its input.

    Shape:
        Input ``(N, C, *spatial)``; each output of the network has the spatial size of its input, and so has each of
        this. Lists, tuples and dictionaries of outputs are kept.
    """

    def __init__(self, max_tile: int = 1024, divisor: int = 16, overlap: float = 0.125, batch_size: int = 1) -> None:
        super().__init__()
        if divisor < 1 or max_tile < divisor or max_tile % divisor:
            raise ValueError(f"max_tile must be a multiple of divisor, got {max_tile} and {divisor}")
        if not 0 <= overlap < 1:
            raise ValueError(f"overlap must lie in [0, 1), got {overlap}")
        if batch_size < 1:
            raise ValueError(f"batch_size must be 1 at least, got {batch_size}")
        self.max_tile, self.divisor, self.overlap, self.batch_size = max_tile, divisor, overlap, batch_size

    def window(self, spatial_size: Sequence[int], geometry: Geometry | None = None) -> tuple[int, ...]:
        """Side lengths of the window for a picture of ``spatial_size``.

        Args:
            spatial_size: sides of the picture.
            geometry: of the network, if it is known.

        Example:
            >>> TiledInferer(max_tile=64).window((1, 33, 1000))
            (16, 48, 64)
            >>> TiledInferer(max_tile=64).window((1, 33, 1000), Geometry(modulus=(24, 4, 4), least=(24, 4, 64)))
            (48, 48, 64)
        """
        modulus, least = geometry or Geometry((1,) * len(spatial_size), (1,) * len(spatial_size))
        window = []
        for side, own, shortest in zip(spatial_size, modulus, least, strict=True):
            step = math.lcm(self.divisor, own)
            most = self.max_tile // step * step
            window.append(max(min(most, _up(side, step)), _up(shortest, step)))
        return tuple(window)

    def __call__(self, inputs: torch.Tensor, network: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        pictures, moments = torch.as_tensor(inputs).as_subclass(torch.Tensor), Moments(inputs)
        sides = inputs.shape[2:]
        module = module_behind(network)
        geometry = None if module is None else geometry_of(module, inputs.shape[1], len(sides))
        grid = _grid(sides, self.window(sides, geometry), self.overlap)
        weights = compute_importance_map(grid.window, mode="gaussian", device=inputs.device)[grid.inside]
        windows = [(number, place) for number in range(len(pictures)) for place in grid.places]
        sums: list[torch.Tensor] = []
        for start in range(0, len(windows), self.batch_size):
            chosen = windows[start : start + self.batch_size]
            seen = [moments.normalize(n, pictures[(slice(n, n + 1), slice(None), *place)]) for n, place in chosen]
            batch = functional.pad(torch.cat(seen) if len(seen) > 1 else seen[0], grid.padding, mode="replicate")
            outputs, nesting = pytree.tree_flatten(network(batch, *args, **kwargs))
            for output in outputs:
                if (len(output), *output.shape[2:]) != (len(batch), *grid.window):
                    shapes = f"{tuple(output.shape)} of {tuple(batch.shape)}"
                    raise ValueError(f"network must give the batch and the sides of its input, got {shapes}")
            if not sums:
                sums = [output.new_zeros((len(pictures), output.shape[1], *sides)) for output in outputs]
            for total, output in zip(sums, outputs, strict=True):
                for (number, place), piece in zip(chosen, output[(..., *grid.inside)], strict=True):
                    total[number][(slice(None), *place)] += piece * weights
        for total in sums:
            _divide_by_weights(total, grid.places, weights)
        if isinstance(inputs, MetaTensor):
            sums = [convert_to_dst_type(total, inputs, dtype=total.dtype)[0] for total in sums]
        return pytree.tree_unflatten(sums, nesting)


def _up(side: int, step: int) -> int:
    """The next multiple of ``step``."""
    return -(-side // step) * step


class _Grid(NamedTuple):
    """Where the windows lie.

    Args:
        window: their side lengths.
        places: what each covers of the picture, row by row.
        inside: the part of a window that is picture; the rest is padding.
        padding: as ``torch.nn.functional.pad`` takes it.
    """

    window: tuple[int, ...]
    places: list[tuple[slice, ...]]
    inside: tuple[slice, ...]
    padding: list[int]


def _grid(sides: Sequence[int], window: tuple[int, ...], overlap: float) -> _Grid:
    padded = [max(pair) for pair in zip(sides, window, strict=True)]
    steps = [w if w == side else max(1, int(w * (1 - overlap))) for side, w in zip(padded, window, strict=True)]
    # A side that needs padding has one window, from 0 to beyond the picture's end.
    places = [
        tuple(slice(part.start, min(part.stop, side)) for part, side in zip(place, sides, strict=True))
        for place in dense_patch_slices(padded, window, steps)
    ]
    missing = [p - side for p, side in zip(padded, sides, strict=True)]
    inside = tuple(slice(m // 2, m // 2 + min(pair)) for m, *pair in zip(missing, sides, window, strict=True))
    padding = [part for m in reversed(missing) for part in (m // 2, m - m // 2)]
    return _Grid(window, places, inside, padding)


def _divide_by_weights(total: torch.Tensor, places: list[tuple[slice, ...]], weights: torch.Tensor) -> None:
    """Turn weighted sums into means, in place, without an array of the weights of the whole picture."""
    length, *others = total.shape[2:]
    rows = max(1, STRIP // math.prod(others))
    for first in range(0, length, rows):
        last = min(first + rows, length)
        summed = weights.new_zeros((last - first, *others))
        for along, *across in places:
            begin, end = max(first, along.start), min(last, along.stop)
            if begin < end:
                summed[(slice(begin - first, end - first), *across)] += weights[begin - along.start : end - along.start]
        total[:, :, first:last] /= summed
