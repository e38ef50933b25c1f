import numpy as np
import torch
from scipy import ndimage

from shared.transforms import LabelInstancesd


def test_instances_stay_and_masks_are_numbered_as_scipy_does():
    torch.manual_seed(0)
    mask = (torch.rand(1, 13, 17) > 0.6).float()
    assert torch.equal(LabelInstancesd("label")({"label": mask, "kind": "instances"})["label"], mask)
    assert torch.equal(LabelInstancesd("label")({"label": mask})["label"], mask)
    found = LabelInstancesd("label")({"label": mask, "kind": "binary"})["label"]
    expected, count = ndimage.label(mask[0].numpy())
    assert found.dtype == mask.dtype
    assert len(np.unique(np.stack([found[0].numpy(), expected]).reshape(2, -1), axis=1).T) == count + 1
