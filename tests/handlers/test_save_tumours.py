"""From files to label maps on their own grids, through a real evaluator with a network that reads labels off T1."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import torch
from ignite.engine import Engine
from monai.data import DataLoader, MetaTensor
from monai.engines import SupervisedEvaluator
from monai.inferers import SimpleInferer
from monai.transforms import Compose, CopyItemsd, CropForegroundd, Lambdad, Orientationd
from PIL import Image
from tiny_heads import LPS, OBLIQUE, SHAPE, tumour, voxels, write

from shared.datasets import LoadModalitiesd, TolerantDataset, list_brats_cases
from shared.errors import UserError
from shared.handlers import SaveTumours, check_tumours
from shared.handlers.save_tumours import doubts, tumour_volumes
from shared.transforms.invert_readable import InvertReadabled

GRID = ("pixdim", "xyzt_units", "qform_code", "sform_code", "quatern_b", "quatern_c", "quatern_d", "qoffset_x",
        "qoffset_y", "qoffset_z", "srow_x", "srow_y", "srow_z")  # fmt: skip


class Reader(torch.nn.Module):
    """Probabilities of whole tumour, core and enhancing tumour from T1, which holds the labels plus 1 in the brain."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        labels = image[:, :1] - 1
        return torch.cat([labels >= 1, (labels == 1) | (labels == 3), labels == 3], dim=1).float() * 0.75


def segment(data: Path, out: Path, skip_existing: bool = False, **options: Any) -> dict[str, dict[str, str]]:
    """Run inference on a folder, with a crop and a turn that have to be undone."""
    load = Compose(
        [
            LoadModalitiesd(),
            CopyItemsd("image", names="raw"),
            Orientationd("image", axcodes="RAS", labels=None),
            CropForegroundd("image", "image", allow_smaller=False),
        ]
    )
    after = Compose(
        [
            InvertReadabled("pred", load, orig_keys="image", nearest_interp=False),
            CopyItemsd("pred", names="probability"),
            Lambdad("pred", lambda p: torch.where(p[2:] > 0.5, 3, torch.where(p[1:2] > 0.5, 1, 2 * (p[:1] > 0.5)))),
        ]
    )
    cases = list_brats_cases(data, out, skip_existing)
    dataset = TolerantDataset(cases, load, copies=["raw"], channels=4, spatial_dims=3)
    handler = SaveTumours(out, skip_existing=skip_existing, **options)
    loader = DataLoader(dataset, batch_size=1)
    SupervisedEvaluator(
        "cpu", loader, Reader(), inferer=SimpleInferer(), postprocessing=after, val_handlers=[handler]
    ).run()
    with (out / "findings.csv").open() as file:
        return {row["case"]: row for row in csv.DictReader(file)}


def brain(dtype: type = np.int16) -> np.ndarray:
    """T1 for ``Reader``; the tumour touches nothing but the brain."""
    values = np.zeros(SHAPE, dtype)
    values[4:-4, 3:-3, 2:-2] = 1
    return values + tumour(1).astype(dtype)


def four(folder: Path, ends: str = ".nii.gz", affine: np.ndarray = LPS) -> None:
    for number, kind in enumerate(("t1", "t1ce", "t2", "flair")):
        write(folder / f"{folder.name}_{kind}{ends}", voxels(number) if number else brain(), affine)


def test_each_result_lies_on_the_grid_of_its_input(tmp_path: Path) -> None:
    data, out = tmp_path / "data", tmp_path / "out"
    four(data / "s" / "oblique", affine=OBLIQUE)
    image = nib.Nifti1Image(brain(), OBLIQUE)
    image.header.set_xyzt_units("mm", "sec")
    image.set_qform(OBLIQUE, 3)
    image.set_sform(None, 0)
    image.header["pixdim"][4] = 0
    nib.save(image, data / "s" / "oblique" / "oblique_t1.nii.gz")
    four(data / "ras", ".NII.GZ", np.diag([1.0, 1, 1, 1]))
    four(data / "itk", ".mha", OBLIQUE)
    (data / "sub").mkdir()
    decathlon = np.stack([voxels(3), brain(), voxels(1), voxels(2)], axis=-1)
    nib.save(nib.Nifti2Image(decathlon, LPS), data / "sub" / "two.nii")
    rows = segment(data, out, save_probability=True)
    assert sorted(path.relative_to(out).as_posix() for path in out.rglob("*.nii.gz")) == [
        f"{name}_{kind}.nii.gz" for name in ("itk", "oblique", "ras", "sub/two") for kind in ("prob", "seg")
    ]
    expected = np.array([0, 1, 2, 4], np.uint8)[tumour(1)]
    for name, file in (
        ("oblique", "s/oblique/oblique_t1.nii.gz"),
        ("ras", "ras/ras_t1.NII.GZ"),
        ("sub/two", "sub/two.nii"),
    ):
        source = (nib.Nifti2Image if name == "sub/two" else nib.Nifti1Image).from_bytes(unpacked(data / file))
        for kind, dtype in (("seg", np.uint8), ("prob", np.int16)):
            result = nib.load(out / f"{name}_{kind}.nii.gz")
            assert type(result) is type(source) and result.get_data_dtype() == dtype
            for field in GRID:
                np.testing.assert_array_equal(result.header[field], source.header[field], err_msg=field)
            np.testing.assert_array_equal(result.affine, source.affine)
    assert list(rows) == ["itk", "oblique", "ras", "sub/two"]
    for name in rows:
        np.testing.assert_array_equal(np.asanyarray(nib.load(out / f"{name}_seg.nii.gz").dataobj), expected)
        probability = nib.load(out / f"{name}_prob.nii.gz").get_fdata()
        regions = np.stack([expected > 0, (expected == 1) | (expected == 4), expected == 4], axis=-1)
        np.testing.assert_allclose(probability, 0.75 * regions, atol=2e-5)
    itk = nib.load(out / "itk_seg.nii.gz")
    np.testing.assert_allclose(itk.affine, OBLIQUE, atol=1e-5)
    np.testing.assert_allclose(itk.get_qform(), OBLIQUE, atol=1e-5)
    assert (int(itk.header["sform_code"]), itk.header.get_xyzt_units()) == (1, ("mm", "unknown"))


