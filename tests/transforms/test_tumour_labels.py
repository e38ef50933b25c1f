import itertools

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import ConvertToMultiChannelBasedOnBratsClassesd

from shared.transforms import TumourLabelsd


def test_it_undoes_the_regions_of_monai():
    affine = np.diag([2.0, 3, 4, 1])
    label = MetaTensor(torch.randint(0, 4, (1, 5, 3, 7), dtype=torch.uint8), affine=affine, meta={"spacing": "odd"})
    regions = ConvertToMultiChannelBasedOnBratsClassesd("label", et_label=3)({"label": label})
    assert regions["label"].shape == (3, 5, 3, 7)
    for kind in (torch.bool, torch.float16, torch.float32):
        found = TumourLabelsd("label")({"label": regions["label"].to(kind)})["label"]
        assert torch.equal(found.as_tensor(), label.as_tensor()) and found.dtype == torch.uint8
        assert isinstance(found, MetaTensor) and found.meta["spacing"] == "odd"
        assert np.array_equal(found.affine, affine)


def test_the_innermost_region_decides_whatever_the_others_say():
    for tc, wt, et in itertools.product([0.2, 0.5, 0.8], repeat=3):
        expected = 3 if et > 0.5 else 1 if tc > 0.5 else 2 if wt > 0.5 else 0
        probability = torch.tensor([tc, wt, et]).reshape(3, 1, 1, 1)
        assert TumourLabelsd("pred")({"pred": probability})["pred"].item() == expected


def test_the_threshold_is_free_and_arrays_stay_arrays():
    probability = np.array([[0.3, 0.1, 0.2], [0.3, 0.3, 0.2], [0.2, 0.1, 0.2]], np.float32)
    found = TumourLabelsd("pred", threshold=0.2)({"pred": probability})["pred"]
    assert isinstance(found, np.ndarray) and found.dtype == np.uint8
    assert found.tolist() == [[1, 2, 0]]


def test_what_does_not_fit_is_named():
    with pytest.raises(ValueError, match=r"threshold must lie in \[0, 1\), got 1"):
        TumourLabelsd("pred", threshold=1)
    with pytest.raises(ValueError, match=r"pred must have the channels TC, WT and ET, got the shape \(4, 2, 2, 2\)"):
        TumourLabelsd("pred")({"pred": torch.zeros(4, 2, 2, 2)})
