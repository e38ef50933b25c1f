"""What the names of volumes tell: the case, the modality, the numbering of the labels, the grade and the patient."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from .brats_conventions import MODALITIES

__all__ = ["GRADES", "UNKNOWN_GRADE", "grade_of", "patient_of", "place_of"]

GRADES = ("HGG", "LGG")  # high- and low-grade glioma
UNKNOWN_GRADE = "grade unknown"
ROLES = {
    "t1": "t1",
    "t1n": "t1",
    "t1ce": "t1ce",
    "t1c": "t1ce",
    "t2": "t2",
    "t2w": "t2",
    "flair": "flair",
    "t2f": "flair",
    "image": "image",
    "seg": "seg",
    "ot": "seg",
    "otmulticlass": "seg",
    "label": "seg",
    "brainmask": "mask",
}
# Words after the name of a modality: with contrast agent; and what is neither that modality nor any.
AGENT = frozenset("ce contrast enhanced gad gado gadolinium gd post postcontrast postgd".split())
UNLIKE = "c diff field gre ir labels lesion map mask pd prob pve rho roi segmentation star stir sub swi tumor tumour"
OTHER = AGENT | ROLES.keys() | frozenset(UNLIKE.split())
# Names of a patient's time points: BraTS19_CBICA_AAB_1, brats_2013_pat0001_1, brats_tcia_pat105_0001,
# BraTS-GLI-00000-000; and of patches of a Decathlon case: BRATS_009_2. All others are patients of their own.
PATIENTS = [
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"(brats1[789]_.+)_\d+",
        r"(brats_(?:2013|tcia)_pat\d+)_\d+",
        r"(brats-[a-z]+-\d+)-\d+",
        r"(brats_\d+)_\d+",
    )
]


class Layout(NamedTuple):
    """How names are made: ``kind`` and ``tail`` tell the role, ``case`` the case, which is else that of the folder."""

    name: re.Pattern[str]
    convention: str


LAYOUTS = [
    Layout(re.compile(pattern, re.IGNORECASE), convention)
    for pattern, convention in (
        (r"VSD\.Brain.*\.(?:MR_)?(?P<kind>flair|t1c|t1|t2|ot)\.\d+", "2015"),
        (r"t2_(?P<kind>flair)", "2015"),
        (r"(?P<case>.+?)(?:_t2(?=_flair$))?_(?P<kind>flair|t1ce|t1|t2|seg)", "2019"),
        (r"(?P<case>.+)-(?P<kind>t2f|t1n|t1c|t2w|seg)", "2023"),
        (r"(?P<case>.+)_(?P<kind>image|label)", "decathlon"),
        (r"(?P<kind>flair|t1ce|t1c|t1|t2|ot|otmulticlass|brainmask)(?P<tail>[._].*)?", "2015"),
    )
]


def place_of(path: Path, stem: str) -> tuple[Path, str, str, str] | None:
    """Folder and id of the case that a file belongs to, convention and role; ``None`` for an unknown name."""
    room = path.parent.name.casefold()
    if room in ("imagestr", "labelstr"):
        return path.parent.parent, stem, "decathlon", "image" if room == "imagestr" else "seg"
    if room == "imagests":
        return None
    for layout in LAYOUTS:
        if match := layout.name.fullmatch(stem):
            # In 2015 a file may lie in a folder of its own name.
            folder = path.parent.parent if path.parent.name == stem else path.parent
            parts = match.groupdict()
            case = parts.get("case") or folder.name
            if case != folder.name and ROLES.get(case.lower()) in MODALITIES:
                continue  # T1_seg and T1_FLAIR are of no case T1
            role = _role(ROLES[parts["kind"].lower()], parts.get("tail") or "")
            return (folder, case, layout.convention, role) if role else None
    return None


def _role(role: str, tail: str) -> str | None:
    """The role of ``T1_post`` and the like; ``None`` if the tail says that it is something else.

    Example:
        >>> _role("t1", "_post.gd"), _role("t1", "_brain"), _role("t1", "_brain_mask"), _role("t2", "_star")
        ('t1ce', 't1', None, None)
    """
    words = set(re.findall("[a-z0-9]+", tail.lower()))
    if role not in MODALITIES or not words & OTHER:
        return role
    return "t1ce" if role in ("t1", "t1ce") and words <= AGENT else None


def grade_of(path: Path) -> str:
    grades = [part.upper() for part in path.parts if part.upper() in GRADES]
    return grades[-1] if grades else UNKNOWN_GRADE


def patient_of(id_: str) -> str:
    matches = [match[1] for pattern in PATIENTS if (match := pattern.fullmatch(id_))]
    return matches[0] if matches else id_
