import pickle
from collections import defaultdict
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from PIL import Image
from scipy import ndimage
from skimage.draw import ellipse
from skimage.measure import label

from shared.metrics.instances import dsb_score
from shared.transforms.split_nuclei import SplitNucleid, split_nuclei

SOURCE = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "dsb2018" / "stage1_train.zip"


def draw(shape, *ellipses):
    """Ellipses (row, column, half axis, half axis, degrees) of probability 0.9 on 0.1."""
    probability = np.full(shape, 0.1, np.float32)
    for row, column, a, b, degrees in ellipses:
        probability[ellipse(row, column, a, b, shape=shape, rotation=np.deg2rad(degrees))] = 0.9
    return probability


@pytest.mark.parametrize("radius", [4, 7, 13, 40])
def test_two_overlapping_discs_are_parted_in_the_middle_at_any_magnification(radius):
    middle = 2 * radius
    columns = middle - 0.8 * radius, middle + 0.8 * radius
    nuclei = split_nuclei(draw((4 * radius + 1,) * 2, *((middle, c, radius, radius, 0) for c in columns)))
    assert nuclei.max() == 2
    left, right = nuclei[:, :middle], nuclei[:, middle + 1 :]
    assert set(np.unique(left)) | set(np.unique(right)) == {0, 1, 2}
    assert len(np.unique(left)) == len(np.unique(right)) == 2


@pytest.mark.parametrize("degrees", [0, 17, 45, 90])
@pytest.mark.parametrize("axes", [(5, 5), (4, 9), (6, 20), (30, 41)])
def test_a_disc_or_an_ellipse_stays_whole(axes, degrees):
    probability = draw((97, 101), (47, 53, *axes, degrees))
    assert np.array_equal(split_nuclei(probability), (probability > 0.5).astype(np.int32))


def test_a_rough_outline_does_not_part_a_nucleus():
    random = np.random.default_rng(0)
    noise = ndimage.gaussian_filter(random.standard_normal((8, 71, 67)), (0, 1.5, 1.5))
    clean = ndimage.gaussian_filter(draw((71, 67), (35, 33, 20, 27, 30)), 1.5)
    assert [split_nuclei(clean + 0.12 * n / noise.std()).max() for n in noise] == [1] * 8


def test_small_things_are_dropped_and_the_ids_have_no_gaps():
    probability = np.zeros((11, 13))
    probability[1, 1:5] = probability[3:5, 1:3] = probability[7:10, 3:6] = probability[0:2, 9:12] = 1
    assert np.bincount(split_nuclei(probability, min_area=1).ravel())[1:].tolist() == [6, 4, 4, 9]
    assert np.bincount(split_nuclei(probability, min_area=5).ravel())[1:].tolist() == [6, 9]
    assert split_nuclei(probability, min_area=10).max() == 0


def test_exact_small_cases():
    dumb_bell = np.zeros((7, 15))
    dumb_bell[1:6, 1:6] = dumb_bell[1:6, 9:14] = dumb_bell[3, 6:9] = 1  # heights 3, 1 and 3
    assert split_nuclei(dumb_bell, min_depth=1.9).max() == 2
    assert split_nuclei(dumb_bell, min_depth=2.1).max() == 1
    assert split_nuclei(dumb_bell, neck=0.34).max() == 2
    assert split_nuclei(dumb_bell, neck=0.33).max() == 1
    assert split_nuclei(np.array([[0.5, 0.5001]]), min_area=1).tolist() == [[0, 1]]  # more than the threshold
    assert split_nuclei(np.array([[0.7, 0.2]]), threshold=0.8, min_area=1).tolist() == [[0, 0]]


@pytest.mark.parametrize("shape", [(1, 1), (1, 31), (29, 1), (2, 2), (31, 37), (5, 7, 11)])
def test_empty_and_full_pictures_of_any_shape(shape):
    empty, full = split_nuclei(np.zeros(shape), min_area=1), split_nuclei(np.ones(shape), min_area=1)
    assert empty.shape == full.shape == shape
    assert empty.dtype == full.dtype == np.int32
    assert not empty.any()
    assert (full == 1).all()


