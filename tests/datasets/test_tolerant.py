import pytest

from shared.datasets import TolerantDataset
from shared.errors import UserError


def test_a_mistake_in_the_data_travels_on_and_a_bug_does_not():
    def read(item):
        if item["image"] == "bad":
            raise RuntimeError("applying transform") from UserError("bad: cut short")
        if item["image"] == "large":
            raise RuntimeError("applying transform") from MemoryError("Unable to allocate 64 TiB")
        if item["image"] == "bug":
            raise RuntimeError("a bug")
        return {**item, "image": 1}

    dataset = TolerantDataset([{"image": name} for name in ("good", "bad", "bug")], read, copies=["raw"], channels=2)
    assert dataset[0] == {"image": 1, "error": ""}
    assert dataset[1]["error"] == "bad: cut short"
    assert dataset[1]["image"].shape == dataset[1]["raw"].shape == (2, 1, 1)
    with pytest.raises(RuntimeError, match="applying transform"):
        dataset[2]
    large = TolerantDataset([{"image": "large", "file": "a.nii"}], read)[0]
    assert large["error"] == "a.nii: takes more memory than is free; make it smaller"
    assert TolerantDataset(dataset.data, read, channels=4, spatial_dims=3)[1]["image"].shape == (4, 1, 1, 1)
