"""Heads with brain tumours drawn in the raw layout of BraTS 2019, to try everything without a download."""

from __future__ import annotations

import re
import reprlib
from pathlib import Path

import nibabel as nib
import numpy as np
from scipy import ndimage
from tqdm import tqdm

from ..atomic import atomic_folder
from ..errors import UserError
from .heads import Tissue, draw_head, grow_tumour, smooth_noise
from .options import check_memory, check_options

__all__ = ["LABELS", "MODALITIES", "draw_case", "synthesize"]

SMALLEST_SIDE = 16
MODALITIES = ("flair", "t1", "t1ce", "t2")
# Brightness of each tissue relative to white matter; outside is as CSF, so that blurring leaves the brain's rim alone.
LOOKS = {
    "flair": {
        "CSF": 0.35,
        "GREY": 1.15,
        "WHITE": 1,
        "VESSEL": 0.6,
        "LESION": 1.7,
        "CORE": 1.0,
        "OEDEMA": 1.85,
        "ENHANCING": 1.5,
    },
    "t1": {
        "CSF": 0.4,
        "GREY": 0.78,
        "WHITE": 1,
        "VESSEL": 0.6,
        "LESION": 0.85,
        "CORE": 0.55,
        "OEDEMA": 0.78,
        "ENHANCING": 0.72,
    },
    "t1ce": {
        "CSF": 0.4,
        "GREY": 0.82,
        "WHITE": 1,
        "VESSEL": 1.9,
        "LESION": 0.85,
        "CORE": 0.55,
        "OEDEMA": 0.78,
        "ENHANCING": 1.7,
    },
    "t2": {
        "CSF": 2.6,
        "GREY": 1.35,
        "WHITE": 1,
        "VESSEL": 0.7,
        "LESION": 1.7,
        "CORE": 2.3,
        "OEDEMA": 1.9,
        "ENHANCING": 1.5,
    },
}
LOW_GRADE_FLAIR = 1.6  # the core of a low-grade tumour is solid, so that FLAIR does not darken it as it does fluid
LABELS = {Tissue.CORE: 1, Tissue.OEDEMA: 2, Tissue.ENHANCING: 4}  # the numbering of 2019
EVERY_NTH_LOW = 4  # as in the set of 2019: 76 of 335


def synthesize(output: str | Path, cases: int = 8, seed: int = 0, size: str = "240x240x155") -> list[str]:
    """Write ``{HGG,LGG}/<case>/<case>_{flair,t1,t1ce,t2,seg}.nii.gz``, int16 at 1 mm with axes LPS, as BraTS 2019 is.

    Each fourth case is of low grade. Outside the brain all is 0. The gain of each modality is random, so that
    intensities differ between cases as widely as between scanners. Case k depends on ``seed``, ``size`` and k only;
    ``output`` appears complete or not at all.

    Args:
        output: folder to write; must be new or empty.
        cases: number of heads, 1 at least.
        seed: 0 at least.
        size: voxels to the left, to the back and upwards, such as ``240x240x155``, each 16 at least; the head fills it.

    Returns:
        The ids of the cases.

    Raises:
        UserError: an option is out of its range, or ``output`` is not empty.
    """
    check_options(cases, seed)
    shape = _parse_size(size)
    ids = []
    with atomic_folder(Path(output)) as part:
        for number in tqdm(range(cases), "synthesize", unit="head", disable=None):
            id_ = f"BraTS19_SYN{seed}_{number + 1:03d}_1"
            folder = part / ("LGG" if _is_low(number) else "HGG") / id_
            folder.mkdir(parents=True)
            modalities, labels = draw_case(seed, number, shape)
            for name, values in {**modalities, "seg": labels}.items():
                nib.save(_nifti(values), folder / f"{id_}_{name}.nii.gz")
            ids.append(id_)
    return ids


def draw_case(
    seed: int, number: int, shape: tuple[int, int, int] = (240, 240, 155)
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Draw one head.

    Args:
        seed: of the data set, 0 at least.
        number: of the case, 0 at least; each fourth has a tumour of low grade.
        shape: voxels to the left, to the back and upwards, each 16 at least.

    Returns:
        The modalities by name, and the labels in the numbering of 2019 (1 core, 2 oedema, 4 enhancing); all int16.

    Shape:
        (W, H, D).

    Example:
        >>> modalities, labels = draw_case(seed=0, number=0, shape=(37, 41, 31))
        >>> list(modalities), labels.shape, labels.dtype.name, np.unique(labels).tolist()
        (['flair', 't1', 't1ce', 't2'], (37, 41, 31), 'int16', [0, 1, 2, 4])
    """
    random = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(number,)))
    head = draw_head(random, shape)
    grow_tumour(random, head, high_grade=not _is_low(number))

    modalities = {name: np.zeros(shape, np.int16) for name in MODALITIES}
    labels = np.zeros(shape, np.int16)
    table = np.array([LABELS.get(tissue, 0) for tissue in Tissue], np.int16)
    labels[head.window] = table[head.tissue]
    brain = head.tissue != Tissue.OUTSIDE
    grain = smooth_noise(random, head.tissue.shape, 0.04 * head.radius)
    for name, volume in modalities.items():
        looks = LOOKS[name] | {"OUTSIDE": LOOKS[name]["CSF"]}
        if name == "flair" and _is_low(number):
            looks["CORE"] = LOW_GRADE_FLAIR
        brightness = np.array([looks[tissue.name] for tissue in Tissue]) * random.normal(1, 0.04, len(Tissue))
        # Tumours are less even than healthy tissue.
        unevenness = np.array([0.1 if tissue >= Tissue.CORE else 0.03 for tissue in Tissue])
        values = brightness[head.tissue] * (1 + unevenness[head.tissue] * grain)
        values = ndimage.gaussian_filter(values, random.uniform(0.5, 0.8), truncate=3)
        values *= 1 + 0.06 * smooth_noise(random, values.shape, 0.8 * head.radius)  # of the coil
        values += random.uniform(0.03, 0.06) * random.standard_normal(values.shape)
        gain = np.exp(random.uniform(np.log(100), np.log(4000)))  # grey level of white matter
        volume[head.window] = np.where(brain, np.clip(np.round(gain * values), 1, np.iinfo(np.int16).max), 0)
    return modalities, labels


def _is_low(number: int) -> bool:
    return number % EVERY_NTH_LOW == EVERY_NTH_LOW - 1


def _nifti(values: np.ndarray) -> nib.Nifti1Image:
    affine = np.diag([-1.0, -1.0, 1.0, 1.0])
    affine[1, 3] = values.shape[1] - 1
    image = nib.Nifti1Image(values, affine)
    image.header.set_xyzt_units("mm")
    image.set_qform(affine, code="scanner")
    image.set_sform(affine, code="scanner")
    return image


def _parse_size(size: str) -> tuple[int, int, int]:
    sides = re.fullmatch(r"(\d{1,9})x(\d{1,9})x(\d{1,9})", size)
    if not sides or min(shape := (int(sides[1]), int(sides[2]), int(sides[3]))) < SMALLEST_SIDE:
        raise UserError(
            f"size: {reprlib.repr(size)} is not WIDTHxHEIGHTxDEPTH of {SMALLEST_SIDE} voxels or more, such as 64x64x48"
        )
    check_memory(shape)
    return shape
