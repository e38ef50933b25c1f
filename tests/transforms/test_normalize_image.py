"""Training, evaluation and inspection see one image, also where it has one value."""

import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import NormalizeIntensity

from shared.inferers import LazyNormalizeIntensityd
from shared.inferers.lazy_normalization import Moments
from shared.transforms import NormalizeImaged


@pytest.mark.parametrize(("value", "shape"), [(0.1, (1, 128, 128)), (3.3, (3, 50, 70)), (177.0, (1, 1000, 1003))])
def test_an_image_of_one_value_is_nothing_everywhere(value, shape):
    image = MetaTensor(torch.full(shape, value))
    assert not NormalizeImaged("image")({"image": image})["image"].any()
    lazy = LazyNormalizeIntensityd("image")({"image": image})["image"]
    assert not Moments(lazy[None]).normalize(0, lazy.as_tensor()).any()


def test_any_other_is_monai_s():
    image = torch.rand(3, 9, 11)
    assert torch.equal(NormalizeImaged("image")({"image": image})["image"], NormalizeIntensity()(image))
