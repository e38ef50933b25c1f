"""Reading a case: one order, one numbering, on the grid of the files, held against plain nibabel."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.data import DataLoader, Dataset, MetaTensor
from monai.transforms import Compose, LoadImaged, Orientationd
from scipy.spatial.transform import Rotation
from tiny_heads import LPS, OBLIQUE, SHAPE, case_2019, case_decathlon, tumour, voxels, write

from shared.datasets import LoadModalitiesd, LoadTumourd
from shared.datasets.brats_conventions import number_labels
from shared.errors import UserError

LOAD = Compose([LoadModalitiesd(), LoadTumourd(label_convention="2019")])
ORDER = ["t1", "t1ce", "t2", "flair"]


def files_of(folder: Path) -> list[str]:
    return [str(folder / f"{folder.name}_{name}.nii.gz") for name in ORDER]


def test_four_files_and_one_give_the_same(tmp_path: Path) -> None:
    folder = case_2019(tmp_path, 1, "a")
    case_decathlon(tmp_path / "b.nii.gz", tmp_path / "c.nii.gz", 1)
    four = LOAD({"image": files_of(folder), "label": str(folder / "a_seg.nii.gz")})
    one = LOAD(
        {
            "image": str(tmp_path / "b.nii.gz"),
            "label": str(tmp_path / "c.nii.gz"),
            "label_convention": "decathlon",
        }
    )
    oracle = np.stack([np.asanyarray(nib.load(file).dataobj) for file in files_of(folder)])
    for item in (four, one):
        assert (item["image"].dtype, item["label"].dtype) == (torch.float32, torch.uint8)
        np.testing.assert_array_equal(item["image"].numpy(), oracle)
        np.testing.assert_array_equal(item["label"][0].numpy(), tumour(1))
        assert item["image"].meta["present"].all()
        assert not {"channel_order", "mask"} & set(item)
    np.testing.assert_array_equal(four["image"].affine, LPS)
    np.testing.assert_array_equal(one["label"].affine, np.eye(4))


def test_meta_is_that_of_monai_and_an_oblique_grid_is_kept(tmp_path: Path) -> None:
    paths = [str(write(tmp_path / f"{i}{end}", voxels(i), OBLIQUE)) for i, end in enumerate([".nii", ".mha", ".nrrd"])]
    item = LoadModalitiesd(channel_order=("flair", "t1", "t2"))({"image": paths})
    theirs = LoadImaged("image", ensure_channel_first=True)({"image": paths[0]})["image"]
    ours = item["image"]
    assert isinstance(ours, MetaTensor)
    torch.testing.assert_close(ours.affine, theirs.affine)
    for key in ("original_affine", "spatial_shape", "space", "filename_or_obj"):
        np.testing.assert_array_equal(ours.meta[key], theirs.meta[key])
    np.testing.assert_array_equal(ours.numpy(), np.stack([voxels(1), np.zeros(SHAPE), voxels(2), voxels(0)]))
    assert ours.meta["present"].tolist() == [True, False, True, True]
    turned = Orientationd("image", axcodes="RAS", labels=None)({"image": ours})["image"]
    np.testing.assert_array_equal(turned[3].numpy(), voxels(0)[::-1, ::-1])


def test_outside_the_mask_all_is_0_and_cases_of_all_kinds_stand_in_one_batch(tmp_path: Path) -> None:
    brain = voxels(0) > 0
    path = write(tmp_path / "flair.nii.gz", np.where(brain, voxels(0) / 1000 - 1, -3.5).astype(np.float32))
    mask = write(tmp_path / "mask.nii.gz", brain * np.float32(0.9999999))
    folder = case_2019(tmp_path, 1, "a")
    seg = str(folder / "a_seg.nii.gz")
    cases = [
        {"image": [str(path)], "label": seg, "mask": str(mask), "channel_order": ["flair"]},
        {"image": files_of(folder), "label": seg},
    ]
    batch = next(iter(DataLoader(Dataset(cases, LOAD), batch_size=2)))
    assert batch["image"].shape == (2, 4, *SHAPE)
    assert batch["image"].meta["present"].tolist() == [[False, False, False, True], [True] * 4]
    flair = batch["image"][0, 3].numpy()
    assert not flair[~brain].any()
    np.testing.assert_allclose(flair[brain], voxels(0)[brain] / 1000 - 1, atol=1e-6)
    assert not batch["image"][0, :3].any()


def test_a_background_of_another_value_becomes_0(tmp_path: Path) -> None:
    brain = voxels(0) > 0
    standardised = np.where(brain, voxels(0) / 1000 + 1, -3.5).astype(np.float32)
    standardised[9, 9, 9] = 0  # as the mean itself becomes
    paths = [str(write(tmp_path / f"{name}.nii.gz", standardised)) for name in ("t1", "flair")]
    image = LoadModalitiesd(channel_order=("t1", "flair"))({"image": paths})["image"]
    assert image.meta["background"].tolist() == [-3.5, 0, 0, -3.5]
    np.testing.assert_array_equal(image[0].numpy(), np.where(brain, standardised, 0))
    assert torch.equal(image[0], image[3]) and not image[1:3].any()


BRAIN = voxels(0).astype(np.float32)[4:-4, 3:-3, 2:-2]


@pytest.mark.parametrize(
    "values",
    [
        np.pad(np.pad(BRAIN, 1, constant_values=-3.5), 8),
        np.pad(BRAIN, 3, constant_values=-3.5) + (np.indices([size + 6 for size in BRAIN.shape]).sum(0) == 0),
        np.pad(BRAIN, 10, constant_values=-3.5)[10:, 10:, 10:],
        np.random.default_rng(0).integers(58, 62, (20, 20, 16)).astype(np.float32),
    ],
    ids=["0 all around", "a corner of another value", "brain at a corner", "brain alone in whole numbers"],
)
def test_nothing_else_is_taken_as_background(tmp_path: Path, values: np.ndarray) -> None:
    image = LoadModalitiesd(channel_order=("t1",))({"image": [str(write(tmp_path / "t1.nii.gz", values))]})["image"]
    assert not image.meta["background"].any()
    np.testing.assert_array_equal(image[0].numpy(), values)


@pytest.mark.parametrize("background", [0, -3.5])
def test_a_mask_in_place_of_the_images_is_no_case(tmp_path: Path, background: float) -> None:
    mask = np.where(voxels(0) > 0, 1, background).astype(np.float32)
    paths = [str(write(tmp_path / f"{name}.nii.gz", mask)) for name in ("t1", "flair")]
    load = LoadModalitiesd(channel_order=("t1", "flair"))
    with pytest.raises(UserError, match="t1.nii.gz: one value throughout the brain in all modalities, as masks have"):
        load({"image": paths})
    write(tmp_path / "flair.nii.gz", voxels(0))
    assert load({"image": paths})["image"].meta["present"].tolist() == [False, False, False, True]


def test_labels_are_turned_as_their_image_is_whatever_rounding_makes_of_it(tmp_path: Path) -> None:
    """At 45 degrees a digit decides which axis comes first."""
    folder = case_2019(tmp_path, 1, "a")
    for file, angle in ((folder / "a_seg.nii.gz", 45 + 1e-5), *((file, 45 - 1e-5) for file in files_of(folder))):
        affine = np.eye(4)
        affine[:3, :3] = Rotation.from_euler("z", angle, degrees=True).as_matrix()
        write(Path(file), np.asanyarray(nib.load(file).dataobj), affine)
    item = LOAD({"image": files_of(folder), "label": str(folder / "a_seg.nii.gz")})
    item = Orientationd(["image", "label"], axcodes="LPS", labels=None)(item)
    assert torch.equal(item["image"].affine, item["label"].affine)
    assert item["image"].shape[1:] == item["label"].shape[1:]


def test_a_guessed_orientation_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    nib.save(nib.Nifti1Image(voxels(1), None), tmp_path / "a_t1.nii")
    item = LoadModalitiesd(channel_order=["t1"])({"image": [str(tmp_path / "a_t1.nii")]})
    assert not item["image"].meta["is_placed"]
    told = "a_t1.nii: the header does not tell where the axes point (qform_code and sform_code are 0); taken as LAS"
    assert told in caplog.text


@pytest.mark.parametrize("value", [0, 7, 0.3])
def test_a_modality_that_holds_nothing_is_missing(
    tmp_path: Path, value: float, caplog: pytest.LogCaptureFixture
) -> None:
    """0 or one value throughout, or one in the brain, which a float32 need not keep exactly."""
    folder = case_2019(tmp_path, 1, "a")
    for empty in (np.full(SHAPE, value), (voxels(0) > 0) * value * (1 + 1e-7 * voxels(3) / 3000)):
        write(folder / "a_t1ce.nii.gz", empty.astype(np.float32))
        image = LoadModalitiesd()({"image": files_of(folder)})["image"]
        assert image.meta["present"].tolist() == [True, False, True, True]
        assert not image[1].any() and image[[0, 2, 3]].any()
        told = "a_t1.nii.gz: t1ce holds nothing, one value throughout the brain; taken as missing"
        assert told in caplog.text
        caplog.clear()


def test_a_copy_is_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = case_2019(tmp_path, 1, "a")
    write(folder / "a_t1ce.nii.gz", voxels(10) * np.float32(0.25))
    image = LoadModalitiesd()({"image": files_of(folder)})["image"]
    assert image.meta["copy_of"].tolist() == [-1, 0, -1, -1]
    assert image.meta["present"].all() and "a_t1.nii.gz: t1ce is a copy of t1; replace one of them" in caplog.text


def test_noise_becomes_0_and_is_told(tmp_path: Path) -> None:
    folder = case_2019(tmp_path, 1, "a")
    noise = np.random.default_rng(0).normal(0, 3, SHAPE)
    write(folder / "a_t2.nii.gz", (voxels(5) + noise).astype(np.float32))
    image = LoadModalitiesd()({"image": files_of(folder)})["image"]
    assert (image.meta["noise"] > 0).tolist() == [False, False, True, False] and not image.meta["background"].any()
    assert np.count_nonzero(image[2][voxels(5) == 0]) < 0.1 * np.count_nonzero(voxels(5) == 0)


@pytest.mark.parametrize(
    ("convention", "stored", "inside"),
    [
        ("2015", [0, 1, 2, 3, 4], [0, 1, 2, 1, 3]),
        ("2019", [0, 1, 2, 4], [0, 1, 2, 3]),
        ("2023", [0, 1, 2, 3], [0, 1, 2, 3]),
        ("decathlon", [0, 1, 2, 3], [0, 2, 1, 3]),
    ],
)
def test_numbers_of_every_convention(convention: str, stored: list[int], inside: list[int]) -> None:
    for dtype in (np.uint8, np.int16, np.int64, np.float32, np.float64):
        labels = number_labels("a", np.array(stored, dtype), convention)
        assert (labels.dtype, labels.tolist()) == (np.uint8, inside)
    rounded = number_labels("a", np.array(stored, np.float32) * np.float32(0.9999999), convention)
    assert rounded.tolist() == inside


def test_other_numbers_are_refused() -> None:
    unknown = "a: label 3, unknown to the convention 2019 (0, 1, 2, 4) -> correct it, or name the convention"
    for values, message in (
        (np.array([0, 3], np.int16), unknown),
        (np.array([-1, 4, 257, 300, 2], np.int16), "a: label -1, 257, 300, unknown"),
        (np.array([0, 0.5], np.float32), "a: broken numbers in a label"),
    ):
        with pytest.raises(UserError) as caught:
            number_labels("a", values, "2019")
        assert str(caught.value).startswith(message)
    with pytest.raises(ValueError, match="convention must be one of 2015, 2019, 2023, 2024, decathlon, got '2020'"):
        number_labels("a", np.zeros(2), "2020")


def test_mistakes_in_a_case(tmp_path: Path) -> None:
    folder = case_2019(tmp_path, 1, "a")
    files = files_of(folder)
    seg = str(folder / "a_seg.nii.gz")
    flat = write(tmp_path / "flat.nii", voxels(0)[1:])
    case_decathlon(tmp_path / "four.nii", tmp_path / "l.nii", 1)
    four = str(tmp_path / "four.nii")
    for item, message in (
        ({"image": files[:3], "label": seg}, "3 files, but channel_order is t1, t1ce, t2, flair"),
        ({"image": four, "channel_order": ["t1"], "label": seg}, "4 modalities along its last axis, but channel_order"),
        ({"image": files, "channel_order": ["t1", "t1", "t2", "pd"], "label": seg}, "channel_order is t1, t1, t2, pd"),
        ({"image": [*files[:3], str(flat)], "label": seg}, "flat.nii: shape 23x20x16 instead of 24x20x16"),
        ({"image": [files[0], four, *files[2:]], "label": seg}, "four.nii: orientation RAS instead of LPS"),
        ({"image": files, "mask": str(flat), "label": seg}, "flat.nii: shape"),
        ({"image": files, "label": four}, "four.nii: labels of more than three axes"),
        ({"image": files, "label": seg, "label_convention": "2011"}, "label_convention is '2011'"),
        ({"image": files, "label": seg, "label_convention": "2023"}, "label 4, unknown to the convention 2023"),
    ):
        with pytest.raises((UserError, RuntimeError)) as caught:
            LOAD(item)
        assert message in str(caught.value.__cause__ or caught.value)
    for wrong in ({"channel_order": ("t1", "pd")}, {"channel_order": ()}):
        with pytest.raises(ValueError, match="channel_order must name some of t1, t1ce, t2, flair"):
            LoadModalitiesd(**wrong)
    with pytest.raises(ValueError, match="label_convention must be one of"):
        LoadTumourd(label_convention="x")
