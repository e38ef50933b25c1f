import numpy as np
import pytest
import torch
from scipy import ndimage
from skimage.draw import disk

from shared.transforms import InstanceDistanced
from shared.transforms.instance_distance import instance_distance


def by_definition(instances):
    """Each instance cut out by itself, its outline one pixel deep."""
    result = np.zeros(instances.shape)
    for number in np.unique(instances[instances > 0]):
        inside = instances == number
        cross = ndimage.generate_binary_structure(2, 1)
        core = ndimage.binary_erosion(inside, cross, border_value=1)
        others = ~core
        depth = np.where(core, ndimage.distance_transform_edt(core) if others.any() else 1, 0) + inside
        result[inside] = depth[inside] / depth.max()
    return result


def two_discs(radius):
    instances = np.zeros((4 * radius, 5 * radius), int)
    instances[disk((2 * radius, 2 * radius), radius)] = 3
    instances[disk((2 * radius, 4 * radius - 2), radius, shape=instances.shape)] = 9
    return instances


@pytest.mark.parametrize("radius", [3, 8, 21])
def test_it_is_the_depth_within_each_instance(radius):
    instances = two_discs(radius)
    distance = instance_distance(instances)
    np.testing.assert_allclose(distance, by_definition(instances), atol=1e-6)
    assert distance[instances == 0].max() == 0
    assert distance[instances == 3].max() == distance[instances == 9].max() == 1


def test_it_is_the_same_at_twice_the_size():
    small, large = instance_distance(two_discs(20)), instance_distance(np.kron(two_discs(20), np.ones((2, 2), int)))
    assert np.abs(large[::2, ::2] - small).max() < 0.06


@pytest.mark.parametrize(("ids", "expected"), [(np.zeros((3, 2)), 0), (np.full((5, 4), 7), 1)])
def test_nothing_there_is_nothing_deep_and_one_that_fills_the_picture_is_all_deep(ids, expected):
    assert (instance_distance(ids) == expected).all()


def test_the_dictionary_transform_keeps_shape_and_type():
    item = InstanceDistanced("label")({"label": torch.tensor([[[0.0, 2, 2, 2, 0]]]), "image": 1})
    assert item["label"].dtype == torch.float32
    assert item["label"].tolist() == [[[0, 0.5, 1, 0.5, 0]]]
    assert item["image"] == 1
