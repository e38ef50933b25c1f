"""Tiny cases of brain tumours, in files of every layout."""

from __future__ import annotations

import gzip
from pathlib import Path

import itk
import nibabel as nib
import numpy as np
from scipy.spatial.transform import Rotation

SHAPE = (24, 20, 16)
LPS = np.array([[-1.0, 0, 0, 0], [0, -1, 0, 19], [0, 0, 1, 0], [0, 0, 0, 1]])
OBLIQUE = np.eye(4)
OBLIQUE[:3, :3] = Rotation.from_euler("zyx", [20, -10, 5], degrees=True).as_matrix() @ np.diag([-1.1, -0.9, 2.5])
OBLIQUE[:3, 3] = [31.5, -17.25, 8.0]


def voxels(number: int) -> np.ndarray:
    """A brain with 0 around it; another for each number."""
    random = np.random.default_rng(number)
    brain = np.zeros(SHAPE, np.int16)
    brain[4:-4, 3:-3, 2:-2] = random.integers(1, 3000, (16, 14, 12))
    return brain


def tumour(number: int = 0) -> np.ndarray:
    """Labels as they are numbered inside."""
    labels = np.zeros(SHAPE, np.uint8)
    labels[6:14, 6:12, 5:11] = 2
    labels[7:12, 7:11, 6:10] = 3
    labels[8:10, 8:10, 7 : 9 + number % 2] = 1
    return labels


def write(path: Path, values: np.ndarray, affine: np.ndarray = LPS) -> Path:
    """Write NIfTI, or with ITK what else the suffix says; ``affine`` is RAS."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if ".nii" in path.name.lower():
        data = nib.Nifti1Image(values, affine).to_bytes()
        path.write_bytes(gzip.compress(data, 1, mtime=0) if path.name.lower().endswith(".gz") else data)
        return path
    image = itk.image_from_array(np.ascontiguousarray(values.T))
    lps = np.diag([-1.0, -1, 1, 1]) @ affine
    spacing = np.linalg.norm(lps[:3, :3], axis=0)
    image.SetSpacing(spacing.tolist())
    image.SetOrigin(lps[:3, 3].tolist())
    image.SetDirection(lps[:3, :3] / spacing)
    itk.imwrite(image, str(path))
    return path


def case_2019(folder: Path, number: int, name: str | None = None, suffix: str = ".nii.gz") -> Path:
    """Write ``<folder>/<name>/<name>_t1.nii.gz`` and so on."""
    name = name or f"BraTS19_X_{number:03d}_1"
    for i, kind in enumerate(("t1", "t1ce", "t2", "flair")):
        write(folder / name / f"{name}_{kind}{suffix}", voxels(10 * number + i))
    write(folder / name / f"{name}_seg{suffix}", np.array([0, 1, 2, 4], np.uint8)[tumour(number)])
    return folder / name


def case_2023(folder: Path, number: int, name: str, kinds: tuple[str, ...] = ("t1n", "t1c", "t2W", "t2f")) -> Path:
    """Write ``<folder>/<name>/<name>-t1n.nii.gz`` and so on; the labels are floats, as in a real case."""
    for i, kind in enumerate(kinds):
        write(folder / name / f"{name}-{kind}.nii.gz", voxels(10 * number + i))
    write(folder / name / f"{name}-seg.nii.gz", tumour(number).astype(np.float32))
    return folder / name


def case_decathlon(image: Path, label: Path, number: int) -> None:
    """Write a 4-D image in the order FLAIR, T1, T1Gd, T2, and its label."""
    write(image, np.stack([voxels(10 * number + i) for i in (3, 0, 1, 2)], axis=-1), np.eye(4))
    write(label, np.array([0, 2, 1, 3], np.uint8)[tumour(number)], np.eye(4))


def case_2015(folder: Path, number: int, name: str) -> Path:
    """Write .mha files in folders of their own names; of the tumour's core a part is 3, the rest 1."""
    for i, kind in enumerate(("MR_T1", "MR_T1c", "MR_T2", "MR_Flair")):
        stem = f"VSD.Brain.XX.O.{kind}.{54510 + i}"
        write(folder / name / stem / f"{stem}.mha", voxels(10 * number + i))
    labels = np.array([0, 1, 2, 4], np.uint8)[tumour(number)]
    labels[8][labels[8] == 1] = 3
    stem = "VSD.Brain_3more.XX.O.OT.54517"
    write(folder / name / stem / f"{stem}.mha", labels)
    return folder / name
