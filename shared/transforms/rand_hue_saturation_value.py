"""Colours shifted as a person would describe it."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
from monai.config import KeysCollection
from monai.transforms import MapTransform, RandomizableTransform
from monai.utils import convert_to_dst_type, convert_to_numpy
from skimage.color import hsv2rgb, rgb2hsv

__all__ = ["RandHueSaturationValued", "shift_colours"]


def shift_colours(picture: np.ndarray, hue: float, saturation: float, value: float) -> np.ndarray:
    """Add to hue, saturation and value; hue goes round, the others end at 0 and 1.

    Args:
        picture: RGB in [0, 1].
        hue: share of the circle.
        saturation: of the range 0 to 1.
        value: of the range 0 to 1.

    Shape:
        (3, *spatial), as the result.

    Example:
        >>> red = np.array([1.0, 0.0, 0.0]).reshape(3, 1, 1)
        >>> shift_colours(red, 1 / 3, 0, 0).ravel().tolist()  # a third of the circle on is green
        [0.0, 1.0, 0.0]
    """
    shifted = rgb2hsv(picture, channel_axis=0)
    shifted[0] = (shifted[0] + hue) % 1
    shifted[1:] = np.clip(shifted[1:] + np.reshape([saturation, value], (2, *(1,) * (picture.ndim - 1))), 0, 1)
    return hsv2rgb(shifted, channel_axis=0)


class RandHueSaturationValued(RandomizableTransform, MapTransform):
    """Shifts hue, saturation and value of pictures by amounts drawn once for all keys.

    The defaults are those of the reference recipe's library, which counts hue in half degrees and the others in 255ths;
    it rounds to these units, this transform does not.

    Args:
        keys: keys of RGB pictures in [0, 255].
        prob: probability that anything is done, in [0, 1].
        hue: largest shift of the hue in half degrees, in [0, 90].
        saturation: largest shift of the saturation, in [0, 255].
        value: largest shift of the value, in [0, 255].
        allow_missing_keys: leave items without the key as they are.

    Shape:
        (3, *spatial).

    Reference:
        Buslaev et al., Albumentations: Fast and Flexible Image Augmentations, 2020 (``HueSaturationValue``).
    """

    def __init__(
        self,
        keys: KeysCollection,
        prob: float = 0.5,
        *,
        hue: float = 20,
        saturation: float = 30,
        value: float = 20,
        allow_missing_keys: bool = False,
    ) -> None:
        MapTransform.__init__(self, keys, allow_missing_keys)
        RandomizableTransform.__init__(self, prob)
        self.largest = np.array([hue / 180, saturation / 255, value / 255])
        self.shifts = np.zeros(3)

    def randomize(self, data: Any = None) -> None:
        super().randomize(data)
        self.shifts = self.R.uniform(-self.largest, self.largest)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        result = dict(data)
        self.randomize()
        if self._do_transform:
            for key in self.key_iterator(result):
                picture = shift_colours(convert_to_numpy(result[key]).astype(np.float64) / 255, *self.shifts)
                result[key] = convert_to_dst_type(255 * picture, result[key], dtype=result[key].dtype)[0]
        return result
