import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from numpy.polynomial.legendre import leggrid3d

from shared.transforms import RandModalityBiasd

SHAPE = (9, 8, 7)


def head(modalities=4):
    """Normalised values with some voxels of 0."""
    image = torch.randn(modalities, *SHAPE, generator=torch.Generator().manual_seed(0))
    image[:, :2] = 0
    return image


def test_each_modality_gets_a_smooth_field_of_its_own():
    image = head()
    transform = RandModalityBiasd("image", prob=1.0, degree=2, coeff=0.3, offset=5.0).set_random_state(0)
    changed = transform({"image": image})["image"]
    assert changed[:, :2].eq(0).all()
    fields = torch.log((changed + 5) / (image + 5))[:, 2:].double().numpy()
    grid = [np.linspace(-1, 1, side) for side in SHAPE]
    terms = [(i, j, k) for i in range(3) for j in range(3 - i) for k in range(3 - i - j)]
    basis = [leggrid3d(*grid, np.eye(27)[9 * i + 3 * j + k].reshape(3, 3, 3))[2:].ravel() for i, j, k in terms]
    found = [np.linalg.lstsq(np.transpose(basis), field.ravel())[0] for field in fields]
    for field, coefficients in zip(fields, found, strict=True):
        np.testing.assert_allclose(np.transpose(basis) @ coefficients, field.ravel(), atol=1e-4)
        assert np.abs(coefficients).max() < 0.3 + 1e-4
    assert np.abs(found[0] - found[1]).max() > 0.05


def test_one_seed_gives_one_result_and_the_input_stays_as_it_is():
    image = head()
    before = image.clone()
    transform = RandModalityBiasd("image", prob=0.7)
    first, second = (transform.set_random_state(3)({"image": image})["image"] for _ in range(2))
    assert torch.equal(first, second)
    assert not torch.equal(first, transform({"image": image})["image"])
    assert torch.equal(image, before)


def test_the_probability_is_that_of_each_modality():
    transform = RandModalityBiasd("image", prob=0.3).set_random_state(0)
    image = head(modalities=600)
    changed = (transform({"image": image})["image"] != image).flatten(1).any(dim=1).sum()
    assert int(changed) == pytest.approx(180, abs=3 * np.sqrt(600 * 0.3 * 0.7))


def test_pictures_of_two_dimensions_and_their_meta_data():
    image = MetaTensor(torch.ones(1, 6, 5), meta={"filename_or_obj": "a.nii.gz"})
    changed = RandModalityBiasd("image", prob=1.0).set_random_state(0)({"image": image})["image"]
    assert changed.shape == image.shape
    assert changed.dtype == torch.float32
    assert changed.meta["filename_or_obj"] == "a.nii.gz"
