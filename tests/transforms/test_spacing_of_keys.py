import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import Spacingd

from shared.transforms import SpacingOfKeysd


def volume():
    affine = torch.diag(torch.tensor([1.0, 1.0, 3.0, 1.0], dtype=torch.float64))
    values = torch.rand(1, 8, 6, 5, generator=torch.Generator().manual_seed(0))
    return MetaTensor(values, affine=affine, meta={"filename_or_obj": "case.nii.gz"})


def test_it_is_that_of_monai_and_leaves_alone_what_lies_beside():
    options = {"keys": "image", "pixdim": (2.0, 2.0, 2.0)}
    expected = Spacingd(**options)({"image": volume()})["image"]
    with pytest.raises(AttributeError, match="'str' object has no attribute 'update'"):
        Spacingd(**options)({"image": volume(), "image_path": "case.nii.gz"})  # else this class is needed no more
    transform = SpacingOfKeysd(**options)
    found = transform({"image": volume(), "image_path": "case.nii.gz", "label": 1})
    assert found["image_path"] == "case.nii.gz" and found["label"] == 1
    assert torch.equal(found["image"], expected) and torch.equal(found["image"].affine, expected.affine)
    back = transform.inverse(found)["image"]
    assert back.shape == (1, 8, 6, 5) and torch.equal(back.affine, volume().affine)


def test_a_missing_key_is_an_error_unless_it_may_be_missing():
    with pytest.raises(KeyError, match="label"):
        SpacingOfKeysd(["image", "label"], (2.0, 2.0, 2.0))({"image": volume()})
    found = SpacingOfKeysd(["image", "label"], (2.0, 2.0, 2.0), allow_missing_keys=True)({"image": volume()})
    assert list(found) == ["image"] and found["image"].affine.diagonal().tolist() == [2, 2, 2, 1]
