import numpy as np
import pytest
from PIL import Image
from skimage.measure import label, regionprops

from shared.cli import main
from shared.errors import UserError
from shared.synthetic import surfaces


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    """The first eight pictures, and masks of four; one of each flaw, two of them small pits or scratches."""
    folder = tmp_path_factory.mktemp("surfaces") / "raw"
    surfaces.synthesize(folder, cases=8)
    return folder


def pixels(file):
    with Image.open(file) as picture:
        return np.asarray(picture)


def test_sizes_and_masks(raw):
    pictures, masks = (sorted((raw / name).iterdir()) for name in ("images", "masks"))
    found = {file.stem: pixels(file) for file in pictures}
    assert [found[name].shape[:2] for name in sorted(found, key=lambda name: name[-3:])][:6] == [
        *surfaces.SIZES,
        surfaces.SIZES[0],
    ]
    assert [mask.stem for mask in masks] == ["Prüfling_007", "part 001", "part 003", "part 005"]
    assert {picture.shape[2:] for picture in found.values()} == {(3,)}
    for file in masks:
        mask = pixels(file)
        assert mask.shape == found[file.stem].shape[:2]
        assert mask.max() > 200 and len(np.unique(mask)) > 3  # grey at the rim


def test_flaws_have_the_sizes_that_they_are_said_to_have(raw):
    scratch, stain, pits = (pixels(raw / "masks" / f"part {number:03d}.png") > 127 for number in (1, 3, 5))
    (line,) = regionprops(label(scratch, connectivity=2))
    assert line.area / line.axis_major_length < 4
    (blot,) = regionprops(label(stain))
    assert 0.25 * min(stain.shape) < blot.axis_major_length <= 0.7 * min(stain.shape)
    assert all(pit.equivalent_diameter_area <= 11 for pit in regionprops(label(pits)) if pit.solidity > 0.95)


def test_the_first_pictures_are_the_same_however_many_there_are(raw, tmp_path):
    surfaces.synthesize(tmp_path / "two", cases=2)
    surfaces.synthesize(tmp_path / "other", cases=2, seed=1)
    for file in (tmp_path / "two").rglob("*.*"):
        assert file.read_bytes() == (raw / file.relative_to(tmp_path / "two")).read_bytes()
        other = tmp_path / "other" / file.relative_to(tmp_path / "two")
        assert other.read_bytes() != file.read_bytes()


def test_it_goes_on_with_prepare(tmp_path, capsys):
    raw = str(tmp_path / "raw")
    assert main(["synthesize", "surfaces", "--output", raw, "--cases", "12"]) == 0
    words = capsys.readouterr().out.partition("python -m shared ")[2].split()
    words[words.index("DIR")] = str(tmp_path / "data")
    assert main([*words, "--num_folds", "2", "--num_workers", "1"]) == 0
    assert "12" in capsys.readouterr().out


@pytest.mark.parametrize("options", [{"cases": 0}, {"seed": -1}])
def test_options_out_of_range(tmp_path, options):
    with pytest.raises(UserError, match=f"^{next(iter(options))}: "):
        surfaces.synthesize(tmp_path / "raw", **options)
    assert not list(tmp_path.iterdir())