def unpacked(path: Path) -> bytes:
    return gzip.decompress(path.read_bytes()) if path.name.lower().endswith(".gz") else path.read_bytes()


def test_volumes_of_tiny_voxels_keep_their_digits() -> None:
    labels = np.array([[[1, 2, 3, 3]]])
    for side in (1e-5, 0.01, 30.0):
        voxel = side**3 / 1000
        volumes = tumour_volumes(labels, np.diag([side, side, side, 1]))
        assert volumes == pytest.approx({"wt": 4 * voxel, "tc": 3 * voxel, "et": 2 * voxel}, rel=1e-6, abs=0)


@pytest.mark.parametrize(
    ("convention", "numbers"), [("2019", [0, 1, 2, 4]), ("2023", [0, 1, 2, 3]), ("decathlon", [0, 2, 1, 3])]
)
def test_numbering_and_volumes_by_hand(tmp_path: Path, convention: str, numbers: list[int]) -> None:
    four(tmp_path / "data" / "a", affine=OBLIQUE)
    row = segment(tmp_path / "data", tmp_path / "out", label_convention=convention)["a"]
    labels = np.asanyarray(nib.load(tmp_path / "out" / "a_seg.nii.gz").dataobj)
    np.testing.assert_array_equal(labels, np.array(numbers)[tumour(1)])
    voxel = 1.1 * 0.9 * 2.5 / 1000
    whole, core = 8 * 6 * 6, 5 * 4 * 4
    expected = [f"{count * voxel:.6g}" for count in (whole, core, core - 2 * 2 * 3)]
    assert [row[f"volume_{region}_ml"] for region in ("wt", "tc", "et")] == expected
    assert row["warnings"] == "voxels of 1.1x0.9x2.5 mm, the network sees 1x1x1 mm"
    assert row["error"] == ""


def test_a_case_that_cannot_be_read_has_a_row_and_is_tried_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data, out = tmp_path / "data", tmp_path / "out"
    for name in "abc":
        four(data / name)
    broken = data / "b" / "b_t2.nii.gz"
    sound = broken.read_bytes()
    broken.write_bytes(sound[:-40])
    rows = segment(data, out)
    assert [bool(row["error"]) for row in rows.values()] == [False, True, False]
    assert f"{broken}: damaged" in rows["b"]["error"] and rows["b"]["volume_wt_ml"] == ""
    assert not (out / "b_seg.nii.gz").exists()
    with pytest.raises(UserError, match="1 of 3 cases could not be segmented, the others are done; see .*findings.csv"):
        check_tumours(out)

    broken.write_bytes(sound)
    before = (out / "a_seg.nii.gz").stat().st_mtime_ns
    (out / "c_seg.nii.gz").unlink()
    rows = segment(data, out, skip_existing=True, label_convention="2023")
    assert list(rows) == ["a", "b", "c"] and not any(row["error"] for row in rows.values())
    assert (out / "a_seg.nii.gz").stat().st_mtime_ns == before
    assert nib.load(out / "c_seg.nii.gz").get_fdata().max() == 3
    with caplog.at_level("INFO"):
        check_tumours(out)
    assert "3 cases, a tumour found in 3; table: " in caplog.text


def test_the_overlay_is_written(tmp_path: Path) -> None:
    four(tmp_path / "data" / "a")
    segment(tmp_path / "data", tmp_path / "out", save_overlay=True)
    with Image.open(tmp_path / "out" / "a_overlay.png") as picture:
        pixels = np.asarray(picture)
    assert (pixels == (255, 96, 0)).all(axis=-1).any() and not (pixels == (0, 255, 0)).all(axis=-1).any()


