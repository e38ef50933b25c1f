"""Reading volumes: the same voxels on the same grid from every format, and every damage named."""

from __future__ import annotations

import gzip
import re
import tracemalloc
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from tiny_heads import LPS, OBLIQUE, SHAPE, voxels, write

from shared.datasets.volume import Volume, grid_difference, read_volume, without_suffix
from shared.errors import UserError


@pytest.mark.parametrize("affine", [LPS, OBLIQUE], ids=["lps", "oblique"])
@pytest.mark.parametrize("suffix", [".nii", ".NII.GZ", ".mha", ".nrrd"])
def test_every_format_gives_the_same(tmp_path: Path, suffix: str, affine: np.ndarray) -> None:
    volume = read_volume(write(tmp_path / f"a{suffix}", voxels(0), affine))
    np.testing.assert_array_equal(volume.values, voxels(0))
    np.testing.assert_allclose(volume.affine, affine, atol=1e-5)
    assert volume.shape == SHAPE
    assert volume.orientation == "".join(nib.aff2axcodes(affine)) == "LPS"
    assert grid_difference(volume, Volume(voxels(1), affine)) is None


def test_what_nifti_may_hold(tmp_path: Path) -> None:
    """Slope and intercept, a last axis of length 1, NIfTI-2, and files that a browser unpacked."""
    scaled = nib.Nifti1Image(voxels(0)[..., None], LPS)
    scaled.header.set_slope_inter(0.5, -3)
    nib.save(scaled, tmp_path / "scaled.nii")
    oracle = np.asanyarray(nib.load(tmp_path / "scaled.nii").dataobj)[..., 0]
    assert oracle.dtype.kind == "f"
    np.testing.assert_array_equal(read_volume(tmp_path / "scaled.nii").values, oracle)

    nib.save(nib.Nifti2Image(voxels(0), LPS), tmp_path / "two.nii.gz")
    (tmp_path / "unpacked.nii.gz").write_bytes(gzip.decompress((tmp_path / "two.nii.gz").read_bytes()))
    for name in ("two", "unpacked"):
        np.testing.assert_array_equal(read_volume(tmp_path / f"{name}.nii.gz").values, voxels(0))


@pytest.mark.parametrize("more", [(1, 4), (4, 1), (1, 1), (1,), (1, 1, 1)])
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_axes_of_length_1_are_dropped(tmp_path: Path, more: tuple[int, ...], suffix: str) -> None:
    channels = [side for side in more if side > 1]
    values = np.stack([voxels(number) for number in range(4)], -1) if channels else voxels(0)
    path = write(tmp_path / f"a{suffix}", values.reshape(*SHAPE, *more))
    np.testing.assert_array_equal(read_volume(path).values, values)


def test_five_axes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="a.nii: shape 24x20x16x2x4, which is no volume"):
        read_volume(write(tmp_path / "a.nii", np.ones((*SHAPE, 2, 4), np.int16)))


def turned(angle: float) -> np.ndarray:
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_euler("z", angle, degrees=True).as_matrix()
    return affine


def test_rounding_at_45_degrees_is_no_other_orientation() -> None:
    one, other = Volume(voxels(0), turned(45 - 1e-5)), Volume(voxels(0), turned(45 + 1e-5))
    assert one.orientation != other.orientation
    assert grid_difference(one, other) is None
    assert grid_difference(one, Volume(voxels(0), turned(46))) == "orientation RAS instead of ALS"


def test_a_header_without_an_orientation(tmp_path: Path) -> None:
    assert read_volume(write(tmp_path / "a.nii", voxels(0))).is_placed
    nib.save(nib.Nifti1Image(voxels(0), None), tmp_path / "b.nii")
    assert not read_volume(tmp_path / "b.nii").is_placed
    image = nib.Nifti1Image(voxels(0), None)
    image.set_qform(LPS, 1)
    nib.save(image, tmp_path / "c.nii")
    assert read_volume(tmp_path / "c.nii").is_placed
    assert read_volume(write(tmp_path / "d.mha", voxels(0))).is_placed


def test_grids_are_compared_by_where_the_voxels_lie() -> None:
    one = Volume(voxels(0), OBLIQUE)

    def moved(distance: float) -> np.ndarray:
        affine = OBLIQUE.copy()
        affine[1, 3] += distance
        return affine

    assert grid_difference(Volume(voxels(0)[:-1], OBLIQUE), one) == "shape 23x20x16 instead of 24x20x16"
    assert grid_difference(Volume(voxels(0), OBLIQUE @ np.diag([-1, 1, 1, 1])), one) == "orientation RPS instead of LPS"
    assert grid_difference(Volume(voxels(0), moved(0.08)), one) is None
    apart = "another affine, its voxels lie up to 0.1 mm apart"
    assert grid_difference(Volume(voxels(0), moved(0.1)), one) == apart


