"""Which mask belongs to which picture: by their names."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from unicodedata import normalize

from ..errors import UserError
from .faults import Fault, encoding_faults, raise_faults, twins
from .mask_names import KNOWN_ENDINGS, without_ending
from .picture import PICTURE_SUFFIXES
from .walk import walk_folder

__all__ = ["Pair", "Pairs", "find_pairs"]

ORPHAN = f"add it, delete the mask, or give it {KNOWN_ENDINGS}"


@dataclass(frozen=True)
class Pair:
    """A picture and its masks: none, one under the name "", or one for each class that is there."""

    id: str
    picture: Path
    masks: dict[str, Path]


@dataclass
class Pairs:
    """What was found in two folders. ``classes`` is empty unless there is one folder of masks for each class."""

    pairs: list[Pair] = field(default_factory=list)
    classes: list[str] = field(default_factory=list)
    ignored: list[Path] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


def find_pairs(images: Path, masks: Path, missing: str = "error", output: Path | None = None) -> Pairs:
    """Match the pictures of one folder with the masks of another, sub-folders included.

    A picture's id is its path below ``images`` without the suffix, e.g. ``day1/a``. Its mask has the same path below
    ``masks``, with any suffix, and may have one of ``KNOWN_ENDINGS``:
    ``day1/a_mask.png``.

    Where ``masks`` holds sub-folders only, and none of them is also a sub-folder of ``images``, each is a class: its
    masks have the path ``<class>/<id>``. A picture without a mask in the folder of a class has nothing of that class.

    Names are compared, and ids given, in the Unicode form NFC, since a Mac writes ``ä`` as ``a`` and two dots.

    Args:
        images: folder of the pictures. What lies in ``masks`` or ``output`` is not a picture.
        masks: folder of the masks.
        missing: a picture without any mask is a fault (``error``) or has nothing to find (``empty``).
        output: folder that is neither.

    Returns:
        The pairs sorted by their ids, the classes sorted by name, the files of other suffixes, and one line per fault.

    Raises:
        UserError: a folder does not exist or holds no picture, both are one, or names are not UTF-8.
    """
    for option, folder in (("images", images), ("masks", masks)):
        if not folder.is_dir():
            raise UserError(f"{option}: {folder} is not a folder; name the folder of the {option}")
    if images.samefile(masks):
        remedy = f"put the masks, such as those whose names are {KNOWN_ENDINGS}, into a folder of their own"
        raise UserError(f"masks: {masks} is also the folder of the images; {remedy}")
    found = Pairs()
    others = [folder for folder in (images, masks, output) if folder]
    pictures = _by_id(images, [o for o in others if o != images], found)
    if not pictures:
        raise UserError(f"images: no picture ({', '.join(PICTURE_SUFFIXES)}) in {images} or below it")

    mask_files = _by_id(masks, [o for o in others if o != masks], found)
    if not mask_files:
        raise UserError(f"masks: no mask ({', '.join(PICTURE_SUFFIXES)}) in {masks} or below it")
    raise_faults(images, encoding_faults([*pictures.values(), *mask_files.values()]))
    found.classes = _classes(images, mask_files)
    masks_of: defaultdict[str, dict[str, Path]] = defaultdict(dict)
    for name, file in mask_files.items():
        class_, id_ = name.split("/", 1) if found.classes else ("", name)
        id_ = _without_ending(id_, pictures)
        if id_ not in pictures:
            found.faults.append(str(Fault(file, f"a mask without a picture {images / id_}.*", ORPHAN)))
        elif other := masks_of[id_].get(class_):
            found.faults.append(str(Fault(file, f"a second mask for the picture of {other}", "keep one of the two")))
        else:
            masks_of[id_][class_] = file
    for id_, picture in pictures.items():
        if id_ not in masks_of and missing == "error":
            wrong = f"a picture without a mask {masks / id_}.*"
            found.faults.append(
                str(Fault(picture, wrong, "add it, or give --missing empty if there is nothing to find"))
            )
    found.pairs = [Pair(id_, picture, dict(sorted(masks_of[id_].items()))) for id_, picture in pictures.items()]
    return found


def _by_id(root: Path, leave_out: Sequence[Path], found: Pairs) -> dict[str, Path]:
    """The pictures below ``root``; hidden files do not count."""
    files: list[Path] = []
    there = [folder / name for folder, _, names in walk_folder(root) for name in names]
    for file in sorted(there, key=lambda file: [normalize("NFC", part) for part in file.parts]):
        inside = file.relative_to(root)
        if any(part.startswith(".") for part in inside.parts):
            continue
        if any(folder in file.parents for folder in leave_out if folder not in root.parents):
            continue
        (files if file.suffix.lower() in PICTURE_SUFFIXES else found.ignored).append(file)
    ids = [normalize("NFC", file.relative_to(root).with_suffix("").as_posix()) for file in files]
    second = dict(twins(ids))
    for number, first in second.items():
        wrong = f"differs from {files[first].name} only by its suffix, letter case or Unicode form"
        found.faults.append(str(Fault(files[number], wrong, "rename or delete one of the two")))
    return {ids[number]: file for number, file in enumerate(files) if number not in second}


def _classes(images: Path, masks: dict[str, Path]) -> list[str]:
    """The names of the classes, if the masks lie in one folder for each."""
    if not all("/" in name for name in masks):
        return []
    folders = {name.split("/")[0] for name in masks}
    of_images = {normalize("NFC", place.name) for place in images.iterdir() if place.is_dir()}
    return [] if folders & of_images else sorted(folders)


def _without_ending(name: str, pictures: dict[str, Path]) -> str:
    """The picture's name that the name of a mask begins with."""
    return name if name in pictures else without_ending(name)
