"""What the names of volumes tell: the case, the modality, the numbering of the labels, the grade and the patient."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import NamedTuple

from .brats_conventions import MODALITIES
from .faults import mistake
from .nifti_grid import read_header
from .volume import drop_single_axes, without_suffix

__all__ = [
    "GRADES",
    "NUMBERED",
    "UNKNOWN_GRADE",
    "Place",
    "grade_of",
    "modality_of",
    "numbered",
    "patient_of",
    "place_of",
    "settle",
]

GRADES = ("HGG", "LGG")  # high- and low-grade glioma
UNKNOWN_GRADE = "grade unknown"
NUMBERED = "numbered"  # the convention of labels that nnU-Net's dataset.json numbers
ROLES = {"image": "image", "seg": "seg", "ot": "seg", "otmulticlass": "seg", "label": "seg", "brainmask": "mask"}
# Words beside the name of T1: with contrast agent, without it, and neither.
AGENT = "postcontrast postgad postgd contrast enhanced gadolinium gado gad gd ce km post".split()
PLAIN = "precontrast noncontrast nocontrast unenhanced native plain without none non pre no".split()
ANY = "|".join([*AGENT, *PLAIN, "with", "agent"])
GAP = r"[_\-. ]"
BASE = rf"t1n|t1w?|t2f|(?:t2w?{GAP}?)?(?:flair|fla)|t2w?"
AFTER = rf"(?:\+?c)?(?:{GAP}?\+?(?:{ANY}))*"
MODALITY = re.compile(rf"(?P<before>c|(?:(?:{ANY}){GAP}?)*)(?P<base>{BASE})(?P<after>{AFTER})", re.IGNORECASE)
NAMED = re.compile(rf"(?:(?P<case>.+?){GAP})??(?P<kind>c?(?:{BASE}){AFTER}|seg)", re.IGNORECASE)
AFFIX = re.compile(rf"(?:(?:^|{GAP}+)(?:{ANY}))+$", re.IGNORECASE)
NEGATED = re.compile(rf"(?:{'|'.join(PLAIN)}){GAP}?(?:{'|'.join(AGENT)})")
SERIES = frozenset("acq ce run rec space desc res part echo mod task dir".split())  # of BIDS; the rest names the case
NUMBER = re.compile(r"(?P<case>.+)_(?P<number>\d{4})")
UNLIKE = "c diff field gre ir labels lesion map mask pd prob pve rho roi segmentation star stir sub swi tumor tumour"
OTHER = frozenset([*UNLIKE.split(), *AGENT, *ROLES, "t1", "t1n", "t1ce", "t1c", "t2", "t2w", "flair", "t2f"])
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


class Place(NamedTuple):
    """What a file is.

    Args:
        folder: of the case.
        case: its id.
        convention: how labels beside it are numbered, one of ``CONVENTIONS``, or ``NUMBERED``.
        role: a modality, ``image`` (all of them), ``seg`` or ``mask``.
        whole: the id, if a word before the modality, such as ``post``, is of the case's name; else empty.
        told: the modality that a T1 is, if that word tells of contrast agent instead.
    """

    folder: Path
    case: str
    convention: str
    role: str
    whole: str = ""
    told: str | None = None


LAYOUTS = [
    (re.compile(pattern, re.IGNORECASE), convention)
    for pattern, convention in (
        (r"VSD\.Brain.*\.(?:MR_)?(?P<kind>flair|t1c|t1|t2|ot)\.\d+", "2015"),
        (r"(?P<case>.+)_(?P<kind>image|label)", "decathlon"),
        (r"(?P<kind>flair|t1ce|t1c|t1|t2|ot|otmulticlass|brainmask)(?P<tail>[._].*)?", "2015"),
    )
]


def modality_of(name: str) -> str | None:
    """The modality of a file or a channel, by a name that says nothing else; ``None`` for an unknown one.

    Example:
        >>> [modality_of(name) for name in ("T1w", "T1GD", "T1 post contrast", "ce-gd_T1w", "pre_contrast_t1", "fla")]
        ['t1', 't1ce', 't1ce', 't1ce', 't1', 'flair']
        >>> modality_of("T2_star"), modality_of("T2_gd"), modality_of("t1ce_pre")
        (None, None, None)
    """
    match = MODALITY.fullmatch(name)
    if match is None:
        return None
    before, base, after = (part.lower() for part in match.group("before", "base", "after"))
    if not base.startswith("t1"):
        return None if before or after else "flair" if "fla" in base or base == "t2f" else "t2"
    return _told(f"{before} {after}", "c" in (before, after[:1]) or after.startswith("+c"))


def _told(words: str, has_agent: bool = False) -> str | None:
    """What words beside T1 make of it; ``None`` where they contradict each other."""
    found = re.findall(ANY, NEGATED.sub("plain", words.lower()))
    with_agent = any(word in AGENT for word in found) or (has_agent and not found)
    without = any(word in PLAIN for word in found)
    return None if without and (with_agent or has_agent) else "t1ce" if with_agent or has_agent else "t1"


def place_of(path: Path, stem: str) -> Place | None:
    """What a file is, by its name; ``None`` for an unknown name."""
    room = path.parent.name.casefold()
    up = path.parent.parent
    if (match := NUMBER.fullmatch(stem)) and (role := _channel_of(path, int(match["number"]))):
        return Place(up if room == "imagestr" else path.parent, match["case"], NUMBERED, role)
    if room == "labelstr":
        return Place(up, stem, "decathlon", "seg")
    if room in ("imagestr", "imagests"):
        return Place(up, stem, "decathlon", "image") if room == "imagestr" and not _is_numbered(path) else None
    if match := NAMED.fullmatch(stem):
        return _named(path, stem, match["case"] or "", match["kind"])
    return _laid_out(path, stem)


def _laid_out(path: Path, stem: str) -> Place | None:
    for pattern, convention in LAYOUTS:
        if match := pattern.fullmatch(stem):
            folder = _folder_of(path, stem)
            parts = match.groupdict()
            case = parts.get("case") or folder.name
            if case != folder.name and modality_of(case):
                continue  # T1_label is of no case T1
            role = ROLES.get(parts["kind"].lower()) or modality_of(parts["kind"])
            if role in MODALITIES and {*re.findall("[a-z0-9]+", (parts.get("tail") or "").lower())} & OTHER:
                return None  # T1_brain_mask and T2_star are something else
            return Place(folder, case, convention, role) if role else None
    return None


def _folder_of(path: Path, stem: str) -> Path:
    """That of the case: in 2015 a file may lie in a folder of its own name."""
    return path.parent.parent if path.parent.name == stem else path.parent


def _named(path: Path, stem: str, prefix: str, kind: str) -> Place | None:
    """What ``<prefix>_<kind>`` is."""
    role = ROLES.get(kind.lower()) or modality_of(kind)
    folder = _folder_of(path, stem)
    if role is None or (prefix != folder.name and modality_of(prefix)):
        return None  # T1_seg and T1_FLAIR are of no case T1
    if not prefix:
        return Place(folder, folder.name, "2015", role) if role != "seg" else None
    is_2023 = stem[len(prefix)] == "-" and kind.lower() in ("t1n", "t1c", "t2w", "t2f", "seg")
    place = Place(folder, prefix, "2023" if is_2023 else "2019", role)
    if prefix.lower().startswith("sub-"):
        entities = [entity.partition("-") for entity in prefix.split("_")]
        series = [(key.lower(), value.lower()) for key, _, value in entities if key.lower() in SERIES and value]
        case = "_".join("".join(entity) for entity in entities if entity[0].lower() not in SERIES or not entity[2])
        words = [value if value in (*AGENT, *PLAIN) else "ce" for key, value in series if key == "ce"]
        words += [value for key, value in series if key == "acq" and AFFIX.fullmatch(value)]
        if words and role == "t1":
            role = _told(" ".join(words))
        place = place._replace(case=case, role=role or "t1ce")
    if match := AFFIX.search(place.case):
        case = place.case[: match.start()] or folder.name
        place = place._replace(case=case, whole=place.case, told=_told(match[0]))
    return place


def settle(place: Place, own: AbstractSet[str], rest: AbstractSet[str]) -> Place | None:
    """Decide whether a word before the modality, such as ``post``, tells of contrast agent or is of the case's name.

    It is of the name where T1 and T1ce both have it, and tells of contrast agent where T1 alone has it.

    Args:
        place: with that word.
        own: roles of the files that share the word.
        rest: roles of those with the same name but for the word.

    Returns:
        ``None`` if nobody can know.
    """
    by_name = place._replace(case=place.whole)
    if own >= {"t1", "t1ce"} or (not own and not rest):
        return by_name
    if not own or (own == {"t1"} and place.told) or own == {"t1ce"} == {place.told}:
        return place._replace(role=place.told) if place.role == "t1" and place.told else place
    if ("t1" in own and place.told != "t1") or (rest and rest.isdisjoint(own)):
        return None
    return by_name


def _channel_of(path: Path, number: int) -> str | None:
    """The modality of a channel that the ``dataset.json`` of nnU-Net names, beside the file or one folder higher."""
    for table in (path.parent / "dataset.json", path.parent.parent / "dataset.json"):
        if table.is_file():
            try:
                content = json.loads(table.read_text(encoding="utf-8"))
                channels = content.get("channel_names") or content["modality"]
                name = str(channels.get(str(number), ""))
            except (ValueError, AttributeError, KeyError) as error:
                raise mistake(table, "names no channels as nnU-Net does", "repair it, or move it elsewhere") from error
            return modality_of(name) if _channels(path) in (0, 1) else None
    return None


def _channels(path: Path) -> int:
    """Of a NIfTI file, by its header; 0 if that cannot be read."""
    header = read_header(path) if path.is_file() else None
    return 0 if header is None else ([*drop_single_axes(header.get_data_shape()), 1, 1, 1, 1][3])


def _is_numbered(path: Path) -> bool:
    return bool(NUMBER.fullmatch(without_suffix(path.name))) and _channels(path) == 1


def numbered(files: Sequence[Path]) -> list[Path]:
    """Files of one modality each that are numbered as nnU-Net's, ``<case>_0000`` and ``<case>_0001``."""
    stems = {(file.parent, without_suffix(file.name)) for file in files}
    first = [(folder, stem) for folder, stem in stems if stem.endswith("_0000")]
    cases = {(folder, stem[:-5]) for folder, stem in first if (folder, f"{stem[:-1]}1") in stems}
    return [file for file in files if (file.parent, without_suffix(file.name)[:-5]) in cases and _is_numbered(file)]


def grade_of(path: Path) -> str:
    grades = [part.upper() for part in path.parts if part.upper() in GRADES]
    return grades[-1] if grades else UNKNOWN_GRADE


def patient_of(id_: str) -> str:
    matches = [match[1] for pattern in PATIENTS if (match := pattern.fullmatch(id_))]
    return matches[0] if matches else id_