def test_the_foreground_is_shared_out_completely():
    random = np.random.default_rng(3)
    probability = ndimage.gaussian_filter(random.random((101, 103)), 3)
    foreground = probability > np.median(probability)
    nuclei = split_nuclei(foreground.astype(float), min_area=1)
    assert np.array_equal(nuclei > 0, foreground)
    assert np.array_equal(np.unique(nuclei), np.arange(nuclei.max() + 1))
    assert all(ndimage.label(nuclei == number)[1] == 1 for number in range(1, nuclei.max() + 1))


def test_it_finds_the_nuclei_of_real_label_maps():
    if not SOURCE.is_file():
        pytest.skip(f"no {SOURCE}")
    masks = defaultdict(list)
    with ZipFile(SOURCE) as source:
        for name in source.namelist():
            if "/masks/" in name and name.endswith(".png"):
                masks[name.split("/masks/")[0]].append(name)
        truths = [merge(source, masks[case]) for case in sorted(masks)[::50]]
    foregrounds = [(truth > 0).astype(np.float32) for truth in truths]
    split = [dsb_score(t, split_nuclei(f)) for t, f in zip(truths, foregrounds, strict=True)]
    connected = [dsb_score(t, label(f, connectivity=1)) for t, f in zip(truths, foregrounds, strict=True)]
    assert np.mean(split) > 0.8
    assert np.mean(split) > np.mean(connected) + 0.05


def merge(source, names):
    masks = [np.asarray(Image.open(source.open(name)).convert("L")) > 0 for name in names]
    return np.max([number * mask for number, mask in enumerate(masks, start=1)], axis=0)


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("threshold", 1.0, r"threshold must lie in \[0, 1\), got 1.0"),
        ("neck", 0, r"neck must lie in \(0, 1\], got 0"),
        ("min_depth", -0.5, "min_depth must be 0 pixels at least, got -0.5"),
        ("min_area", 0, "min_area must be 1 pixel at least, got 0"),
    ],
)
def test_options_out_of_range_are_refused(option, value, message):
    with pytest.raises(ValueError, match=message):
        split_nuclei(np.zeros((3, 3)), **{option: value})
    with pytest.raises(ValueError, match=message):
        SplitNucleid("pred", **{option: value})


def test_the_transform_keeps_what_is_known_of_the_picture():
    probability = draw((23, 41), (11, 10, 8, 8, 0), (11, 30, 7, 7, 0))
    picture = MetaTensor(torch.tensor(probability)[None], affine=torch.diag(torch.tensor([2.0, 3.0, 1.0, 1.0])))
    picture.meta["filename_or_obj"] = "a.png"
    item = {"pred": picture, "image": "untouched"}
    result = pickle.loads(pickle.dumps(SplitNucleid("pred", min_area=5)))(item)
    assert isinstance(result["pred"], MetaTensor)
    assert result["pred"].dtype == torch.int32
    assert result["pred"].meta["filename_or_obj"] == "a.png"
    assert torch.equal(result["pred"].affine, picture.affine)
    assert np.array_equal(result["pred"][0].numpy(), split_nuclei(probability))
    assert result["image"] == "untouched"
    assert item["pred"] is picture
    assert type(SplitNucleid("pred")({"pred": torch.tensor(probability)[None]})["pred"]) is torch.Tensor


def test_nuclei_of_different_classes_are_parted_where_they_touch():
    probability = torch.zeros(2, 5, 7)
    probability[0, :, :3], probability[1, :, 3:6], probability[1, :, :3] = 0.9, 0.8, 0.6
    nuclei = SplitNucleid("pred", min_area=1)({"pred": probability})["pred"]
    assert nuclei.tolist() == [[[1, 1, 1, 2, 2, 2, 0]] * 5]


def test_the_depth_parts_what_the_outline_does_not():
    bar = np.zeros((9, 30), np.float32)
    bar[2:7, 2:28] = 1
    columns = np.arange(30)
    depth = np.broadcast_to(np.clip(1 - np.minimum(abs(columns - 8), abs(columns - 21)) / 8, 0, 1), bar.shape)
    assert split_nuclei(bar).max() == 1
    parted = split_nuclei(bar, depth=depth)
    assert parted.max() == 2
    assert (parted[4, 2:14] == 1).all()
    assert (parted[4, 16:28] == 2).all()
    assert np.array_equal(split_nuclei(bar, depth=np.ones_like(bar)), split_nuclei(bar))
    item = {"pred": torch.from_numpy(np.stack([bar, depth]).astype(np.float32))}
    assert np.array_equal(SplitNucleid("pred", depth=True)(item)["pred"][0], parted)
