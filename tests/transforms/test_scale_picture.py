import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import ScaleIntensityRangePercentiles
from skimage.draw import disk

from shared.transforms import ScalePictured
from shared.transforms.scale_picture import scale_picture


@pytest.mark.parametrize("shape", [(3, 256, 256), (1, 37, 53), (3, 100, 600)])
def test_ordinary_pictures_are_scaled_by_monais_percentiles(shape):
    torch.manual_seed(0)
    picture = torch.randint(0, 65536, shape).float()
    monais = ScaleIntensityRangePercentiles(0.5, 99.8, 0.0, 1.0)(picture)
    torch.testing.assert_close(scale_picture(picture), monais, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 40, 30)])
def test_a_picture_of_one_value_is_all_0(shape):
    assert scale_picture(torch.full(shape, 7)).eq(0).all()


@pytest.mark.parametrize("noise", [0, 2])
@pytest.mark.parametrize("side", [256, 512, 1024, 2048])
def test_one_nucleus_is_not_too_bright_in_a_picture_of_any_size(side, noise):
    picture = np.random.default_rng(0).normal(5, 1, (1, side, side)) * noise
    rows, columns = disk((100, 90), 9)
    picture[0, rows, columns] = 200
    picture[0, -3:, -3:] = 9999  # hot pixels
    scaled = scale_picture(torch.from_numpy(picture))[0, rows, columns]
    assert 0.9 < scaled.min() <= scaled.max() < 4.1


def test_what_is_known_of_a_picture_stays_with_it():
    picture = MetaTensor(torch.arange(12).reshape(1, 3, 4), meta={"file": "a.png"})
    result = ScalePictured("image")({"image": picture, "other": 1})
    assert (result["image"].meta["file"], result["image"].dtype, result["other"]) == ("a.png", torch.float32, 1)


def test_percentiles_out_of_order_are_refused():
    with pytest.raises(ValueError, match="lower and upper must be in order within 0 to 100, got 99.9 and 99.8"):
        ScalePictured("image", lower=99.9)
