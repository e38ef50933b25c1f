"""Finding cases of brain tumours by their names alone; the files need not be readable for that."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from shared.datasets import list_brats_cases
from shared.datasets.brats import prepare
from shared.datasets.brats_names import NUMBERED, UNKNOWN_GRADE
from shared.datasets.brats_source import find_cases
from shared.errors import UserError


def touch(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")
    return root


def names_of(case: str, ends: str, joint: str = "_", suffix: str = ".nii.gz") -> list[str]:
    return [f"{case}/{case.rsplit('/', maxsplit=1)[-1]}{joint}{end}{suffix}" for end in ends.split()]


FIVE = "t1 t1ce t2 flair seg"


@pytest.mark.parametrize(
    ("names", "id_", "group", "grade", "convention"),
    [
        (names_of("d/HGG/BraTS19_CBICA_AAB_1", FIVE), "BraTS19_CBICA_AAB_1", "BraTS19_CBICA_AAB", "HGG", "2019"),
        (names_of("lgg/Brats17_2013_10_1", FIVE), "Brats17_2013_10_1", "Brats17_2013_10", "LGG", "2019"),
        (
            names_of("BraTS20_Training_001", FIVE, suffix=".nii"),
            "BraTS20_Training_001",
            "BraTS20_Training_001",
            UNKNOWN_GRADE,
            "2019",
        ),
        (names_of("BraTS2021_00006", FIVE), "BraTS2021_00006", "BraTS2021_00006", UNKNOWN_GRADE, "2019"),
        (
            names_of("BraTS-GLI-00003-001", "t1n t1c T2W t2f SEG", "-"),
            "BraTS-GLI-00003-001",
            "BraTS-GLI-00003",
            UNKNOWN_GRADE,
            "2023",
        ),
        (
            [
                f"HGG/brats_tcia_pat105_0001/VSD.Brain.{end}/VSD.Brain.{end}.mha"
                for end in ("XX.O.MR_T1.1", "XX.O.MR_T1c.2", "XX.O.MR_T2.3", "XX.O.MR_Flair.4", "X.OT.5")
            ],
            "brats_tcia_pat105_0001",
            "brats_tcia_pat105",
            "HGG",
            "2015",
        ),
        (
            [f"brats_2013_pat0001_1/{name}.nii.gz" for name in ("T1", "T1c_x", "T2", "Flair_z.y", "OTMultiClass")],
            "brats_2013_pat0001_1",
            "brats_2013_pat0001",
            UNKNOWN_GRADE,
            "2015",
        ),
    ],
)
def test_layouts_with_a_file_per_modality(
    tmp_path: Path, names: list[str], id_: str, group: str, grade: str, convention: str
) -> None:
    found = find_cases(touch(tmp_path, *names, "__MACOSX/x_t1.nii", "a/._x_t1.nii.gz", "name_mapping.csv"))
    assert found.faults == found.ignored == []
    (case,) = found.cases
    assert (case.id, case.group, case.grade, case.convention) == (id_, group, grade, convention)
    assert case.channel_order == ["t1", "t1ce", "t2", "flair"]
    assert [*case.images, case.files["seg"]] == [tmp_path / name for name in names]


@pytest.mark.parametrize(
    ("image", "label", "id_", "group"),
    [
        ("Task01/imagesTr/BRATS_001.nii.gz", "Task01/labelsTr/BRATS_001.nii.gz", "BRATS_001", "BRATS_001"),
        ("BRATS_009_2_image.nii.gz", "BRATS_009_2_label.nii.gz", "BRATS_009_2", "BRATS_009"),
    ],
)
def test_all_modalities_in_one_file(tmp_path: Path, image: str, label: str, id_: str, group: str) -> None:
    found = find_cases(touch(tmp_path, image, label, "Task01/imagesTs/BRATS_485.nii.gz"))
    (case,) = found.cases
    assert (case.id, case.group, case.convention) == (id_, group, "decathlon")
    assert case.channel_order == ["flair", "t1", "t1ce", "t2"]
    assert (case.images, case.files["seg"]) == ([tmp_path / image], tmp_path / label)
    assert (found.faults, found.ignored) == ([], [tmp_path / "Task01/imagesTs/BRATS_485.nii.gz"])


def test_the_folder_of_one_case_is_enough(tmp_path: Path) -> None:
    root = touch(tmp_path / "pat1", "T1.mha", "T1c.mha", "T2.mha", "Flair.mha", "OT.mha", "brainmask.mha")
    (case,) = find_cases(root).cases
    assert (case.id, case.files["mask"]) == ("pat1", root / "brainmask.mha")


def test_cases_may_lie_deep(tmp_path: Path) -> None:
    deep = "/".join("abcdefgh")
    (tmp_path / deep).mkdir(parents=True)
    (tmp_path / deep / "round").symlink_to(tmp_path)
    (case,) = find_cases(touch(tmp_path, *names_of(f"{deep}/p1", FIVE))).cases
    assert (case.id, len(case.files)) == ("p1", 5)


@pytest.mark.parametrize(
    "names",
    [
        names_of("p1", "T1 T1ce T2 T2_FLAIR seg"),
        [f"p1/{name}.nii" for name in ("T1", "T1c", "T2", "T2_FLAIR", "OT")],
        [f"p1/{name}.nii.gz" for name in ("t1", "t1ce", "t2", "flair", "OT")],
    ],
)
def test_modalities_as_people_call_them(tmp_path: Path, names: list[str]) -> None:
    (case,) = find_cases(touch(tmp_path, *names)).cases
    assert case.id == "p1"
    assert [*case.images, case.files["seg"]] == [tmp_path / name for name in names]


@pytest.mark.parametrize(
    ("name", "role"),
    [
        *((name, "t1") for name in ("T1", "T1w", "T1_pre", "T1_no_contrast", "t1_brain", "T1.N4_corrected")),
        *((name, "t1ce") for name in ("T1_post", "T1_Gd", "T1_contrast", "t1_ce", "T1.post_gd", "T1c_gad", "T1c_x")),
        *((name, "t1ce") for name in ("T1GD", "T1+C", "cT1", "T1wCE", "post_t1", "ce-gd_T1w", "T1_with_contrast")),
        *((name, "t1") for name in ("pre_t1", "T1_pre_contrast", "non-contrast_T1")),
        *((name, "flair") for name in ("fla", "T2w_FLAIR", "t2-flair", "T2F")),
        *((name, "t2") for name in ("T2_brain", "T2_x")),
        *((name, None) for name in ("T2_star", "T2_gd", "T1_brain_mask", "T1_post_op", "T1_c", "t1ce_pre")),
        *((name, None) for name in ("T1_seg", "T1_FLAIR", "Flair_t1ce", "T1c_label", "T1-seg")),
    ],
)
def test_what_follows_the_name_of_a_modality(tmp_path: Path, name: str, role: str | None) -> None:
    found = find_cases(touch(tmp_path, "p1/OT.nii", f"p1/{name}.nii.gz"), allow_missing=True)
    (case,) = found.cases
    assert [role for role in case.files if role != "seg"] == ([role] if role else [])
    hint = f"{case.folder}: labels without any modality -> add them; perhaps {name}.nii.gz has to be renamed"
    assert found.faults == ([] if role else [hint])


def files_of(tmp_path: Path, *names: str) -> dict[str, dict[str, str]]:
    found = find_cases(touch(tmp_path, *(f"{name}.nii" for name in names)), allow_missing=True)
    assert [fault for fault in found.faults if "no labels" not in fault] == found.ignored == []
    return {case.id: {role: file.stem for role, file in case.files.items()} for case in found.cases}


@pytest.mark.parametrize(
    "four",
    [
        ("pat1_pre_t1", "pat1_post_t1", "pat1_t2", "pat1_flair"),
        ("pat1_t1_pre", "pat1_t1_post", "pat1_t2", "pat1_flair"),
        ("pat1_t1", "pat1_ce_t1", "pat1_t2", "pat1_flair"),
        ("pat1_pre_contrast_T1", "pat1_post_contrast_T1", "pat1_T2w", "pat1_T2w_FLAIR"),
        ("pat1_T1", "pat1_T1GD", "pat1_T2", "pat1_fla"),
        ("pat1-t1", "pat1-gd-t1", "pat1-t2", "pat1-flair"),
        ("pat1/pre_t1", "pat1/post_t1", "pat1/t2", "pat1/flair"),
        ("sub-01_T1w", "sub-01_ce-gadobutrol_T1w", "sub-01_T2w", "sub-01_FLAIR"),
        ("sub-01_ses-1_acq-pre_run-1_T1w", "sub-01_ses-1_ce-gd_run-1_T1w", "sub-01_ses-1_T2w", "sub-01_ses-1_FLAIR"),
        ("sub-01_ce-none_T1w", "sub-01_acq-mprage_ce-gd_T1w", "sub-01_space-T1w_T2w", "sub-01_FLAIR"),
        ("sub-01_t1", "sub-01_ce_t1", "sub-01_t2", "sub-01_flair"),
    ],
)
def test_contrast_agent_is_told_by_any_word_beside_t1(tmp_path: Path, four: tuple[str, ...]) -> None:
    """One case of four, whatever its id."""
    (files,) = files_of(tmp_path, *four).values()
    assert files == dict(zip(("t1", "t1ce", "t2", "flair"), (Path(name).name for name in four), strict=True))


def test_sessions_before_and_after_an_operation_are_two_cases(tmp_path: Path) -> None:
    names = [f"p_{when}_{name}" for when in ("pre", "post") for name in FIVE.split()]
    assert {id_: len(files) for id_, files in files_of(tmp_path, *names).items()} == {"p_post": 5, "p_pre": 5}


@pytest.mark.parametrize("word", ["post", "ce", "gd"])
def test_a_word_that_may_mean_either_is_asked_for(tmp_path: Path, word: str) -> None:
    """Else a T1 with contrast agent would be taken for one without."""
    names = [f"p_{word}_{name}.nii" for name in ("t1", "t2", "flair")]
    asked = f"{word!r} may tell of contrast agent, or be of the name of the case -> rename all files of the case to"
    faults = find_cases_faults(touch(tmp_path, *names, "q_t1.nii"))
    assert [fault for fault in faults if asked in fault] == [
        fault for fault in faults if fault.startswith(f"{tmp_path}/p")
    ]
    assert len(faults) == 4  # and q has no labels


def find_cases_faults(root: Path) -> list[str]:
    return find_cases(root, allow_missing=True).faults


def test_two_files_of_one_modality_are_one_fault(tmp_path: Path) -> None:
    faults = find_cases_faults(touch(tmp_path, "a_t1.nii", "a_t1gd.nii", "a_post_t1.nii", "a_seg.nii"))
    assert faults == [f"{tmp_path}/a_t1gd.nii: it and a_post_t1.nii both look like t1ce -> rename or move one"]


def channels(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        nib.save(nib.Nifti1Image(np.ones((3, 4, 5), np.uint8), np.eye(4)), root / name)
    return root


def test_numbers_of_nnu_net_need_its_table(tmp_path: Path) -> None:
    names = [f"imagesTr/a_{number:04}.nii" for number in range(4)]
    touch(channels(tmp_path, *names), "labelsTr/a.nii")
    asked = (
        "4 files are numbered as by nnU-Net, such as a_0000.nii, and no dataset.json names t1, t1ce, t2, flair -> add"
    )
    for get in (find_cases, lambda root: list_brats_cases(root, "out")):
        with pytest.raises(UserError, match=asked):
            get(tmp_path)
    for key, order in (("channel_names", "T2 FLAIR T1 T1Gd"), ("modality", "FLAIR T1w T1ce T2w")):
        content = {key: {str(number): name for number, name in enumerate(order.split())}}
        (tmp_path / "dataset.json").write_text(json.dumps(content))
        (case,) = find_cases(tmp_path).cases
        assert (case.id, case.convention, len(case.files)) == ("a", NUMBERED, 5)
        (listed,) = list_brats_cases(tmp_path, "out")
        told = [Path(file).stem[-1] for file in listed["image"]]
        assert (listed["channel_order"], told) == (
            ["t1", "t1ce", "t2", "flair"],
            [*("2301" if key == "channel_names" else "1230")],
        )
    with pytest.raises(UserError, match="label_convention: labels that nnU-Net's dataset.json numbers need it"):
        prepare(tmp_path, tmp_path / "out")
    (tmp_path / "dataset.json").write_text("[]")
    with pytest.raises(UserError, match="dataset.json: names no channels as nnU-Net does -> repair it"):
        find_cases(tmp_path)


def test_a_patient_may_be_called_t1(tmp_path: Path) -> None:
    (case,) = find_cases(touch(tmp_path, *names_of("T1", FIVE))).cases
    assert (case.id, len(case.files)) == ("T1", 5)


def test_faults_of_names(tmp_path: Path) -> None:
    touch(
        tmp_path,
        *names_of("HGG/a", FIVE),
        "HGG/a/a_T2.nii",
        *names_of("LGG/A", FIVE),
        *names_of("b", "t1 t2 seg"),
        *names_of("c", "t1 t1ce t2 flair"),
        "c/W39_Segm.nii",
        *names_of("d", "seg"),
    )
    b, c, d = (tmp_path / name for name in "bcd")
    faults = [
        f"{tmp_path}/HGG/a/a_t2.nii.gz: it and a_T2.nii both look like t2 -> rename or move one",
        f"{tmp_path}/HGG/a: the id is also that of {tmp_path}/LGG/A -> rename one of them",
        f"{b}: no t1ce, no flair -> add it, or give --allow_missing",
        f"{c}: no labels -> add them, or move the case elsewhere; perhaps W39_Segm.nii has to be renamed",
        f"{d}: labels without any modality -> add them",
    ]
    assert find_cases(tmp_path).faults == faults
    assert find_cases(tmp_path, allow_missing=True).faults == faults[:2] + faults[3:]
    assert {case.id: case.channel_order for case in find_cases(tmp_path).cases}["b"] == ["t1", "t2"]


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="source: .*nowhere does not exist; give the folder that BraTS"):
        find_cases(tmp_path / "nowhere")
    with pytest.raises(UserError, match="source: no case of a known layout in .*; give .* or a --table"):
        find_cases(touch(tmp_path, "x/scan.nii.gz"))
    with pytest.raises(UserError, match="Task01.tar is a file; unpack it and give the folder"):
        find_cases(touch(tmp_path, "Task01.tar") / "Task01.tar")
