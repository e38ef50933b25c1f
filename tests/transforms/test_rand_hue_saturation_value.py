import colorsys

import numpy as np
import pytest
import torch

from shared.transforms import RandHueSaturationValued
from shared.transforms.rand_hue_saturation_value import shift_colours


def test_shifts_agree_with_the_standard_library():
    generator = np.random.default_rng(0)
    picture = generator.random((3, 5, 7))
    shifted = shift_colours(picture, 0.1, -0.2, 0.15)
    for row in range(5):
        for column in range(7):
            h, s, v = colorsys.rgb_to_hsv(*picture[:, row, column])
            expected = colorsys.hsv_to_rgb((h + 0.1) % 1, np.clip(s - 0.2, 0, 1), np.clip(v + 0.15, 0, 1))
            assert shifted[:, row, column] == pytest.approx(expected, abs=1e-9)


def test_one_seed_one_picture_and_no_probability_no_change():
    picture = {"image": torch.rand(3, 5, 7) * 255}
    transform = RandHueSaturationValued("image", prob=1.0)
    first = transform.set_random_state(1)(picture)["image"]
    assert torch.equal(first, transform.set_random_state(1)(picture)["image"])
    assert not torch.equal(first, transform.set_random_state(2)(picture)["image"])
    assert first.min() >= 0 and first.max() <= 255
    assert torch.equal(RandHueSaturationValued("image", prob=0.0)(picture)["image"], picture["image"])


def test_no_shift_gives_the_picture_back():
    picture = torch.rand(3, 5, 7) * 255
    still = RandHueSaturationValued("image", prob=1.0, hue=0, saturation=0, value=0)
    assert torch.allclose(still({"image": picture})["image"], picture, atol=1e-3)
