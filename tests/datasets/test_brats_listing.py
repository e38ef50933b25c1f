"""Cases for inference, known by names and headers alone."""

from __future__ import annotations

import gzip
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from shared.datasets import LoadModalitiesd, list_brats_cases
from shared.datasets.brats_source import find_cases
from shared.errors import UserError

DECATHLON = ["flair", "t1", "t1ce", "t2"]
FOUR = ["t1", "t1ce", "t2", "flair"]


def touch(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")
    return root


def volume(path: Path, *shape: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    data = nib.Nifti1Image(np.ones(shape, np.uint8), np.eye(4)).to_bytes()
    path.write_bytes(gzip.compress(data) if path.name.lower().endswith(".gz") else data)
    return path


def ids(*arguments: object, **options: object) -> list[str]:
    return [case["id"] for case in list_brats_cases(*arguments, **options)]  # type: ignore[arg-type]


def test_results_of_an_earlier_run_are_no_cases(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    touch(tmp_path, *(f"a/a_{name}.nii" for name in FOUR), *(f"first/{name}" for name in ("run.json", "findings.csv")))
    volume(tmp_path / "first" / "site" / "a_prob.nii.gz", 4, 4, 4, 3)
    with caplog.at_level("INFO"):
        assert ids(tmp_path, tmp_path / "second") == ["a"]
    assert "left out folders of earlier runs: 1, such as " in caplog.text


def test_all_layouts_with_and_without_labels(tmp_path: Path) -> None:
    touch(
        tmp_path,
        *(f"HGG/a/a_{name}.nii.gz" for name in ("t1", "t1ce", "t2", "FLAIR", "seg")),
        *(f"b/b-{name}.NII.GZ" for name in ("t1n", "t2f")),
        *(f"c/{name}.mha" for name in ("Flair", "OT", "OTMultiClass", "brainmask")),
        "labelled/only_seg.nii.gz",
        "out/z_t1.nii.gz",
        "__MACOSX/x_t1.nii",
    )
    volume(tmp_path / "imagesTs" / "d.nii.gz", 3, 4, 5, 4)
    volume(tmp_path / "x" / "scan.nii", 3, 4, 5, 4)
    cases = {case["id"]: case for case in list_brats_cases(tmp_path, tmp_path / "out")}
    assert list(cases) == ["a", "b", "c", "d", "x/scan"]
    a, b, c, d, scan = cases.values()
    folder = tmp_path / "HGG" / "a"
    files = [str(folder / f"a_{name}.nii.gz") for name in ("t1", "t1ce", "t2", "FLAIR")]
    assert a == {"id": "a", "image": files, "file": str(folder), "channel_order": FOUR}
    assert (b["channel_order"], len(b["image"])) == (["t1", "flair"], 2)
    assert (c["image"], c["mask"]) == ([str(tmp_path / "c/Flair.mha")], str(tmp_path / "c/brainmask.mha"))
    assert d == {"id": "d", "channel_order": DECATHLON} | dict.fromkeys(
        ("image", "file"), str(tmp_path / "imagesTs/d.nii.gz")
    )
    assert scan["image"] == str(tmp_path / "x/scan.nii")


def test_one_case(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path / "pat1", "T1.nii.gz", "T2.nii.gz")
    touch(tmp_path / "imagesTr", "e.nii.gz")
    scan = volume(tmp_path / "x" / "scan.nii.gz", 3, 4, 5, 4)
    assert ids(tmp_path / "pat1", "out") == ["pat1"]
    assert ids(scan, "out") == ["scan"]
    assert ids(tmp_path / "imagesTr", "out") == ids(tmp_path / "imagesTr/e.nii.gz", "out") == ["e"]
    monkeypatch.chdir(tmp_path / "pat1")
    assert ids(".", "out") == ids("..", "out")[1:2] == ["pat1"]


def test_another_order_of_channels(tmp_path: Path) -> None:
    file = tmp_path / "scan.nii.gz"
    values = np.arange(1, 5) * np.ones((3, 4, 5, 1), np.int16)
    values[-1] += 9  # a modality of one value is none
    nib.save(nib.Nifti1Image(values.astype(np.int16), np.eye(4)), file)
    for order, expected in ((None, [2, 3, 4, 1]), (FOUR, [1, 2, 3, 4])):
        (case,) = list_brats_cases(file, "out", channel_order=order)
        assert LoadModalitiesd()(case)["image"][:, 0, 0, 0].tolist() == expected
    assert ids(tmp_path, "out", channel_order=["flair"]) == ["scan"]  # its four are told to be one when it is read
    for wrong in ([], ["t1", "t1"], ["t1", "dwi"], "dwi"):
        with pytest.raises(UserError, match="channel_order: .*; name the modalities of your 4-D files once: t1, t1ce"):
            list_brats_cases(file, "out", channel_order=wrong)


def test_an_order_of_channels_that_says_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    touch(tmp_path, "a/T1.nii.gz", "a/T2.nii.gz")
    with pytest.raises(UserError, match=r"channel_order: no case is one file .*, such as T1.nii.gz; leave it out"):
        list_brats_cases(tmp_path, "out", channel_order=FOUR)
    volume(tmp_path / "b.nii", 3, 4, 5, 4)
    cases = list_brats_cases(tmp_path, "out", channel_order=FOUR)
    assert [case["channel_order"] for case in cases] == [["t1", "t2"], FOUR]
    assert f"channel_order says nothing of 1 cases with a file for each modality, such as {tmp_path}/a" in caplog.text


def test_files_of_unknown_names(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    touch(tmp_path, *(f"a/a_{name}.nii.gz" for name in FOUR))
    volume(tmp_path / "a" / "a_parcels.nii.gz", 3, 4, 5)
    volume(tmp_path / "a" / "dwi.nii.gz", 3, 4, 5, 65)
    volume(tmp_path / "a" / "all.nii.gz", 3, 4, 5, 4)
    volume(tmp_path / "atlas.nii.gz", 3, 4, 5, 1)
    volume(tmp_path / "five.nii.gz", 3, 4, 5, 5)
    volume(tmp_path / "vector.nii.gz", 3, 4, 5, 1, 4)
    volume(tmp_path / "single.nii.gz", 3, 4, 5, 1, 1)
    touch(tmp_path, "a/broken.nii.gz", "broken.nii.gz", "plain.mha")
    assert ids(tmp_path, "out") == [
        "a",
        "a/all",
        "broken",
        "five",
        "vector",
    ]  # the last two get their errors when they are read
    assert f"tell no modality: 6, such as {tmp_path}/a/a_parcels.nii.gz" in caplog.text
    assert ids(tmp_path, "out", channel_order=["t1"]) == ["a", "atlas", "broken", "five", "plain", "single", "vector"]


def test_all_faults_at_once(tmp_path: Path) -> None:
    touch(
        tmp_path,
        *(f"a/a_{name}.nii.gz" for name in ("t1", "T1CE", "t2")),
        *(f"HGG/A/A_{name}.nii.gz" for name in FOUR),
        "HGG/A/A_T2.nii",
        *(f"flat/{name}.nii.gz" for name in ("c_t1", "d_t1", "d_fl")),
    )
    volume(tmp_path / "a" / "dark_fluid.nii.gz", 3, 4, 5)
    volume(tmp_path / "flat" / "d_fl.nii.gz", 3, 4, 5)
    volume(tmp_path / "s.nii", 3, 4, 5, 4)
    volume(tmp_path / "s.nii.gz", 3, 4, 5, 4)
    with pytest.raises(UserError) as raised:
        list_brats_cases(tmp_path, "out")
    top = f"{tmp_path}"
    assert str(raised.value).split("\n  ") == [
        f"{top}: 5 faults; nothing was written:",
        f"{top}/HGG/A/A_t2.nii.gz: it and A_T2.nii both look like t2 -> rename or move one",
        f"{top}/a: its results would have the names of those of {top}/HGG/A -> rename one of them",
        f"{top}/s.nii.gz: its results would have the names of those of {top}/s.nii -> rename one of them",
        f"{top}/a: no flair, but dark_fluid.nii.gz, whose name is unknown -> "
        "rename it if it is flair, else move it elsewhere",
        f"{top}/flat/d: no t1ce, no t2, no flair, but d_fl.nii.gz, whose name is unknown -> "
        "rename it if it is t1ce or t2 or flair, else move it elsewhere",
    ]


def test_what_cannot_work_is_said_before_it_starts(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="dataset_dir: .*nowhere does not exist; name a folder with <case>_t1"):
        list_brats_cases(tmp_path / "nowhere", "out")
    with pytest.raises(UserError, match="dataset_dir: no case in .*; name a folder with <case>_t1"):
        list_brats_cases(tmp_path, "out")
    with pytest.raises(UserError, match="no case in .*; the name of sub-01_dwi.nii.gz tells no modality; name"):
        list_brats_cases(volume(tmp_path / "sub-01_dwi.nii.gz", 3, 4, 5).parent, "out")
    touch(tmp_path, "a_t1.nii", "a_seg.nii", "notes.txt")
    for name in ("a_t1.nii", "a_seg.nii"):
        with pytest.raises(UserError, match=f"{name} is one file of a case; name the folder"):
            list_brats_cases(tmp_path / name, "out")
    with pytest.raises(UserError, match="notes.txt is no volume"):
        list_brats_cases(tmp_path / "notes.txt", "out")
    with pytest.raises(UserError, match="output_dir: .* is also dataset_dir"):
        list_brats_cases(tmp_path, tmp_path)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("a/IM1.dcm", "; convert the DICOM files, such as IM1.dcm, to .nii.gz with dcm2niix"),
        ("a/t1.hdr", "; convert t1.hdr to .nii.gz with nibabel"),
    ],
)
def test_files_of_other_kinds_are_told_how_to_convert(tmp_path: Path, name: str, told: str) -> None:
    file = touch(tmp_path, name) / name
    with pytest.raises(UserError, match=f"dataset_dir: no case in {tmp_path}{told}; name a folder with"):
        list_brats_cases(tmp_path, "out")
    with pytest.raises(UserError, match=f"{file} is no volume{told}; name a folder with"):
        list_brats_cases(file, "out")
    with pytest.raises(UserError, match=f"source: no case of a known layout in {tmp_path}{told}; give the folder"):
        find_cases(tmp_path)


def test_what_is_done_is_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    data, out = tmp_path / "data", tmp_path / "out"
    touch(data, *(f"{case}/t1.nii.gz" for case in ("s/a", "b", "c", "d")))
    touch(out, "a_seg.nii.gz", "b_seg.nii.gz", "d_seg.nii.gz", "gone_seg.nii.gz")
    (out / "findings.csv").write_text("case,warnings,error\na,x; y,\nb,,cut short\nc,,\ngone,,\n")
    assert ids(data, out) == ["a", "b", "c", "d"]
    with caplog.at_level("INFO"):
        assert ids(data, out, skip_existing=True) == ["b", "c", "d"]
    assert "1 of 4 cases are done already" in caplog.text


def test_names_that_no_table_can_hold_are_refused(tmp_path: Path) -> None:
    touch(tmp_path, "a/a_t1.nii.gz", "caf\udce9/t1.nii.gz")
    with pytest.raises(UserError, match=r"1 fault; .*\n  '.*/caf\\udce9/t1.nii.gz': the name is not UTF-8 -> rename"):
        list_brats_cases(tmp_path, "out")


def test_a_link_tells_the_case_and_what_it_points_to_does_not(tmp_path: Path) -> None:
    """As in the trees of git-annex, which keeps files under their hashes."""
    stored = volume(tmp_path / "annex" / "SHA256E-s1--0f.nii.gz", 3, 4, 5, 4)
    scan, cases = tmp_path / "scan.nii.gz", tmp_path / "cases"
    scan.symlink_to(stored)
    assert ids(scan, "out") == ["scan"]
    touch(tmp_path / "disk", "a/t1.nii.gz", "out/a_prob_t1.nii.gz", "out/run.json", "out/findings.csv")
    cases.symlink_to(tmp_path / "disk")
    assert ids(cases, cases / "out") == ids(cases, tmp_path / "disk" / "out") == ["a"]
    with pytest.raises(UserError, match="output_dir: .* is also dataset_dir"):
        list_brats_cases(cases, tmp_path / "disk")
