"""The cases in a folder of brain tumours, BraTS 2012 to 2024 and the Decathlon, told by their names."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import UserError
from .archive import is_junk, list_members
from .brats_conventions import DECATHLON_ORDER, MODALITIES
from .brats_names import NUMBERED, UNKNOWN_GRADE, Place, grade_of, numbered, patient_of, place_of, settle
from .faults import Fault, mistake, twins
from .volume import conversion_of, without_suffix

__all__ = [
    "Case",
    "Found",
    "case_faults",
    "find_cases",
    "group_files",
    "list_volumes",
    "refuse_numbered",
    "twin_faults",
]

WANTED = "the folder that BraTS, or Task01_BrainTumour of the Decathlon, was unpacked to"


@dataclass
class Case:
    """Files of one case.

    Args:
        id: name, unique in the data set.
        folder: where its files lie, for the errors.
        convention: how its labels are numbered, one of ``CONVENTIONS``.
        files: by role: a modality, ``image`` (all modalities in one file), ``seg``, or ``mask`` (of the brain).
        grade: one of ``GRADES``, if it is known.
        group: patient.
    """

    id: str
    folder: Path
    convention: str
    files: dict[str, Path] = field(default_factory=dict)
    grade: str = UNKNOWN_GRADE
    group: str = ""

    @property
    def place(self) -> Path:
        """What a person looks for, where no file can be named."""
        return self.folder if self.folder.name == self.id else self.folder / self.id

    @property
    def images(self) -> list[Path]:
        """The file of all modalities, or a file for each that is there, in the order inside."""
        if "image" in self.files:
            return [self.files["image"]]
        return [self.files[name] for name in MODALITIES if name in self.files]

    @property
    def channel_order(self) -> list[str]:
        """The modalities as the files, or the channels of the one file, hold them."""
        return [*DECATHLON_ORDER] if "image" in self.files else [name for name in MODALITIES if name in self.files]


@dataclass
class Found:
    """What was found: cases sorted by id, volumes of no known name, and one line per fault."""

    cases: list[Case] = field(default_factory=list)
    ignored: list[Path] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


def find_cases(source: Path, allow_missing: bool = False) -> Found:
    """Find the cases of all layouts in a folder; letter case does not count, nor which folders there are above a case.

    * ``<case>_{t1,t1ce,t2,flair,seg}``: BraTS 2017 to 2021; ``t2_flair`` is ``flair`` here and below.
    * ``<case>-{t1n,t1c,t2w,t2f,seg}``: BraTS 2023 and 2024.
    * ``imagesTr/<case>`` and ``labelsTr/<case>``, or ``<case>_image`` and ``<case>_label``: Decathlon, all modalities
      in one file. ``imagesTs``, which has no labels, is left out.
    * ``<case>/VSD.Brain.XX.O.MR_T1c.1/VSD.Brain.XX.O.MR_T1c.1``, or ``<case>/{T1,T1c,T2,Flair,OT,OTMultiClass}``, which
      ``.`` or ``_`` and more may follow: BraTS 2012 to 2016. ``T1_post`` and its like are ``T1c``; ``T2_star``,
      ``T1_mask`` and their like are of no known name. ``brainmask`` tells where the brain is, if the background is
      not 0.

    A folder ``HGG`` or ``LGG`` above a case tells its grade.

    Args:
        source: the folder.
        allow_missing: a case may lack modalities, but not all of them.

    Raises:
        UserError: there is no such folder, or nothing in it.
    """
    if source.is_file():
        raise UserError(f"source: {source} is a file; unpack it and give the folder")
    found = group_files(list_volumes(source))
    refuse_numbered(source, found.ignored)
    if not found.cases:
        hint = conversion_of(Path(member.name).name for member in list_members(source, WANTED))
        wanted = f"give {WANTED}, or a --table of your files"
        raise UserError(f"source: no case of a known layout in {source}{hint}; {wanted}")
    found.faults += [str(fault) for fault in twin_faults(found.cases)]
    found.faults += [str(fault) for fault in case_faults(found.cases, found.ignored, allow_missing)]
    return found


def list_volumes(source: Path) -> list[Path]:
    """Sorted volumes in a folder and its sub-folders, by their suffixes, but for what an operating system has left."""
    names = sorted(member.name for member in list_members(source, WANTED))
    files = [name for name in names if not name.endswith("/") and not is_junk(name.split("/"))]
    return [source / name for name in files if without_suffix(Path(name).name)]


def group_files(files: Iterable[Path], labels: bool = True) -> Found:
    """Bring files together to cases by their names alone; what a case lacks is not asked.

    Args:
        files: volumes.
        labels: if not, the files of labels are passed over.
    """
    found = Found()
    cases: dict[tuple[Path, bool, str], Case] = {}
    places = {path: place_of(path, without_suffix(path.name)) for path in files}
    for path, place in _settle(places, found).items():
        if place is None:
            if places[path] is None:
                found.ignored.append(path)
            continue
        folder, id_, convention, role = place[:4]
        if role == "seg" and not labels:
            continue
        key = (folder, convention in ("decathlon", NUMBERED), id_.casefold())
        if key not in cases:
            cases[key] = Case(id_, folder, convention, grade=grade_of(path), group=patient_of(id_))
        elif convention == NUMBERED or (role == "seg" and cases[key].convention != NUMBERED):
            cases[key].convention = convention
        if other := cases[key].files.get(role):
            found.faults.append(str(Fault(path, f"it and {other.name} both look like {role}", "rename or move one")))
        else:
            cases[key].files[role] = path
    found.cases = sorted(cases.values(), key=lambda case: (case.id, case.folder))
    return found


def _settle(places: Mapping[Path, Place | None], found: Found) -> dict[Path, Place | None]:
    """Decide of ``pat1_post_t1`` and its like whether ``post`` tells of contrast agent or is of the case's name."""
    roles: defaultdict[tuple[Path, str], set[str]] = defaultdict(set)
    for known in filter(None, places.values()):
        roles[known.folder, (known.whole or known.case).casefold()] |= {known.role} - {"seg"}
    settled: dict[Path, Place | None] = {}
    for path, place in places.items():
        if place and place.whole:
            own, rest = (roles[place.folder, name.casefold()] for name in (place.whole, place.case))
            settled[path] = settle(place, own, rest)
            if settled[path] is None:
                word = place.whole[len(place.case) :].strip("_-. ") or place.whole
                wrong = f"{word!r} may tell of contrast agent, or be of the name of the case"
                found.faults.append(
                    str(Fault(path, wrong, "rename all files of the case to <case>_t1, _t1ce, _t2, _flair"))
                )
        else:
            settled[path] = place
    return settled


