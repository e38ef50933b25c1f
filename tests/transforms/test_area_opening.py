import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from scipy import ndimage

from shared.transforms import AreaOpeningd


def opened(probability: torch.Tensor, min_area: int) -> torch.Tensor:
    return AreaOpeningd("pred", min_area=min_area)({"pred": probability})["pred"]


def test_a_peak_falls_to_where_it_is_large_enough() -> None:
    probability = torch.tensor([[[0.9, 0.2, 0.2, 0.2], [0.2, 0.7, 0.2, 0.2], [0.2, 0.2, 0.2, 0.8]]])
    assert opened(probability, 1) is probability
    expected = torch.tensor([[[0.7, 0.2, 0.2, 0.2], [0.2, 0.7, 0.2, 0.2], [0.2, 0.2, 0.2, 0.2]]])
    assert torch.equal(opened(probability, 2), expected)  # neighbours by a corner count


def test_nothing_is_left_of_a_picture_smaller_than_a_defect() -> None:
    assert opened(torch.full((1, 1, 3), 0.9), 3).max() == 0.9
    assert opened(torch.full((1, 1, 3), 0.9), 4).max() == 0


@pytest.mark.parametrize("seed", range(40))
def test_above_any_threshold_the_large_regions_stay_and_no_others(seed: int) -> None:
    generator = np.random.default_rng(seed)
    values = generator.random((2, *generator.integers(1, 24, 2))).astype(np.float32).round(seed % 3 + 1)
    min_area = int(generator.integers(2, 12))
    after = opened(torch.tensor(values), min_area).numpy()
    for threshold in (0.0, 0.5, 0.7, float(generator.choice(values.ravel()))):
        for before, found in zip(values, after, strict=True):
            regions, _ = ndimage.label(before > threshold, np.ones((3, 3)))
            large = np.bincount(regions.ravel()) >= min_area
            large[0] = False
            assert np.array_equal(found > threshold, large[regions])


def test_what_monai_notes_of_a_picture_stays() -> None:
    found = opened(MetaTensor(torch.rand(1, 4, 5), meta={"who": 1}), 2)
    assert isinstance(found, MetaTensor) and found.meta["who"] == 1 and found.dtype == torch.float32


@pytest.mark.parametrize("wrong", [0, 1.5])
def test_an_area_out_of_range_is_refused(wrong: float) -> None:
    with pytest.raises(ValueError, match=f"min_area must be a whole number of 1 or more, got {wrong}"):
        AreaOpeningd("pred", min_area=wrong)  # type: ignore[arg-type] # the mistake under test
