import re

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage
from skimage.filters import threshold_otsu

from shared.errors import UserError
from shared.synthetic import dsb


def read(folder):
    """All files of a folder by their relative path."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_layout_is_that_of_the_competition(tmp_path):
    ids = dsb.synthesize(tmp_path / "raw", cases=5, seed=1, size="61x83")
    assert sorted(path.name for path in (tmp_path / "raw").iterdir()) == sorted(ids)
    assert len(set(ids)) == 5
    for number, id_ in enumerate(ids):
        assert re.fullmatch("[0-9a-f]{64}", id_)
        folder = tmp_path / "raw" / id_
        assert [path.name for path in (folder / "images").iterdir()] == [f"{id_}.png"]
        with Image.open(folder / "images" / f"{id_}.png") as picture:
            assert (picture.mode, picture.size) == ("RGBA", (83, 61))
            pixels = np.asarray(picture)
        assert (pixels[..., 3] == 255).all()
        claims = np.zeros((61, 83), int)
        for path in (folder / "masks").iterdir():
            assert re.fullmatch(r"[0-9a-f]{64}\.png", path.name)
            with Image.open(path) as mask:
                assert (mask.mode, mask.size) == ("L", (83, 61))
                assert [value for _, value in mask.getcolors()] == [0, 255]
                claims += np.asarray(mask) == 255
        assert claims.max() == 1
        assert np.array_equal(claims, dsb.draw_case(1, number, (61, 83))[1] > 0)


def test_a_case_depends_on_seed_and_number_only(tmp_path):
    for name, cases, seed in (("two", 2, 3), ("three", 3, 3), ("other", 2, 4)):
        dsb.synthesize(tmp_path / name, cases, seed, "32x48")
    two, three, other = (read(tmp_path / name) for name in ("two", "three", "other"))
    assert two.items() < three.items()
    assert not set(two) & set(other)
    assert not set(two.values()) & {data for name, data in other.items() if "images" in name}


@pytest.mark.parametrize("shape", [(16, 16), (16, 131), (67, 23)])
def test_every_nucleus_is_one_piece_of_21_pixels_at_least(shape):
    for number in range(8):
        picture, labels = dsb.draw_case(0, number, shape)
        assert (picture.shape, picture.dtype) == ((*shape, 3), np.uint8)
        areas = np.bincount(labels.ravel())[1:]
        assert len(areas) >= 1
        assert areas.min() >= 21
        assert all(ndimage.label(labels == nucleus)[1] == 1 for nucleus in range(1, labels.max() + 1))


def test_sizes_are_a_mixture():
    shapes = {dsb.draw_case(0, number)[1].shape for number in range(12)}
    assert len(shapes) > 1
    assert shapes <= set(dsb.SIZES)


def dice(found, truth):
    return 2 * np.count_nonzero(found & truth) / (np.count_nonzero(found) + np.count_nonzero(truth))


def test_both_looks_show_their_nuclei_but_no_single_threshold_does():
    cases = [dsb.draw_case(0, number, (128, 128)) for number in range(24)]
    stained, dark = cases[3::4], [case for number, case in enumerate(cases) if number % 4 != 3]
    assert all((picture == picture[..., :1]).all() and np.median(picture) < 128 for picture, _ in dark)
    for picture, _ in stained:
        red, green, blue = np.moveaxis(picture.astype(int), -1, 0)
        assert np.median(green) > 100
        assert min(red.mean(), blue.mean()) > green.mean()  # purple

    otsu = [dice(picture[..., 0] > threshold_otsu(picture[..., 0]), labels > 0) for picture, labels in dark]
    otsu += [dice(picture[..., 0] < threshold_otsu(picture[..., 0]), labels > 0) for picture, labels in stained]
    assert np.mean(otsu) > 0.8
    for threshold in range(4, 128, 4):
        assert np.mean([dice(picture[..., 0] > threshold, labels > 0) for picture, labels in dark]) < 0.8


def test_nuclei_touch():
    labels = dsb.draw_case(0, 0, (256, 256))[1]
    assert ndimage.label(labels > 0)[1] < labels.max()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cases": 0}, "cases: 0 is too few; give 1 or more"),
        ({"seed": -1}, "seed: -1 is negative; give 0 or more"),
        ({"size": "99999999x99999999"}, "size: drawing 99999999x99999999 takes about "),
        ({"size": "256"}, "size: '256' is not HEIGHTxWIDTH of 16 pixels or more, such as 256x320"),
        ({"size": "15x320"}, "size: '15x320' is not HEIGHTxWIDTH of 16 pixels or more"),
    ],
)
def test_wrong_options_are_refused_before_anything_is_written(tmp_path, options, message):
    with pytest.raises(UserError, match=message):
        dsb.synthesize(tmp_path / "raw", **options)
    assert not list(tmp_path.iterdir())


def test_only_a_new_or_empty_folder_is_written_to(tmp_path):
    occupied = tmp_path / "a"
    occupied.mkdir()
    (occupied / "mine.txt").write_text("kept")
    for output in (occupied, occupied / "mine.txt"):
        with pytest.raises(UserError, match=r"output: .* exists and is not an empty folder; choose another, or delete"):
            dsb.synthesize(output, cases=1)
    assert read(tmp_path) == {"a/mine.txt": b"kept"}
    (tmp_path / "empty").mkdir()
    assert len(dsb.synthesize(tmp_path / "empty", cases=1, size="16x16")) == 1
    with pytest.raises(UserError, match=r"output: cannot write .*mine.txt/raw \(Not a directory\); choose a folder"):
        dsb.synthesize(occupied / "mine.txt" / "raw", cases=1)


def test_nothing_is_left_of_a_run_that_fails(tmp_path, monkeypatch):
    def fail(seed, number, shape):
        if number == 1:
            raise KeyboardInterrupt
        return drawn(seed, number, shape)

    drawn = dsb.draw_case
    monkeypatch.setattr(dsb, "draw_case", fail)
    with pytest.raises(KeyboardInterrupt):
        dsb.synthesize(tmp_path / "raw", cases=2, size="16x16")
    assert not list(tmp_path.iterdir())
