import numpy as np
import pytest
from PIL import Image
from scipy import ndimage
from skimage.measure import label, regionprops

from shared.errors import UserError
from shared.synthetic import dagm

CLASSES = sorted(dagm.FAMILIES)


def read(folder):
    """All files of a folder by their relative path."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_layout_is_the_official_one(tmp_path):
    names = dagm.synthesize(tmp_path / "raw", cases=11, seed=1, class_id=3, size="61x83")
    files = read(tmp_path / "raw")
    assert {name for name in files if "Label" not in name} == set(names)
    for half, numbers in (("Test", (1, 3, 5, 7, 9, 11)), ("Train", (2, 4, 6, 8, 10))):
        folder = f"Class3/{half}"
        assert [name for name in names if half in name] == [f"{folder}/{number:04d}.PNG" for number in numbers]
        wanted = "1\n"
        for number in numbers:
            is_defective = number in (1, 2, 9, 10)
            end = f"{number:04d}_label.PNG" if is_defective else "0\t"
            wanted += f"{number:04d}\t{is_defective:d}\t{number:04d}.PNG\t0\t{end}\n"
            picture, mask = dagm.draw_case(1, number - 1, 3, (61, 83))
            with Image.open(tmp_path / "raw" / f"{folder}/{number:04d}.PNG") as file:
                assert file.mode == "L"
                assert np.array_equal(file, picture)
            if is_defective:
                with Image.open(tmp_path / "raw" / f"{folder}/Label/{number:04d}_label.PNG") as file:
                    assert file.mode == "L"
                    assert np.array_equal(file, mask)
        assert files[f"{folder}/Label/Labels.txt"].decode() == wanted
    assert sum("_label" in name for name in files) == 4


def test_a_case_depends_on_seed_class_size_and_number_only(tmp_path):
    options = {"two": (2, 3, 1), "three": (3, 3, 1), "seed": (2, 4, 1), "class": (2, 3, 2)}
    for name, (cases, seed, class_id) in options.items():
        dagm.synthesize(tmp_path / name, cases, seed, class_id, "32x48")
    two, three, *others = ({k: v for k, v in read(tmp_path / name).items() if k.endswith("PNG")} for name in options)
    assert two.items() < three.items()
    for other in others:
        assert not set(two.values()) & set(other.values())


@pytest.mark.parametrize("class_id", CLASSES)
@pytest.mark.parametrize("shape", [(32, 32), (33, 150), (97, 41)])
def test_any_size(class_id, shape):
    for number in range(3):
        picture, mask = dagm.draw_case(0, number, class_id, shape)
        assert (picture.shape, picture.dtype, mask.shape, mask.dtype) == (shape, np.uint8, shape, np.uint8)
        assert picture.std() > 5
        assert set(np.unique(mask)) == ({0} if number == 2 else {0, 255})


@pytest.mark.parametrize("class_id", CLASSES)
def test_the_label_is_an_ellipse_that_encloses_the_defect(class_id, monkeypatch):
    """The same picture drawn without its defect differs inside the label only, and not up to its outline."""
    shape = (256, 300)
    for number in (0, 1, 8, 9, 16, 17):
        mask = dagm.draw_case(5, number, class_id, shape)[1]
        drawn = []
        family = dagm.FAMILIES[class_id]

        def keep(random, patch, frame, drawn=drawn, family=family):
            drawn.append(np.abs(family.defect(random, patch, frame) - patch))
            drawn.append(frame)
            return patch

        with monkeypatch.context() as patched:
            patched.setitem(dagm.FAMILIES, class_id, family._replace(defect=keep))
            assert np.array_equal(dagm.draw_case(5, number, class_id, shape)[1], mask)
        change, frame = drawn
        inside = mask[frame.window] > 0
        assert change.max() > 0.5
        assert change[~inside].max(initial=0) < 0.05
        assert change[frame.u**2 + frame.v**2 > 0.9].max(initial=0) < 0.3
        (region,) = regionprops(label(mask > 0))
        whole = region.bbox[0] > 0 and region.bbox[1] > 0 and region.bbox[2] < 256 and region.bbox[3] < 300
        if whole:
            area = np.pi / 4 * region.axis_major_length * region.axis_minor_length
            assert area == pytest.approx(region.area, rel=0.02)  # an ellipse
        assert 0.005 < (mask > 0).mean() < 0.08


@pytest.mark.parametrize("class_id", CLASSES)
def test_a_simple_detector_finds_most_defects(class_id):
    """It lies where the surface is smoothest, or least like the rest; a network can do better."""
    found = 0
    numbers = [8 * k + i for k in range(4) for i in (0, 1)]
    for number in numbers:
        picture, mask = dagm.draw_case(0, number, class_id, (240, 240))
        values = picture.astype(float)
        values -= ndimage.gaussian_filter(values, 40)
        rows, columns = ndimage.sobel(values, 0), ndimage.sobel(values, 1)
        features = [values, values**2, rows**2, columns**2, rows * columns, np.abs(ndimage.laplace(values))]
        smooth = np.stack([ndimage.gaussian_filter(feature, 8) for feature in features], axis=-1).reshape(-1, 6)
        centred = smooth - np.median(smooth, axis=0)
        distance = np.einsum("ni,ij,nj->n", centred, np.linalg.inv(np.cov(centred.T)), centred)
        found += mask.ravel()[[distance.argmax(), smooth[:, -1].argmin()]].any()
    assert found >= 0.6 * len(numbers)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cases": 0}, "cases: 0 is too few; give 1 or more"),
        ({"seed": -1}, "seed: -1 is negative; give 0 or more"),
        ({"class_id": 11}, r"class_id: 11 is not one of 1\.\.10"),
        ({"class_id": 0}, r"class_id: 0 is not one of 1\.\.10"),
        ({"size": "512"}, "size: '512' is not HEIGHTxWIDTH of 32 pixels or more, such as 256x320"),
        ({"size": "31x512"}, "size: '31x512' is not HEIGHTxWIDTH of 32 pixels or more"),
    ],
)
def test_wrong_options_are_refused_before_anything_is_written(tmp_path, options, message):
    with pytest.raises(UserError, match=message):
        dagm.synthesize(tmp_path / "raw", **options)
    assert not list(tmp_path.iterdir())


def test_one_case_alone(tmp_path):
    assert dagm.synthesize(tmp_path / "raw", cases=1, size="32x32") == ["Class1/Test/0001.PNG"]
    assert len(read(tmp_path / "raw")) == 3
