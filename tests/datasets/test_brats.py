"""Preparing brain tumours: every layout in one data set, every fault named, nothing half-made."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from tiny_heads import LPS, SHAPE, case_2015, case_2019, case_2023, case_decathlon, tumour, voxels, write

from shared.datasets import LoadModalitiesd, LoadTumourd, select_cases
from shared.datasets.brats import format_summary, prepare
from shared.errors import UserError

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "brats"

IDS = [f"BraTS19_X_{i:03d}_1" for i in range(4)]
IDS += ["BraTS-GLI-00000-000", "BraTS-GLI-00000-001", "BRATS_001", "brats_2013_pat0001_1", "pat2"]


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every layout: two grades, two time points of a patient, a case that lacks modalities but has a mask."""
    root = tmp_path_factory.mktemp("heads") / "raw"
    for number in range(4):
        case_2019(root / ("LGG" if number % 2 else "HGG"), number)
    for visit in range(2):
        case_2023(root, 4 + visit, f"BraTS-GLI-00000-00{visit}")
    case_decathlon(root / "imagesTr/BRATS_001.nii", root / "labelsTr/BRATS_001.nii", 6)
    case_2015(root, 7, "brats_2013_pat0001_1")
    z_scored = voxels(80).astype(np.float32) / 1000 - 1
    write(root / "pat2" / "Flair_z.nii.gz", z_scored)
    write(root / "pat2" / "brainmask.nii.gz", (voxels(80) > 0).astype(np.uint8))
    write(root / "pat2" / "OTMultiClass.nii.gz", np.array([0, 1, 2, 4], np.float32)[tumour()])
    return root


def faults_of(source: Path, **options: object) -> list[str]:
    with pytest.raises(UserError) as caught:
        prepare(source, source.parent / "out", num_folds=2, **options)  # type: ignore[arg-type]
    assert not (source.parent / "out").exists()
    first, *lines = str(caught.value).split("\n  ")
    assert first.startswith(f"{source}: {len(lines)} fault"), first
    return [line.replace(f"{source}/", "") for line in lines]


def test_all_layouts_in_one_data_set(raw: Path, tmp_path: Path) -> None:
    summary = prepare(raw, tmp_path / "out", allow_missing=True, num_folds=4, num_workers=2)
    content = json.loads((tmp_path / "out" / "datalist.json").read_text(encoding="utf-8"))
    assert sorted(content["labels"]) == ["0", "1", "2", "3"]
    by_id = {case["id"]: case for case in content["training"]}
    conventions = {id_: case["label_convention"] for id_, case in by_id.items()}
    releases = ["2019"] * 4 + ["2023"] * 2 + ["decathlon"] + ["2015"] * 2
    assert conventions == dict(zip(IDS, releases, strict=True))
    assert by_id["BraTS-GLI-00000-000"]["fold"] == by_id["BraTS-GLI-00000-001"]["fold"]
    assert [by_id[f"BraTS19_X_{i:03d}_1"]["type"] for i in range(2)] == ["HGG", "LGG"]
    assert list(by_id["pat2"]) == [
        "id", "image", "label", "mask", "channel_order", "label_convention", "fold", "group", "type",
    ]  # fmt: skip

    read = {case["id"]: case for case in select_cases(tmp_path / "out", "others", -1, 3)}
    for number, id_ in enumerate(IDS):
        item = LoadTumourd()(LoadModalitiesd()(read[id_]))
        np.testing.assert_array_equal(item["label"][0].numpy(), tumour(number if number < 8 else 0))
        if id_ != "pat2":
            np.testing.assert_array_equal(item["image"].numpy(), [voxels(10 * number + i) for i in range(4)])
        else:
            assert item["image"].meta["present"].tolist() == [False, False, False, True]

    assert format_summary(summary).split("\n") == [
        "cases      9 of 8 patients; HGG: 2, LGG: 2, grade unknown: 5",
        "per fold   3 (HGG: 1, grade unknown: 2), 2 (LGG: 1, grade unknown: 1), 2 (LGG: 1, grade unknown: 1), "
        "2 (HGG: 1, grade unknown: 1)",
        "labels     numbered as in 2015: 2, 2019: 4, 2023: 2, decathlon: 1",
        "sizes      24x20x16: 9 (voxels), 1x1x1: 9 (mm)",
        "axes       LPS: 8, RAS: 1",
        f"maxima     of a modality from {(voxels(80).max() / 1000 - 1):.6g} to 2999",
        "necrotic and non-enhancing tumour core: in 9 cases, there 0.00978 ml on average",
        "peritumoral oedema: in 9 cases, there 0.208 ml on average",
        "enhancing tumour: in 9 cases, there 0.0702 ml on average",
        f"written    {tmp_path / 'out' / 'datalist.json'}; the volumes stay where they are",
        "note       1 cases without t1, t1ce, t2",
    ]
    assert sum(summary["folds"]) == 9


