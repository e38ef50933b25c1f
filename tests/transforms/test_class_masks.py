import pytest
import torch

from shared.transforms import ClassMasksd


def test_a_channel_per_class_and_none_for_background():
    label = torch.tensor([[[0, 1, 2], [3, 3, 0]]])
    masks = ClassMasksd("label", 3)({"label": label})["label"]
    assert masks.dtype == torch.float32
    assert torch.equal(masks.argmax(0) + 1, torch.tensor([[1, 1, 2], [3, 3, 1]]))
    assert torch.equal(masks.sum(0), (label[0] > 0).float())


def test_no_class_is_refused():
    with pytest.raises(ValueError, match="num_classes must be 1 at least, got 0"):
        ClassMasksd("label", 0)