def test_damage_is_named(tmp_path: Path) -> None:
    whole = write(tmp_path / "whole.nii.gz", voxels(0)).read_bytes()
    flipped = bytearray(whole)
    flipped[len(flipped) // 2] ^= 1
    no_sum = whole[:-8] + bytes(8)
    raw = gzip.decompress(whole)
    mha = write(tmp_path / "whole.mha", voxels(0)).read_bytes()
    nrrd = write(tmp_path / "whole.nrrd", voxels(0)).read_bytes()
    cut = {
        "empty.nii.gz": (b"", "an empty file -> copy it again"),
        "cut.nii.gz": (whole[: len(whole) // 2], "damaged or unsupported ("),
        "flipped.nii.gz": (bytes(flipped), "damaged or unsupported ("),
        "sum.nii.gz": (no_sum, "damaged or unsupported (CRC"),
        "cut.nii": (raw[: len(raw) // 2], "its header promises 15,712 bytes, the file holds 7,856 at most -> copy it"),
        "head.nii": (raw[:100], "not a NIfTI file -> convert it, or give it its true suffix"),
        "text.nii.gz": (b"<html>no such file</html>", "not a NIfTI file"),
        "cut.mha": (mha[:-100], "damaged or unsupported ("),
        "cut.nrrd": (nrrd[:-100], "damaged or unsupported ("),
        "text.mha": (b"nothing", "damaged or unsupported ("),
        "a.MHA": (mha, "a suffix in capitals, which ITK does not know -> rename it with small letters"),
        "a.png": (b"nothing", "none of .nii.gz, .nii, .mha, .nrrd -> convert it to one of these"),
    }
    for name, (data, message) in cut.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(UserError) as caught:
            read_volume(tmp_path / name)
        assert str(caught.value).startswith(f"{tmp_path / name}: {message}"), name
        assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match=r"cannot be opened \(No such file"):
        read_volume(tmp_path / "none.nii.gz")


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_a_header_that_promises_more_than_there_is(
    tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / f"a{suffix}", voxels(0))
    data = bytearray(path.read_bytes() if suffix == ".nii" else gzip.decompress(path.read_bytes()))

    def with_sides(*sides: int) -> None:
        data[42:48] = np.array(sides, "<i2").tobytes()  # dim[1..3]
        path.write_bytes(data if suffix == ".nii" else gzip.compress(data, mtime=0))

    with_sides(32767, 32767, 32767)
    with pytest.raises(UserError, match=f"a{suffix}: its header promises 70,362,301,923,678 bytes, the file holds"):
        read_volume(path)
    with_sides(24, 20, 17)
    with pytest.raises(UserError, match="a.nii.*: its header promises 16,672 bytes, the file holds 15,712 at most"):
        read_volume(path)
    with_sides(-24, 20, 16)
    with pytest.raises(UserError, match=f"a{suffix}: "):
        read_volume(path)
    with_sides(24, 20, 16)
    monkeypatch.setattr("shared.datasets.files.free_memory", lambda: 90_000)
    with pytest.raises(UserError, match=r"reading it takes about 0.0 GB of memory, 0.0 GB are free -> make it smaller"):
        read_volume(path)
    monkeypatch.setattr("shared.datasets.files.free_memory", lambda: 93_000)  # 352 + 7680 voxels of 2 + 2 + 8 bytes
    np.testing.assert_array_equal(read_volume(path).values, voxels(0))


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_nothing_is_kept_of_what_follows_the_voxels(tmp_path: Path, suffix: str) -> None:
    data = nib.Nifti1Image(voxels(0), LPS).to_bytes()
    for zeros, is_sound in ((2**20, True), (2**26, False)):
        whole = data + bytes(zeros)
        (tmp_path / f"a{suffix}").write_bytes(whole if suffix == ".nii" else gzip.compress(whole, 1, mtime=0))
        tracemalloc.start()
        if is_sound:
            np.testing.assert_array_equal(read_volume(tmp_path / f"a{suffix}").values, voxels(0))
        else:
            with pytest.raises(UserError, match=f"a{suffix}: goes on behind the 15,712 bytes that its header promises"):
                read_volume(tmp_path / f"a{suffix}")
        assert tracemalloc.get_traced_memory()[1] < 2**23
        tracemalloc.stop()


def test_headers_of_itk_promise_no_more_than_there_is_and_name_no_other_file(tmp_path: Path) -> None:
    mha = write(tmp_path / "a.mha", voxels(0)).read_bytes()
    nrrd = write(tmp_path / "a.nrrd", voxels(0)).read_bytes()
    other = "a header whose voxels lie in another file -> save both in one file"
    for name, data, message in (
        (
            "sides.mha",
            mha.replace(b"DimSize = 24 20 16", b"DimSize = 24000 20000 16000"),
            "its header promises 15,360,",
        ),
        ("sides.nrrd", nrrd.replace(b"sizes: 24 20 16", b"sizes: 24000 20000 16000"), "its header promises 15,360,"),
        ("other.mha", mha.replace(b"= LOCAL", b"= /dev/zero"), other),
        ("other.nrrd", nrrd.replace(b"encoding:", b"data file: /dev/zero\nencoding:"), other),
        ("long.nrrd", nrrd.replace(b"encoding:", b"#" + bytes(2**17) + b"\nencoding:"), "damaged or unsupported (its"),
    ):
        assert data not in (mha, nrrd)
        (tmp_path / name).write_bytes(data)
        with pytest.raises(UserError) as caught:
            read_volume(tmp_path / name)
        assert str(caught.value).startswith(f"{tmp_path / name}: {message}"), name


def test_numbers_and_headers_that_cannot_be(tmp_path: Path) -> None:
    broken = voxels(0).astype(np.float32)
    broken[3, 3, 3:5] = np.nan, np.inf
    colours = np.zeros(SHAPE, [("R", "u1"), ("G", "u1"), ("B", "u1")])
    flat = nib.Nifti1Image(voxels(0), None)
    flat.header["sform_code"] = 1
    flat.header["srow_x"], flat.header["srow_y"], flat.header["srow_z"] = [1, 0, 0, 0], [1, 0, 0, 0], [0, 0, 1, 0]
    nib.save(flat, tmp_path / "flat.nii")
    huge = np.full(SHAPE, 1e300)
    for name, values, message in (
        ("nan", broken, "holds NaN or infinity in 2 voxels"),
        ("rgb", colours, "values of the type"),
        ("plane", voxels(0)[..., 0], "shape 24x20, which is no volume"),
        ("huge", huge, r"holds values up to 1e\+300, which nothing measures"),
        ("flat", None, "an affine that cannot be inverted"),
    ):
        if values is not None:
            write(tmp_path / f"{name}.nii", values)
        with pytest.raises(UserError, match=f"{name}.nii: {message}"):
            read_volume(tmp_path / f"{name}.nii")


@pytest.mark.parametrize("suffix", [".nii", ".nrrd"])
@pytest.mark.parametrize(("side", "shown"), [(0.001, "1x1x0.001"), (1000, "1x1x1e+03")])
def test_a_spacing_that_no_scan_has(tmp_path: Path, suffix: str, side: float, shown: str) -> None:
    path = write(tmp_path / f"a{suffix}", voxels(0), LPS @ np.diag([1, 1, side, 1]))
    with pytest.raises(UserError, match=f"a{suffix}: voxels of {re.escape(shown)} mm, where 0.05 to 50 can be -> corr"):
        read_volume(path)


@pytest.mark.parametrize(
    ("unit", "wrong"), [("unknown", ""), ("mm", ""), ("meter", "metres"), ("micron", "micrometres")]
)
def test_a_header_counts_in_millimetres(tmp_path: Path, unit: str, wrong: str) -> None:
    image = nib.Nifti1Image(voxels(0), OBLIQUE)
    image.header.set_xyzt_units(unit, "sec")
    nib.save(image, tmp_path / "a.nii")
    if not wrong:
        np.testing.assert_allclose(read_volume(tmp_path / "a.nii").affine, OBLIQUE, atol=1e-5)
        return
    with pytest.raises(UserError, match=f"a.nii: a header in {wrong} -> write its spacing and affine in mm"):
        read_volume(tmp_path / "a.nii")


def test_suffixes() -> None:
    assert [without_suffix(name) for name in ("a.b.NII.gz", "a.nii", "a.Mha", "a.png", "a")] == [
        "a.b",
        "a",
        "a",
        "",
        "",
    ]