def test_folds_spread_the_grades(tmp_path: Path) -> None:
    for number in range(6):
        case_2019(tmp_path / "raw" / ("LGG" if number < 2 else "HGG"), number)
    summary = prepare(tmp_path / "raw", tmp_path / "out", num_folds=2, num_workers=1)
    assert summary["folds_grades"] == [{"HGG": 2, "LGG": 1}] * 2
    assert "per fold   3 (HGG: 2, LGG: 1), 3 (HGG: 2, LGG: 1)" in format_summary(summary)


def test_groups_keep_a_patient_in_one_fold(tmp_path: Path) -> None:
    for number in range(4):
        case_2019(tmp_path / "raw", number, f"pat{number // 2}_visit{number % 2}")
    raw, table = tmp_path / "raw", tmp_path / "groups.csv"
    table.write_text("id,group\nother,p2\n" + "".join(f"pat{n // 2}_visit{n % 2},p{n // 2}\n" for n in range(4)))
    summary = prepare(raw, tmp_path / "grouped", groups=table, num_folds=2, num_workers=1)
    cases = json.loads((tmp_path / "grouped" / "datalist.json").read_text())["training"]
    assert sorted({(case["group"], case["id"][:4]) for case in cases}) == [("p0", "pat0"), ("p1", "pat1")]
    assert len({(case["group"], case["fold"]) for case in cases}) == 2
    text = format_summary(summary)
    assert "note       the groups file has 1 ids more than the data; left out" in text
    assert "patient of its own" not in text
    alone = format_summary(prepare(raw, tmp_path / "alone", num_folds=2, num_workers=1))
    assert "note       each case counts as a patient of its own; if some are of one patient, give --groups" in alone
    table.write_text("id,group\npat0_visit0,p0\n")
    assert faults_of(raw, groups=table, num_workers=1) == [
        f"{table}: lacks 3 ids of the data: pat0_visit1, pat1_visit0, pat1_visit1 -> add them"
    ]


def test_all_faults_come_at_once(tmp_path: Path) -> None:
    root = tmp_path / "raw"
    a, b, c, d, e, f = (case_2019(root, number, name) for number, name in enumerate("abcdef"))
    write(a / "a_t2.nii.gz", voxels(2)[:-1])
    write(a / "a_seg.nii.gz", tumour(), np.eye(4))
    (b / "b_t1.nii.gz").write_bytes((b / "b_t1.nii.gz").read_bytes()[:2000])
    write(b / "b_flair.nii.gz", np.full(SHAPE, np.nan, np.float32))
    write(b / "b_t2.nii.gz", 0 * voxels(0))
    write(c / "c_seg.nii.gz", tumour())
    (c / "c_t1.nii.gz").unlink()
    for kind in ("t1", "t2"):
        write(d / f"d_{kind}.nii", voxels(42))
        (d / f"d_{kind}.nii.gz").unlink()
    write(e / "e_flair.nii.gz", np.stack([voxels(0), voxels(1)], -1))
    write(f / "f_t1.nii.gz", voxels(50), LPS + np.eye(4)[:, [3, 3, 3, 0]])
    faults = faults_of(root, num_workers=2)
    damaged = [fault for fault in faults if fault.startswith("b/b_t1.nii.gz: damaged or unsupported (")]
    assert len(damaged) == 1
    one_grid = "bring all files of the case to one grid"
    assert [fault for fault in faults if fault not in damaged] == [
        "c: no t1 -> add it, or give --allow_missing",
        f"a/a_t2.nii.gz: shape 23x20x16 instead of 24x20x16, which a_t1.nii.gz has -> {one_grid}",
        f"a/a_seg.nii.gz: orientation RAS instead of LPS, which a_t1.nii.gz has -> {one_grid}",
        "b/b_flair.nii.gz: holds NaN or infinity in 7680 voxels -> replace them by numbers",
        "b/b_t2.nii.gz: t2 holds nothing, one value throughout the brain -> download or convert it again, or give "
        "--allow_missing",
        "c/c_seg.nii.gz: label 3, unknown to the convention 2019 (0, 1, 2, 4) -> correct it, or name the convention "
        "that the labels follow",
        "e/e_flair.nii.gz: shape 24x20x16x2 where three axes should be -> save one volume in one file",
        *(
            f"f/f_{kind}.nii.gz: another affine, its voxels lie up to 1 mm apart, which f_t1.nii.gz has -> {one_grid}"
            for kind in ("t1ce", "t2", "flair", "seg")
        ),
        "d/d_t2.nii: t2 has the voxels of t1 -> replace one of them",
        "e/e_t2.nii.gz: t2 has the voxels of d/d_t1.nii -> delete one of the cases, or replace the file",
    ]