def raw_of(values: np.ndarray, present: list[bool], affine: np.ndarray = LPS) -> MetaTensor:
    meta = {"present": np.array(present), "copy_of": np.full(4, -1), "filename_or_obj": "a_t1.mha"} | {
        "is_placed": True
    }
    meta |= {name: np.zeros(4) for name in ("background", "noise")}
    return MetaTensor(torch.from_numpy(values), affine=torch.from_numpy(affine), meta=meta)


def test_doubts() -> None:
    sound = np.zeros((4, 10, 10, 10), np.float32)
    sound[:, :, :, :8] = 1
    assert list(doubts(raw_of(sound, [True] * 4), 3.5, patch_size=(10, 10, 10))) == []
    noisy = sound.copy()
    noisy[1, :, :, 8] = -1
    thick = np.diag([0.5, 1, 1.5, 1])
    assert list(doubts(raw_of(noisy, [False, True, True, False], thick), 0, (1, 1, 1), (6, 12, 6))) == [
        "modalities missing: t1, flair",
        "no tumour found",
        "background is not 0 (90% of the voxels are not); is the skull removed?",
        "voxels of 0.5x1x1.5 mm, the network sees 1x1x1 mm",
        "only 5 mm thick, the network sees 6 mm",
    ]
    thick[2, 2] = 2.9
    assert list(doubts(raw_of(sound, [True] * 4, thick), 1, (2, 2, 2), (2, 4, 3))) == []
    assert list(doubts(raw_of(sound, [True] * 4), 1, left_out=1.2345)) == [
        "left out 1.23 ml of oedema apart from any core; --lone_oedema True keeps it"
    ]
    standardised = raw_of(sound, [True] * 4)
    standardised.meta["background"][[1, 3]] = -3.456, -0.5
    assert list(doubts(standardised, 1)) == ["taken as background, which should be 0: -3.46 in t1ce, -0.5 in flair"]
    standardised.meta |= {"background": np.zeros(4), "is_placed": False}
    assert list(doubts(standardised, 1)) == [
        "the header does not tell where the axes point (qform_code and sform_code are 0); taken as LPS"
    ]
    ringing = raw_of(sound, [True] * 4)
    ringing.meta["noise"][[0, 2]] = 7.5
    assert list(doubts(ringing, 1)) == [
        "noise or ringing outside the brain taken as background: t1, t2; is the skull removed?"
    ]


def test_what_enhances_is_doubtful_without_its_modality() -> None:
    sound = np.zeros((4, 10, 10, 10), np.float32)
    guess = "volume_et_ml is a guess without t1ce, which alone shows what enhances"
    missing = raw_of(sound, [True, False, True, True])
    assert list(doubts(missing, 1)) == ["modalities missing: t1ce", guess]
    copied = raw_of(sound, [True] * 4)
    copied.meta["copy_of"][[1, 3]] = 0, 2
    assert list(doubts(copied, 1)) == ["t1ce is a copy of t1", "flair is a copy of t2", guess]


def save(tmp_path: Path, shape: tuple[int, ...], probability: float, **more: int) -> dict[str, str]:
    """What the table says of a case with this label map and probability, on voxels of 1 mm."""
    raw = raw_of(np.ones((4, 3, 4, 5), np.float32), [True] * 4)
    engine = Engine(lambda engine, item: None)
    engine.state.batch = [{"id": "a", "file": "a", "raw": raw, "error": ""}]
    engine.state.output = [{"pred": torch.zeros(shape), "probability": torch.full((3, 3, 4, 5), probability)} | more]
    handler = SaveTumours(tmp_path / "out")
    handler.save(engine)
    (row,) = handler.rows["a"]
    return {name: str(value) for name, value in row.items()}


def test_what_the_network_must_not_give(tmp_path: Path) -> None:
    assert not save(tmp_path, (1, 3, 4, 5), 0.5).get("error")
    assert "a: the network gave NaN" in save(tmp_path, (1, 3, 4, 5), np.nan)["error"]
    with pytest.raises(ValueError, match=r"must lie on the grid \(3, 4, 5\) of the input, got pred \(1, 3, 4, 4\)"):
        save(tmp_path, (1, 3, 4, 4), 0.5)


def test_what_was_left_out_is_told(tmp_path: Path) -> None:
    warnings = save(tmp_path, (1, 3, 4, 5), 0.5, pred_left_out=1500)["warnings"]
    assert "left out 1.5 ml of oedema apart from any core" in warnings


@pytest.mark.parametrize("wrong", ["2015", "2024"])
def test_a_convention_that_cannot_be_written(tmp_path: Path, wrong: str) -> None:
    with pytest.raises(UserError, match=f"label_convention: '{wrong}' is none of 2019, 2023, decathlon"):
        SaveTumours(tmp_path, label_convention=wrong)
