"""Modalities left out at random, as they may be missing where a network is used."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

from monai.config import KeysCollection
from monai.data import get_track_meta
from monai.transforms import MapTransform, RandomizableTransform
from monai.utils import convert_to_tensor

__all__ = ["RandDropModalitiesd"]


class RandDropModalitiesd(RandomizableTransform, MapTransform):
    """Sets modalities to 0, but never all that an image has.

    A modality is there if it is anything but 0 throughout. Of n that are there, one of the ``2 ** n - 2`` choices of
    some but not all is dropped, each equally likely; where there is only one, it stays. The draw is the same for all
    keys. What comes after should leave a modality of 0 as it is, which noise, for one, does not.

    Args:
        keys: keys of the images.
        prob: probability that anything is dropped, in [0, 1].
        allow_missing_keys: leave items without the key as they are.

    Shape:
        (modalities, *spatial).

    Example:
        >>> import torch
        >>> drop = RandDropModalitiesd("image", prob=1.0).set_random_state(0)
        >>> drop({"image": torch.tensor([[1.0], [2.0], [0.0]])})["image"].tolist()
        [[1.0], [0.0], [0.0]]
    """

    def __init__(self, keys: KeysCollection, prob: float = 0.5, allow_missing_keys: bool = False) -> None:
        MapTransform.__init__(self, keys, allow_missing_keys)
        RandomizableTransform.__init__(self, prob)
        self.choice = 0.0

    def randomize(self, data: Any = None) -> None:
        super().randomize(data)
        self.choice = self.R.random_sample()

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        result = dict(data)
        self.randomize()
        for key in self.key_iterator(result):
            image = convert_to_tensor(result[key], track_meta=get_track_meta())
            if self._do_transform:
                there = [number for number, modality in enumerate(image) if modality.any()]
                # The binary digits of a number from 1 to 2 ** n - 2 tell which are dropped.
                chosen = 1 + int(self.choice * (2 ** len(there) - 2)) if len(there) > 1 else 0
                image = image.clone()  # it may lie in a cache
                for place, number in enumerate(there):
                    if chosen >> place & 1:
                        image[number] = 0
            result[key] = image
        return result
