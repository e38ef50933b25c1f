"""One case of the 2018 Data Science Bowl: checked, typed, and its nuclei merged into one instance map."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import ExifTags, Image

from .archive import read_member
from .content import digest_of
from .dsb_source import Case
from .faults import Fault
from .stored_picture import BIT_DEPTH, has_varying_alpha

__all__ = ["CaseReport", "Nucleus", "convert_case", "merge_nuclei", "picture_type"]

THRESHOLD = 127  # a pixel belongs to a mask where it is brighter
MAX_NUCLEI = 65_535
UNKNOWN = (0, 0)  # size of a picture that is missing, damaged or not the only one
UNREADABLE = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error)  # what Pillow raises for a bad PNG


class Nucleus(NamedTuple):
    """The mask of one nucleus, cropped: ``mask[0, 0]`` is the pixel ``(top, left)`` of the picture."""

    top: int
    left: int
    mask: np.ndarray


@dataclass
class CaseReport:
    """What was found in one case.

    Args:
        size: height and width, in pixels.
        content: digest of the picture's pixels.
        foreground: pixels of nuclei.
        vanished: names of masks.
    """

    id: str
    size: tuple[int, int] = UNKNOWN
    type: str = ""
    content: str = ""
    nuclei: int = 0
    foreground: int = 0
    overlap_pixels: int = 0
    vanished: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


def convert_case(
    case: Case, read: Callable[[str], bytes], label: Path | None = None, image: Path | None = None
) -> CaseReport:
    """Check every file of a case and write its instance map.

    Args:
        case: without exactly one picture it is a fault of the layout: then it is checked but not written.
        read: gives the bytes of a member by its name.
        label: where the instance map is written (uint16 PNG), if there is no fault; ``None`` checks only.
        image: where the bytes of the picture are copied to, if there is no fault; ``None`` leaves it where it is.
    """
    report = CaseReport(case.id)
    picture_bytes = b""
    for member in case.images:
        try:
            picture_bytes = read_member(member.name, read)
            picture = _decode(member.name, picture_bytes)
            if len(case.images) == 1:
                report.size, report.type = (picture.height, picture.width), picture_type(picture)
                report.content = digest_of(np.asarray(picture.convert("RGB")))
        except Fault as fault:
            report.faults.append(str(fault))
    nuclei, names = [], []
    for member in case.masks:
        try:
            mask = _decode(member.name, read_member(member.name, read))
            nuclei.append(_nucleus(member.name, mask, report.size))
            names.append(member.name)
        except Fault as fault:
            report.faults.append(str(fault))
    if len(case.masks) > MAX_NUCLEI:
        wrong = f"{len(case.masks)} nuclei, more than the {MAX_NUCLEI} of a uint16 map"
        report.faults.append(str(Fault(case.id, wrong, "cut the picture in pieces")))
    if report.faults or len(case.images) != 1:
        return report

    instances, report.overlap_pixels, vanished = merge_nuclei(report.size, nuclei)
    report.vanished = [names[i] for i in vanished]
    report.nuclei = len(nuclei) - len(vanished)
    report.foreground = int(np.count_nonzero(instances))
    if label:
        Image.fromarray(instances).save(label)
    if image:
        image.write_bytes(picture_bytes)
    return report


def merge_nuclei(shape: tuple[int, int], nuclei: Sequence[Nucleus]) -> tuple[np.ndarray, int, list[int]]:
    """Merge masks into one map in which each pixel belongs to one nucleus.

    A pixel claimed by several goes to the smallest of them (the first, if they are of one size), so that no nucleus is
    swallowed by a larger one. A nucleus that has no pixel left all the same has vanished; the others are numbered
    without a gap.

    Args:
        shape: height and width of the picture, in pixels.
        nuclei: in the order in which they are numbered from 1.

    Returns:
        The map (uint16, 0 is background), the number of pixels claimed more than once, the indices of vanished nuclei.

    Example:
        >>> large, small = np.ones((1, 4), bool), np.ones((1, 2), bool)
        >>> merge_nuclei((1, 5), [Nucleus(0, 0, large), Nucleus(0, 1, small)])
        (array([[1, 2, 2, 1, 0]], dtype=uint16), 2, [])
    """
    instances = np.zeros(shape, np.uint16)
    claims = np.zeros(shape, np.uint16)
    areas = [int(nucleus.mask.sum()) for nucleus in nuclei]
    for i in sorted(range(len(nuclei)), key=lambda i: (-areas[i], -i)):  # whoever is painted last keeps the pixel
        top, left, mask = nuclei[i]
        window = np.s_[top : top + mask.shape[0], left : left + mask.shape[1]]
        instances[window][mask] = i + 1
        claims[window] += mask
    present = np.bincount(instances.ravel(), minlength=len(nuclei) + 1)[1:] > 0
    vanished = np.flatnonzero(~present).tolist()
    if vanished:
        instances = np.concatenate([[0], np.cumsum(present)]).astype(np.uint16)[instances]
    return instances, int((claims > 1).sum()), vanished


def picture_type(picture: Image.Image) -> str:
    """Describe a picture by size, colour and brightness, e.g. ``256x320-colour-bright`` (height x width).

    It is in colour if red, green and blue differ in any pixel, and bright if the median of its grey values (0 to 255)
    is above 127.
    """
    red, green, blue = np.moveaxis(np.asarray(picture.convert("RGB")), -1, 0)
    colour = "colour" if (red != green).any() or (green != blue).any() else "grey"
    brightness = "bright" if np.median(np.asarray(picture.convert("L"))) > THRESHOLD else "dark"
    return f"{picture.height}x{picture.width}-{colour}-{brightness}"


def _nucleus(name: str, picture: Image.Image, size: tuple[int, int]) -> Nucleus:
    found = (picture.height, picture.width)
    if size not in (UNKNOWN, found):
        wrong = f"mask is {found[0]}x{found[1]}, its picture {size[0]}x{size[1]} (height x width)"
        raise Fault(name, wrong, "replace the mask or the picture")
    grey = picture.convert("L")
    least, most = grey.getextrema()
    if least == most and has_varying_alpha(picture):
        raise Fault(name, "mask of one colour, of which only the transparency varies", "store the nucleus as 255")
    box = grey.getbbox() or (0, 0, 0, 0)  # of what is not 0: all that can be above the threshold
    mask = np.asarray(grey.crop(box)) > THRESHOLD
    if not mask.any():
        raise Fault(name, f"empty mask, no pixel above {THRESHOLD}", "delete it, or store the nucleus as 255")
    return Nucleus(box[1], box[0], mask)


def _decode(name: str, data: bytes) -> Image.Image:
    again = "download or unpack it again"
    if not data:
        raise Fault(name, "empty file", again)
    if not data.startswith(b"\x89PNG\r\n\x1a\n") or len(data) <= BIT_DEPTH:
        raise Fault(name, "not a PNG", "convert it to PNG or delete it")
    width, height = struct.unpack(">II", data[16:24])
    if Image.MAX_IMAGE_PIXELS and width * height > Image.MAX_IMAGE_PIXELS:
        wrong = f"claims to be {height}x{width} pixels, more than the {Image.MAX_IMAGE_PIXELS} that are safe to open"
        raise Fault(name, wrong, "do not trust it; cut it in pieces if it is genuine")
    if data[BIT_DEPTH] == 16:  # Pillow would give the first byte of each colour, and no sign of the second
        raise Fault(name, "has values of 16 bits", "save it with 8 bits")
    if b"IEND\xaeB`\x82" not in data:  # Pillow forgives the loss of the last bytes, and with them of the checksum
        raise Fault(name, "truncated PNG", again)
    try:
        picture = Image.open(io.BytesIO(data), formats=["PNG"])
        picture.load()
    except UNREADABLE as error:
        raise Fault(name, f"damaged PNG ({error})", again) from error
    if (frames := getattr(picture, "n_frames", 1)) > 1:
        raise Fault(name, f"an animation of {frames} pictures", "save one of them alone")
    if picture.getexif().get(ExifTags.Base.Orientation, 1) != 1:  # which training heeds, so that labels lie elsewhere
        raise Fault(name, "turned by its EXIF orientation", "save it upright")
    if picture.mode == "P":  # by way of RGBA, or Pillow warns of a palette with transparency
        return picture.convert("RGBA")
    return picture
