import pytest
import torch

from shared.transforms import PictureLabelsd


@pytest.mark.parametrize(
    ("largest", "type_"),
    [(0, torch.uint8), (255, torch.uint8), (256, torch.uint16), (65_535, torch.uint16), (65_536, torch.int32)],
)
def test_the_smallest_type_that_holds_all_labels(largest, type_):
    labels = torch.tensor([[[0, 1, largest], [0, 0, 0]]], dtype=torch.int32)
    found = PictureLabelsd("pred")({"pred": labels, "other": 1})
    assert found["pred"].dtype == type_ and found["pred"].tolist() == labels[0].tolist() and found["other"] == 1


@pytest.mark.parametrize("labels", [torch.zeros(2, 3, 4, dtype=torch.int32), torch.zeros(1, 3, 4), torch.zeros(1, 3)])
def test_what_is_no_label_map_of_a_picture_is_refused(labels):
    with pytest.raises(ValueError, match=r"pred must be whole numbers \(1, W, H\), got torch"):
        PictureLabelsd("pred")({"pred": labels})
