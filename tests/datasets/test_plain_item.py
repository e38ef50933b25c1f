from pathlib import Path

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import Compose, Flipd, SpatialPadd
from monai.utils.enums import SpaceKeys

from shared.datasets.plain_item import from_plain, to_plain
from shared.errors import UserError


def through_a_file(value: object, folder: Path) -> object:
    torch.save(to_plain(value), folder / "item.pt")
    return from_plain(torch.load(folder / "item.pt", weights_only=True))


@pytest.mark.parametrize(
    "value",
    [
        {"a": [1, 2.5, True, None, "text", b"bytes", 1j], ("b", 2): {"c": ()}},
        (np.float32(0.1), np.int64(3), {1, 2}, Path("x/y"), torch.Size([2, 3]), torch.float16),
    ],
)
def test_plain_values_come_back_with_their_types(tmp_path: Path, value: object) -> None:
    found = through_a_file(value, tmp_path)
    assert found == value and repr(found) == repr(value)


@pytest.mark.parametrize(
    "array",
    [np.arange(6, dtype="<u2").reshape(2, 3), np.array(["ab", "c"]), np.zeros((0, 3)), np.float64(1)[None][::-1],
     np.zeros(2, np.dtype([("x", "f4"), ("y", "i2")]).descr[0][1])],
)  # fmt: skip
def test_arrays_come_back(tmp_path: Path, array: np.ndarray) -> None:
    found = through_a_file(array, tmp_path)
    assert isinstance(found, np.ndarray) and found.dtype == array.dtype and np.array_equal(found, array)


def test_what_monai_notes_of_an_image_comes_back_and_is_inverted(tmp_path: Path) -> None:
    affine = np.diag([2.0, 3, 4, 1])
    image = MetaTensor(torch.rand(1, 4, 5, 6), affine=affine, meta={"scl": np.ones(8), "space": SpaceKeys.RAS})
    steps = Compose([SpatialPadd("image", 9), Flipd("image", 0)])
    item = steps({"image": image, "id": "a"})
    found = through_a_file(item, tmp_path)
    assert isinstance(found, dict)
    assert torch.equal(found["image"].as_tensor(), item["image"].as_tensor())
    assert torch.equal(found["image"].affine, item["image"].affine) and found["image"].meta["space"] == SpaceKeys.RAS
    assert np.array_equal(found["image"].meta["scl"], np.ones(8))
    assert torch.equal(steps.inverse(found)["image"].as_tensor(), image.as_tensor())


def test_of_a_view_only_what_is_seen_is_kept() -> None:
    assert to_plain(torch.zeros(1000)[:3]).untyped_storage().nbytes() == 12


def test_what_no_plain_file_holds_is_named() -> None:
    with pytest.raises(UserError, match=r"cache_dir: item\['a'\]\[\] is a object, which no file can hold"):
        to_plain({"a": [object()]})


@pytest.mark.parametrize("wrong", [{"a": 1}, {"\0kind": "module"}, [1], {"\0kind": "number"}])
def test_what_is_not_of_its_making_is_refused(wrong: object) -> None:
    with pytest.raises((ValueError, KeyError, TypeError)):
        from_plain(wrong)
