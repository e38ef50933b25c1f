"""Synthetic heads: the layout of BraTS 2019, nested regions, one seed one head, and something to learn."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from scipy import ndimage
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import f1_score

from shared.errors import UserError
from shared.synthetic import brats
from shared.synthetic.heads import smooth_noise

SHAPE = (49, 53, 40)


def test_the_layout_is_that_of_2019(tmp_path: Path) -> None:
    ids = brats.synthesize(tmp_path / "raw", cases=4, seed=5, size="17x19x16")
    assert ids == [f"BraTS19_SYN5_00{n}_1" for n in (1, 2, 3, 4)]
    files = sorted(path.relative_to(tmp_path / "raw").as_posix() for path in (tmp_path / "raw").rglob("*.nii.gz"))
    grades = ["HGG", "HGG", "HGG", "LGG"]
    kinds = ("flair", "seg", "t1", "t1ce", "t2")
    assert files == [f"{g}/{i}/{i}_{kind}.nii.gz" for g, i in zip(grades, ids, strict=True) for kind in kinds]
    modalities, labels = brats.draw_case(5, 1, (17, 19, 16))
    for name, values in {**modalities, "seg": labels}.items():
        image = nib.load(tmp_path / "raw" / f"HGG/{ids[1]}/{ids[1]}_{name}.nii.gz")
        assert image.get_data_dtype() == np.int16
        assert nib.aff2axcodes(image.affine) == ("L", "P", "S")
        np.testing.assert_array_equal(image.affine[:, 3], [0, 18, 0, 1])
        np.testing.assert_array_equal(np.asanyarray(image.dataobj), values)


def test_regions_are_nested_in_the_brain() -> None:
    for number in range(4):
        modalities, labels = brats.draw_case(1, number, SHAPE)
        brain = modalities["t1"] > 0
        assert all(np.array_equal(values > 0, brain) for values in modalities.values())
        assert ndimage.label(brain)[1] == 1
        assert 0.12 < brain.mean() < 0.22
        whole, core, enhancing = labels > 0, (labels == 1) | (labels == 4), labels == 4
        assert brain[whole].all()
        assert 0.005 < whole.sum() / brain.sum() < 0.3
        # Nearly all that touches the core from outside is oedema, and of high grade what touches necrosis enhances.
        around = ndimage.binary_dilation(core) & ~core & brain
        assert whole[around].mean() > 0.9
        if number < 3:
            rim = ndimage.binary_dilation(labels == 1) & (labels != 1)
            assert enhancing[rim].mean() > 0.5
            assert set(np.unique(labels)) == {0, 1, 2, 4}


def test_one_seed_gives_one_head_whatever_else_is_drawn() -> None:
    one, labels = brats.draw_case(7, 2, (20, 22, 18))
    again, same = brats.draw_case(7, 2, (20, 22, 18))
    other, _ = brats.draw_case(8, 2, (20, 22, 18))
    assert np.array_equal(labels, same)
    assert all(np.array_equal(one[name], again[name]) for name in one)
    assert not np.array_equal(one["t2"], other["t2"])


def test_noise_has_mean_0_and_deviation_1() -> None:
    noise = smooth_noise(np.random.default_rng(0), (61, 53, 47), 5)
    assert noise.shape == (61, 53, 47)
    assert abs(noise.mean()) < 0.1
    assert 0.9 < noise.std() < 1.1
    assert np.corrcoef(noise[1:].ravel(), noise[:-1].ravel())[0, 1] > 0.9


def test_a_forest_on_single_voxels_learns_most_of_it() -> None:
    """Trained on some heads it finds whole tumour and rim in others, though gains differ widely."""

    def samples(number: int) -> tuple[np.ndarray, np.ndarray]:
        modalities, labels = brats.draw_case(0, number, SHAPE)
        brain = labels * 0 < modalities["t1"]
        columns = []
        for values in modalities.values():
            scaled = values[brain] / np.median(values[brain])
            smooth = ndimage.gaussian_filter(values.astype(float), 1)[brain] / np.median(values[brain])
            columns += [scaled, smooth]
        return np.stack(columns, axis=1), labels[brain]

    features, truth = (np.concatenate(parts) for parts in zip(*(samples(n) for n in (0, 1, 2)), strict=True))
    forest = RandomForestClassifier(12, max_depth=10, class_weight="balanced", random_state=0)
    forest.fit(features[::3], truth[::3])
    features, truth = samples(4)
    found = forest.predict(features)
    assert f1_score(truth > 0, found > 0) > 0.6
    assert f1_score(truth == 4, found == 4) > 0.5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cases": 0}, "cases: 0 is too few; give 1 or more"),
        ({"seed": -1}, "seed: -1 is negative; give 0 or more"),
        ({"size": "64x64"}, "size: '64x64' is not WIDTHxHEIGHTxDEPTH of 16 voxels or more, such as 64x64x48"),
        ({"size": "9999x9999x9999"}, "size: drawing 9999x9999x9999 takes about 99,970.0 GB of memory, "),
        ({"size": f"{5000 * '9'}x64x64"}, "is not WIDTHxHEIGHTxDEPTH"),
        ({"size": "64x64x15"}, "size: '64x64x15' is not"),
    ],
)
def test_wrong_options_are_refused_before_anything_is_written(tmp_path: Path, options: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        brats.synthesize(tmp_path / "raw", **options)
    assert not list(tmp_path.iterdir())