def refuse_numbered(source: Path, ignored: Sequence[Path]) -> None:
    """Refuse files that are numbered as those of nnU-Net, since each of its data sets has an order of its own.

    Raises:
        UserError: there are such.
    """
    if files := numbered(ignored):
        wrong = f"{len(files)} files are numbered as by nnU-Net, such as {files[0].name}, and no dataset.json names t1"
        remedy = "add the dataset.json with its channel_names, or rename or link the files to <case>_t1, _t1ce, ..."
        raise mistake(source, f"{wrong}, t1ce, t2, flair", remedy)


def twin_faults(cases: list[Case]) -> Iterator[Fault]:
    """Find ids that occur twice; letter case does not count."""
    for number, first in twins(case.id for case in cases):
        yield Fault(cases[number].place, f"the id is also that of {cases[first].place}", "rename one of them")


def case_faults(cases: list[Case], ignored: list[Path], allow_missing: bool) -> Iterator[Fault]:
    """Find cases that lack files; ``ignored`` may be the ones, under another name."""
    for case in cases:
        unknown = [path.name for path in ignored if path.parent == case.folder]
        hint = f"; perhaps {' or '.join(unknown[:5])} has to be renamed" if unknown else ""
        if "seg" not in case.files:
            yield Fault(case.place, "no labels", f"add them, or move the case elsewhere{hint}")
        missing = [name for name in MODALITIES if name not in case.channel_order]
        if not case.images:
            yield Fault(case.place, "labels without any modality", f"add them{hint}")
        elif missing and not allow_missing:
            yield Fault(case.place, f"no {', no '.join(missing)}", f"add it, or give --allow_missing{hint}")
