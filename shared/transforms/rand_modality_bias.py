"""Brightness that is uneven across the head, in each modality in its own way."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.data import get_track_meta
from monai.transforms import MapTransform, RandBiasField, Randomizable
from monai.utils import convert_to_tensor

__all__ = ["RandModalityBiasd"]


class RandModalityBiasd(Randomizable, MapTransform):
    """Multiplies each modality by a smooth field of its own, as a coil that lies closer to one part of the head does.

    The image may be normalised: ``offset`` is added before and subtracted after the multiplication. Voxels of 0, those
    outside the head or of a modality that is missing, stay 0.

    Args:
        keys: keys of the images.
        prob: probability that a modality is changed, in [0, 1], drawn for each.
        degree: of the Legendre polynomials in each direction, at least 1.
        coeff: their coefficients are drawn from [-coeff, coeff]; the field is the exponential of their sum.
        offset: mean of the scanner's values divided by their standard deviation, about 3 to 5 within a head.
        allow_missing_keys: leave items without the key as they are.

    Shape:
        (modalities, *spatial), two or three spatial dimensions.

    Reference:
        The field: MONAI's ``RandBiasField``; Sudre et al., Longitudinal segmentation of age-related white matter
        hyperintensities, Medical Image Analysis 38, 2017.
    """

    def __init__(
        self,
        keys: KeysCollection,
        prob: float = 0.5,
        degree: int = 3,
        coeff: float = 0.1,
        offset: float = 4.0,
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.field = RandBiasField(prob=prob, degree=degree, coeff_range=(-coeff, coeff))
        self.offset = offset

    def set_random_state(
        self, seed: int | None = None, state: np.random.RandomState | None = None
    ) -> RandModalityBiasd:
        super().set_random_state(seed, state)
        self.field.set_random_state(state=self.R)
        return self

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        result = dict(data)
        for key in self.key_iterator(result):
            image = convert_to_tensor(result[key], track_meta=get_track_meta())
            fields = [torch.as_tensor(self.field(torch.ones(1, *modality.shape))) for modality in image]
            result[key] = image + (image + self.offset) * (torch.cat(fields) - 1) * (image != 0)
        return result