def test_the_same_case_under_two_names_is_told_once(tmp_path: Path) -> None:
    case_2019(tmp_path / "raw", 1, "a")
    case_2019(tmp_path / "raw", 1, "b")
    assert faults_of(tmp_path / "raw", num_workers=1) == [
        "b/b_t1.nii.gz: t1 has the voxels of a/a_t1.nii.gz -> delete one of the cases, or replace the file"
    ]


def test_decathlon_without_four_channels_and_an_empty_mask(tmp_path: Path) -> None:
    root = tmp_path / "raw"
    case_decathlon(root / "imagesTr/a.nii", root / "labelsTr/a.nii", 1)
    write(root / "imagesTr/a.nii", voxels(1), np.eye(4))
    write(root / "p" / "Flair.nii", voxels(2))
    write(root / "p" / "OT.nii", tumour())
    write(root / "p" / "brainmask.nii", 0 * voxels(0))
    assert faults_of(root, allow_missing=True, num_workers=1) == [
        "imagesTr/a.nii: shape 24x20x16 -> the last of four axes should hold flair, t1, t1ce, t2",
        "p/brainmask.nii: an empty mask of the brain -> replace it",
    ]


def test_a_table_of_one_s_own_files(tmp_path: Path) -> None:
    root = tmp_path / "raw"
    rows = ["case,t1,t1ce,t2,flair,seg,group"]
    for number in range(3):
        for i in range(4):
            write(root / f"{number}_{i}.nrrd", voxels(10 * number + i))
        write(root / f"{number}.mha", tumour())
        rows.append(
            f"c{number},{number}_0.nrrd,{number}_1.nrrd,{number}_2.nrrd,{number}_3.nrrd,{number}.mha,p{number % 2}"
        )
    (root / "cases.csv").write_text("\n".join(rows))
    with pytest.raises(UserError, match=r"groups: .*cases\.csv has a column group too; leave out --groups, or empty"):
        prepare(root, tmp_path / "out", root / "cases.csv", root / "groups.csv", label_convention="2023")
    summary = prepare(root, tmp_path / "out", root / "cases.csv", label_convention="2023", num_folds=2, num_workers=1)
    assert (summary["patients"], sorted(summary["folds"])) == (2, [1, 2])
    case = select_cases(tmp_path / "out", "others", -1)[1]
    item = LoadTumourd()(LoadModalitiesd()(case))
    np.testing.assert_array_equal(item["image"].numpy(), [voxels(10 + i) for i in range(4)])
    np.testing.assert_array_equal(item["label"][0].numpy(), tumour())


def test_a_background_that_is_not_known_is_told(tmp_path: Path) -> None:
    for number in range(2):
        folder = case_2019(tmp_path / "raw", number, f"x{number}")
        write(folder / f"x{number}_t1.nii.gz", voxels(8 + number).astype(np.float32) - 0.5)
    values = 1 + np.random.default_rng(0).random(voxels(0).shape, np.float32)
    values[9, 9, 9] = 0  # one voxel is no background
    write(folder / "x1_t2.nii.gz", values)
    text = format_summary(prepare(tmp_path / "raw", tmp_path / "out", num_folds=2, num_workers=1))
    assert "WARNING    no background known in 1 cases (x1): intensities are scaled by the voxels that are not 0" in text


def test_what_holds_nothing_is_missing_and_noise_is_told(tmp_path: Path) -> None:
    for number in range(2):
        case_2019(tmp_path / "raw", number, f"x{number}")
    write(tmp_path / "raw" / "x0" / "x0_t1ce.nii.gz", np.full(SHAPE, 7, np.int16))
    noisy = voxels(12) + np.random.default_rng(0).normal(0, 3, SHAPE)
    write(tmp_path / "raw" / "x1" / "x1_t2.nii.gz", noisy.astype(np.float32))
    text = format_summary(prepare(tmp_path / "raw", tmp_path / "set", allow_missing=True, num_folds=2, num_workers=1))
    assert "note       1 cases without t1ce\n" in text
    assert "WARNING    modalities that hold nothing, taken as missing: t1ce of x0\n" in text
    assert "WARNING    noise or ringing outside the brain in 1 cases (x1), taken as 0; is the skull removed?" in text
    for kind in ("t1", "t2", "flair"):
        write(tmp_path / "raw" / "x0" / f"x0_{kind}.nii.gz", np.zeros(SHAPE, np.int16))
    lines = faults_of(tmp_path / "raw", allow_missing=True, num_workers=1)
    assert lines[0] == (
        "x0/x0_t1.nii.gz: t1 holds nothing, one value throughout the brain -> download or convert it again"
    )
    assert len(lines) == 4


