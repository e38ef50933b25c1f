import pytest
import torch
from monai.data import MetaTensor

from shared.transforms import InstanceMasksd, SplitNucleid


def masks(probability: torch.Tensor, nuclei: torch.Tensor) -> torch.Tensor:
    item = {"pred": probability, "nuclei": nuclei}
    return InstanceMasksd("pred", instances="nuclei")(item)["pred"]


def test_one_class_is_where_an_instance_is() -> None:
    found = masks(torch.tensor([[[0.9, 0.6, 0.2, 0.7]]]), torch.tensor([[[3, 0, 0, 1]]], dtype=torch.int32))
    assert found.dtype == torch.float32
    assert found.tolist() == [[[1, 0, 0, 1]]]


def test_of_several_classes_the_likeliest_has_the_pixel() -> None:
    probability = torch.tensor([[[0.9, 0.6, 0.6, 0.2]], [[0.8, 0.7, 0.9, 0.3]]])
    assert masks(probability, torch.tensor([[[1, 2, 0, 0]]])).tolist() == [[[1, 0, 0, 0]], [[0, 1, 0, 0]]]


def test_what_is_too_small_is_in_no_mask() -> None:
    probability = torch.zeros(1, 9, 9)
    probability[0, 1:5, 1:5] = probability[0, 7, 7] = 0.9
    for min_area, expected in ((1, 17), (2, 16), (17, 0)):
        nuclei = SplitNucleid("nuclei", min_area=min_area)({"nuclei": probability})["nuclei"]
        assert masks(probability, nuclei).sum() == expected


def test_what_monai_notes_of_a_picture_stays() -> None:
    found = masks(MetaTensor(torch.rand(2, 4, 5), meta={"who": 1}), torch.ones(1, 4, 5))
    assert isinstance(found, MetaTensor) and found.meta["who"] == 1


def test_other_sides_are_refused() -> None:
    with pytest.raises(ValueError, match=r"nuclei and pred must be .*, got \(1, 4, 4\) and \(1, 4, 5\)"):
        masks(torch.rand(1, 4, 5), torch.ones(1, 4, 4))
