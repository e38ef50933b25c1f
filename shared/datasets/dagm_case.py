"""One picture of DAGM 2007: checked, and the mask of its defect written, empty if it has none."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from ..errors import UserError
from .archive import read_member
from .content import digest_of
from .dagm_table import Case
from .faults import Fault
from .picture import read_label, read_picture
from .plan import widths_of

__all__ = ["CaseReport", "convert_case", "to_mask"]

TYPES = ("defect-free", "defective")


@dataclass
class CaseReport:
    """What was found in one case.

    Args:
        is_defective: it has a label.
        size: height and width, in pixels; (0, 0) if the picture cannot be read.
        depth: type of the numbers, e.g. ``uint8``.
        content: digest of the picture's pixels.
        area: of the mask, in pixels.
        widths: of the components of the mask, in pixels.
    """

    id: str
    is_defective: bool
    size: tuple[int, int] = (0, 0)
    depth: str = ""
    content: str = ""
    area: int = 0
    widths: list[float] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    @property
    def type(self) -> str:
        return TYPES[self.is_defective]


def convert_case(
    case: Case, read: Callable[[str], bytes], label: Path | None = None, image: Path | None = None
) -> CaseReport:
    """Check the files of a case and write its mask.

    Args:
        case: picture and label.
        read: gives the bytes of a member by its name.
        label: where the mask is written (uint8 PNG, 0 and 1), if there is no fault; ``None`` checks only.
        image: where the bytes of the picture are copied to, if there is no fault; ``None`` leaves it where it is.
    """
    report = CaseReport(case.id, case.label is not None)
    picture_bytes, mask = b"", np.zeros((0, 0), np.uint8)
    try:
        picture_bytes = read_member(case.picture.name, read)
        picture = read_picture(case.picture.name, file=io.BytesIO(picture_bytes))
        report.size, report.depth = (picture.shape[0], picture.shape[1]), str(picture.dtype)
        report.content = digest_of(picture)
        mask = np.zeros(report.size, np.uint8)
    except (Fault, UserError) as fault:
        report.faults.append(str(fault))
    if case.label is not None:
        try:
            mask = to_mask(read_label(case.label.name, file=io.BytesIO(read_member(case.label.name, read))))
            _check_mask(case.label.name, mask, report)
        except (Fault, UserError) as fault:
            report.faults.append(str(fault))
    report.area = int(np.count_nonzero(mask))
    report.widths = widths_of(mask) if report.area else []
    if label and not report.faults:
        label.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(mask).save(label)
        if image:
            image.parent.mkdir(parents=True, exist_ok=True)
            image.write_bytes(picture_bytes)
    return report


def to_mask(label: np.ndarray) -> np.ndarray:
    """Return 1 where a label is above half of its largest value, whether white is 1, 255 or 65535; else 0.

    Example:
        >>> to_mask(np.array([[0, 100, 255]], np.uint8))
        array([[0, 0, 1]], dtype=uint8)
    """
    return (label > label.max() / 2).astype(np.uint8)


def _check_mask(name: str, mask: np.ndarray, report: CaseReport) -> None:
    if report.depth and mask.shape != report.size:
        wrong = "label is {}x{}, its picture {}x{} (height x width)".format(*mask.shape, *report.size)
        raise Fault(name, wrong, "replace the label or the picture")
    if not mask.any():
        wrong = "empty label of a picture that is defective by Labels.txt"
        raise Fault(name, wrong, "download or unpack it again")
