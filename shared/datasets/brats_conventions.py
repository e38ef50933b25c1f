"""In which order modalities come and how tumour labels are numbered: inside, and in the releases of BraTS."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from .faults import mistake

__all__ = ["CAVITY", "CONVENTIONS", "DECATHLON_ORDER", "LABELS", "MODALITIES", "number_labels"]

MODALITIES = ("t1", "t1ce", "t2", "flair")  # the order inside; t1ce is T1 with contrast agent, also T1c or T1Gd
DECATHLON_ORDER = ("flair", "t1", "t1ce", "t2")
LABELS = {
    "0": "background",
    "1": "necrotic and non-enhancing tumour core",
    "2": "peritumoral oedema",
    "3": "enhancing tumour",
}
# What each number of a release is inside. 2019 stands for 2017 to 2021; 2015 for 2012 to 2016, in which necrosis (1)
# and the non-enhancing core (3) are apart. 2024 is 2023 and the cavity that a resection left, which is no tumour.
CONVENTIONS = {
    "2015": {0: 0, 1: 1, 2: 2, 3: 1, 4: 3},
    "2019": {0: 0, 1: 1, 2: 2, 4: 3},
    "2023": {0: 0, 1: 1, 2: 2, 3: 3},
    "2024": {0: 0, 1: 1, 2: 2, 3: 3, 4: 0},
    "decathlon": {0: 0, 1: 2, 2: 1, 3: 3},
}
CAVITY = 4  # in the convention 2024
UNKNOWN = 255
ROUNDING = 1e-3  # of whole numbers that were stored with slope and intercept


def number_labels(path: str | Path, values: np.ndarray, convention: str) -> np.ndarray:
    """Give tumour labels the numbers they have inside.

    Args:
        path: of the labels, for the errors.
        values: as they are stored; floats count if they are whole numbers, but for rounding.
        convention: one of ``CONVENTIONS``, which the numbers follow.

    Returns:
        0 background, 1 necrotic and non-enhancing core, 2 oedema, 3 enhancing tumour; uint8.

    Shape:
        That of ``values``.

    Raises:
        UserError: there are other numbers.
        ValueError: there is no such convention.

    Reference:
        Menze et al., The multimodal brain tumor image segmentation benchmark (BRATS), IEEE TMI 34, 2015; Baid et al.,
        The RSNA-ASNR-MICCAI BraTS 2021 benchmark, arXiv 2107.02314; Antonelli et al., The Medical Segmentation
        Decathlon, Nature Communications 13, 2022; de Verdier et al., The 2024 Brain Tumor Segmentation (BraTS)
        challenge: glioma segmentation on post-treatment MRI, arXiv 2405.18368.

    Example:
        >>> number_labels("a_seg.nii.gz", np.array([0, 1, 2, 4]), "2019").tolist()
        [0, 1, 2, 3]
    """
    if convention not in CONVENTIONS:
        raise ValueError(f"convention must be one of {', '.join(CONVENTIONS)}, got {convention!r}")
    known = CONVENTIONS[convention]
    if values.dtype.kind == "f":
        whole = np.rint(values)
        if np.abs(values - whole).max() > ROUNDING:
            wrong, remedy = "broken numbers in a label", "save whole numbers, resampled by nearest neighbour"
            raise mistake(path, wrong, remedy)
        values = whole
    if values.min() >= 0 and values.max() <= max(known):
        table = np.array([known.get(number, UNKNOWN) for number in range(max(known) + 1)], np.uint8)
        labels = table[values.astype(np.uint8)]
        if labels.max() < UNKNOWN:
            return labels
    numbers = {int(value) for value in np.unique(values)}
    strange = sorted(numbers - set(known))
    shown = ", ".join(map(str, strange[:5])) + (", ..." if len(strange) > 5 else "")
    wrong = f"label {shown}, unknown to the convention {convention} ({', '.join(map(str, known))})"
    remedy = "correct it, or name the convention that the labels follow"
    if CAVITY in numbers and numbers <= CONVENTIONS["2024"].keys():
        # Not 2015 or 2019, which would read it as enhancing.
        remedy = f"if {CAVITY} is the resection cavity of BraTS 2024, give --label_convention 2024; else {remedy}"
    raise mistake(path, wrong, remedy)
