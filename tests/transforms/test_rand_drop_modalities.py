from collections import Counter

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from scipy.stats import chisquare

from shared.transforms import RandDropModalitiesd


def image(there=(1, 1, 1, 1)):
    """Modalities that are 0 but for one voxel, whose sum is 0."""
    picture = torch.zeros(len(there), 3, 1, 5)
    picture[:, 2, 0, 1], picture[:, 0, 0, 4] = torch.tensor(there).float(), -torch.tensor(there).float()
    return picture


def drop(transform, picture):
    """Which modalities are left."""
    return tuple(int(modality.any()) for modality in transform({"image": picture})["image"])


@pytest.mark.parametrize(("there", "choices"), [((1, 1, 1, 1), 14), ((0, 1, 1, 1), 6), ((1, 0, 0, 1), 2)])
def test_each_choice_is_equally_likely_and_never_all_are_dropped(there, choices):
    transform = RandDropModalitiesd("image", prob=1.0).set_random_state(0)
    counts = Counter(drop(transform, image(there)) for _ in range(100 * choices))
    assert len(counts) == choices
    for left in counts:
        assert any(left) and left != there and all(now <= before for now, before in zip(left, there, strict=True))
    assert chisquare(list(counts.values())).pvalue > 0.01


def test_the_probability_is_that_of_dropping_anything():
    transform = RandDropModalitiesd("image", prob=0.3).set_random_state(0)
    dropped = sum(drop(transform, image()) != (1, 1, 1, 1) for _ in range(1000))
    assert dropped == pytest.approx(300, abs=3 * np.sqrt(1000 * 0.3 * 0.7))


def test_one_that_is_alone_stays_and_none_is_no_error():
    transform = RandDropModalitiesd("image", prob=1.0).set_random_state(0)
    for there in ((0, 0, 1, 0), (0, 0, 0, 0)):
        for _ in range(20):
            assert drop(transform, image(there)) == there


def test_a_seed_repeats_it_and_two_keys_lose_the_same():
    transform = RandDropModalitiesd(["image", "other"], prob=0.7)
    runs = []
    for _ in range(2):
        transform.set_random_state(7)
        runs.append([transform({"image": image(), "other": 2 * image()}) for _ in range(20)])
    for first, second in zip(*runs, strict=True):
        assert torch.equal(first["image"], second["image"])
        assert torch.equal(first["other"], 2 * first["image"])
    assert len({tuple(item["image"].flatten().tolist()) for item in runs[0]}) > 5


def test_what_stays_is_untouched_and_so_is_a_cached_image():
    picture = MetaTensor(torch.rand(4, 3, 2, 5) + 1, meta={"present": np.ones(4, bool)})
    before = picture.clone()
    found = RandDropModalitiesd("image", prob=1.0).set_random_state(0)({"image": picture})["image"]
    assert torch.equal(picture, before) and isinstance(found, MetaTensor) and found.meta["present"].all()
    left = found.flatten(1).any(1)
    assert 0 < left.sum() < 4
    assert torch.equal(found[left], before[left])
    as_array = RandDropModalitiesd("image", prob=1.0).set_random_state(0)({"image": before.numpy()})["image"]
    assert torch.equal(as_array.as_tensor(), found.as_tensor())