def test_a_guessed_orientation_is_told(tmp_path: Path) -> None:
    for number in range(2):
        folder = case_2019(tmp_path / "raw", number, f"x{number}")
    for file in folder.iterdir():
        nib.save(nib.Nifti1Image(np.asanyarray(nib.load(file).dataobj), None), file)
    text = format_summary(prepare(tmp_path / "raw", tmp_path / "out", num_folds=2, num_workers=1))
    told = "WARNING    the header does not tell where the axes point (qform_code and sform_code are 0) in 1 cases (x1)"
    assert told in text


def test_a_resection_cavity_is_background_and_never_enhancing(tmp_path: Path) -> None:
    for number in range(2):
        folder = case_2023(tmp_path / "raw", number, f"BraTS-GLI-0000{number}-100")
    labels = tumour(1)
    labels[:2] = 4
    seg = write(folder / f"{folder.name}-seg.nii.gz", labels)
    (line,) = faults_of(tmp_path / "raw", num_workers=1)
    assert line.endswith(
        "label 4, unknown to the convention 2023 (0, 1, 2, 3) -> if 4 is the resection cavity of BraTS 2024, give "
        "--label_convention 2024; else correct it, or name the convention that the labels follow"
    )
    for wrong in ("2015", "2019"):
        with pytest.raises(UserError, match=f"label_convention: {wrong} reads 4 as enhancing, but .*/raw/BraTS-GLI-00"):
            prepare(tmp_path / "raw", tmp_path / "out", label_convention=wrong, num_folds=2)
    options = {"label_convention": "2024", "num_folds": 2, "num_workers": 1}
    text = format_summary(prepare(tmp_path / "raw", tmp_path / "out", **options))  # type: ignore[arg-type]
    assert "note       a resection cavity (label 4) in 1 cases (BraTS-GLI-00001-100) is background\n" in text
    case = select_cases(tmp_path / "out", "others", -1)[1]
    np.testing.assert_array_equal(LoadTumourd()(case)["label"][0].numpy(), tumour(1) * (labels < 4))

    with pytest.raises(UserError, match="--label_convention 2024"):
        LoadTumourd(label_convention="2019")({"label": str(write(seg, labels))})


def test_wrong_options_and_nothing_to_learn(tmp_path: Path) -> None:
    folder = case_2019(tmp_path / "raw", 1, "a")
    for options, message in (
        ({"num_workers": 0}, "num_workers: 0 is too few; give 1 or more"),
        ({"label_convention": "2020"}, "label_convention: '2020' is none of 2015, 2019, 2023, 2024, decathlon"),
        (
            {"table": "x.csv"},
            "label_convention: a table needs it, since numbers do not tell what they mean; one of 2015",
        ),
        ({"num_folds": 2}, "num_folds: 2 folds cannot be made of 1 groups"),
        ({"label_convention": "2023"}, "a_seg.nii.gz: label 4, unknown to the convention 2023"),
    ):
        with pytest.raises(UserError, match=message):
            prepare(tmp_path / "raw", tmp_path / "out", **options)  # type: ignore[arg-type]
    case_2019(tmp_path / "raw", 2, "b")
    for name in "ab":
        write(folder.parent / name / f"{name}_seg.nii.gz", 0 * tumour())
    with pytest.raises(UserError, match="source: no case in .* has a tumour, so that nothing can be learned; add some"):
        prepare(tmp_path / "raw", tmp_path / "out", num_folds=2, num_workers=1)
    assert [path.name for path in tmp_path.iterdir()] == ["raw"]


@pytest.mark.skipif(not DATA.is_dir(), reason=f"no {DATA}")
def test_real_patches(tmp_path: Path) -> None:
    summary = prepare(DATA / "msd_task01_patches", tmp_path / "out", num_folds=2, num_workers=1)
    assert (summary["cases"], summary["patients"], summary["folds"]) == (8, 2, [4, 4])
    assert summary["conventions"] == {"decathlon": 8}
