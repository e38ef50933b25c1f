"""How deep inside its instance a pixel lies."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
from monai.config import KeysCollection
from monai.transforms import MapTransform
from monai.utils import convert_to_dst_type, convert_to_numpy
from scipy import ndimage
from skimage.segmentation import find_boundaries

__all__ = ["InstanceDistanced", "instance_distance"]


def instance_distance(instances: np.ndarray) -> np.ndarray:
    """Distance of each pixel to the outline of its instance, as a share of the largest one within that instance.

    The share, unlike the distance, is the same at every magnification, and low along the line where two instances
    touch, so that a network which predicts it tells them apart.

    Args:
        instances: ids of the instances, 0 is background.

    Returns:
        float32 in [0, 1]: 0 in the background, 1 at the deepest point of each instance.

    Shape:
        The result has the shape of ``instances``.

    Example:
        >>> instance_distance(np.array([[0, 4, 4, 4, 7, 7, 0]])).tolist()
        [[0.0, 0.5, 1.0, 0.5, 1.0, 1.0, 0.0]]
    """
    ids = instances.astype(np.int64)
    inside = ids > 0
    core = inside & ~find_boundaries(ids, mode="inner", connectivity=1)
    if core.all() or not inside.any():  # no outline to measure from, or nothing to measure
        return inside.astype(np.float32)
    # The outline itself counts as one pixel deep, so that instances without a core have a depth, too.
    depth = np.where(core, ndimage.distance_transform_edt(core), 0) + inside
    deepest = np.ones(ids.max() + 1)
    np.maximum.at(deepest, ids[inside], depth[inside])
    return (depth / deepest[ids]).astype(np.float32)


class InstanceDistanced(MapTransform):
    """``instance_distance`` on the items of a dictionary.

    Args:
        keys: keys of the maps of instances.
        allow_missing_keys: leave items without the key as they are.

    Shape:
        (1, *spatial), as the input.
    """

    def __init__(self, keys: KeysCollection, allow_missing_keys: bool = False) -> None:
        super().__init__(keys, allow_missing_keys)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        result = dict(data)
        for key in self.key_iterator(result):
            distance = instance_distance(convert_to_numpy(result[key])[0])
            result[key] = convert_to_dst_type(distance[None], result[key], dtype=np.float32)[0]
        return result
