"""One picture of one's own with its masks: examined, then its masks made into one label map."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from ..errors import UserError
from .content import digest_of
from .faults import Fault
from .folder_masks import Mask, merge_classes, number_instances, read_mask, to_foreground
from .folder_pairs import Pair
from .picture import read_picture
from .plan import widths_of

__all__ = ["CaseReport", "convert_case", "examine_case"]


@dataclass
class CaseReport:
    """What was found in one case: ``examine_case`` fills the first block, ``convert_case`` the second.

    Args:
        size: height and width, in pixels.
        colour: red, green and blue differ somewhere.
        depth: type of the numbers, e.g. ``uint8``.
        content: digest of the picture's pixels.
        masks: by the name of the class, or under "" where there is one mask.
        objects: instances in the label map, for the kind ``instances``.
        pixels: of each class in the label map, 0 is background; instances are of one class.
        overlap: pixels that several classes claim.
        widths: of the components, in pixels, for the kind ``binary``.
    """

    id: str
    size: tuple[int, int] = (0, 0)
    colour: bool = False
    depth: str = ""
    content: str = ""
    masks: dict[str, Mask] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    objects: int = 0
    pixels: dict[int, int] = field(default_factory=dict)
    overlap: int = 0
    widths: list[float] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        return set(self.pixels) <= {0}

    @property
    def type(self) -> str:
        """What the folds should hold evenly, e.g. ``colour-512px-empty``: the longer side is within 257..512 pixels."""
        longer_side = 2 ** math.ceil(math.log2(max(self.size)))
        content = "empty" if self.is_empty else "foreground"
        return f"{'colour' if self.colour else 'grey'}-{longer_side}px-{content}"


def examine_case(pair: Pair) -> CaseReport:
    """Read the picture and its masks; faults are gathered in the report."""
    report = CaseReport(pair.id)
    try:
        picture = read_picture(pair.picture)
        report.size, report.depth = (picture.shape[0], picture.shape[1]), str(picture.dtype)
        report.content = digest_of(picture)
        report.colour = bool((picture != picture[..., :1]).any())
    except UserError as error:
        report.faults.append(str(error))
    for name, path in pair.masks.items():
        try:
            label, report.masks[name] = read_mask(path)
        except UserError as error:
            report.faults.append(str(error))
            continue
        if report.depth and label.shape != report.size:
            wrong = "mask is {}x{}, its picture {}x{} (height x width)".format(*label.shape, *report.size)
            report.faults.append(str(Fault(path, wrong, "replace the mask or the picture")))
    return report


def convert_case(
    pair: Pair, report: CaseReport, kind: str, classes: list[str], threshold: float | None, target: Path
) -> None:
    """Write the label map of a case without faults and complete its report.

    Args:
        pair: a picture and its masks; without a mask the label map is empty.
        report: as ``examine_case`` gave it.
        kind: one of ``KINDS``.
        classes: names of the classes if each has masks of its own; they are numbered from 1.
        threshold: brighter than it is foreground, for masks that are black and white.
        target: PNG to be written: uint16 for instances, else uint8.
    """
    masks = {name: read_mask(path)[0] for name, path in pair.masks.items()}
    if classes:
        foregrounds = {classes.index(name) + 1: to_foreground(mask, threshold) for name, mask in masks.items()}
        label, report.overlap = merge_classes(foregrounds, report.size)
    elif not masks:
        label = np.zeros(report.size, np.uint16 if kind == "instances" else np.uint8)
    elif kind == "instances":
        label = number_instances(masks[""])
        report.objects = int(label.max())
    elif kind == "classes":
        label = masks[""].astype(np.uint8)
    else:
        label = to_foreground(masks[""], threshold)
        report.widths = widths_of(label)
    counts = np.bincount(((label > 0) if kind == "instances" else label).ravel())
    report.pixels = {number: int(count) for number, count in enumerate(counts) if count}
    target.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(label).save(target)
