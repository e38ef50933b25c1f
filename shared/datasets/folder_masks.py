"""What the numbers of masks mean, and the label maps they become."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .faults import Fault
from .picture import read_label

__all__ = [
    "KINDS",
    "Mask",
    "decide_kind",
    "find_kind",
    "merge_classes",
    "number_instances",
    "read_mask",
    "to_foreground",
]

KINDS = ("binary", "instances", "classes")
WHITE = (1, 255, 65_535)  # what marks the foreground of a binary mask
MAX_CLASSES = 255  # of a uint8 map
MAX_INSTANCES = 65_535  # of a uint16 map
ONLY_SHOWN = 8  # values in a message


@dataclass(frozen=True)
class Mask:
    """What a mask holds: its numbers above 0, ascending, without repetition."""

    path: Path
    values: np.ndarray
    is_jpeg: bool = False


def read_mask(path: Path) -> tuple[np.ndarray, Mask]:
    """Read a mask (H, W) and say what it holds.

    Raises:
        UserError: the file cannot be read.
    """
    label = read_label(path)
    with path.open("rb") as file:
        is_jpeg = file.read(3) == b"\xff\xd8\xff"
    if label.dtype == np.int32:
        values = np.unique(label)
    else:
        values = np.flatnonzero(np.bincount(label.ravel()))  # four times as fast, for at most 65536 values
    return label, Mask(path, values[values > 0], is_jpeg)


def find_kind(
    masks: Sequence[Mask], kind: str, threshold: float | None, folder: Path, classes: Sequence[str] = ()
) -> tuple[str, str, list[str]]:
    """Find out of what kind the masks of a set are, or whether they are of the kind that is asked for.

    Args:
        masks: all of the set.
        kind: one of ``KINDS``, or ``auto``: see ``decide_kind``.
        threshold: brighter than it is foreground, if the masks are black and white.
        folder: that of the masks, as a name for the faults.
        classes: names of the sub-folders, if there is one for each class.

    Returns:
        The kind, the reason for it, and one line per fault.
    """
    try:
        kind, reason = _settle_kind(masks, kind, threshold, folder, classes)
    except Fault as unsettled:
        return kind, "", [str(unsettled)]
    kind_of_files = "binary" if classes else kind
    faults = [fault for mask in masks if (fault := _mask_fault(mask, kind_of_files, threshold))]
    if kind_of_files == "binary" and threshold is not None:
        faults += _emptied_faults(masks, threshold)
    if kind_of_files == "classes" and not faults:
        faults = _gap_faults(masks)
    return kind, reason, faults


def _settle_kind(
    masks: Sequence[Mask], kind: str, threshold: float | None, folder: Path, classes: Sequence[str]
) -> tuple[str, str]:
    if masks and not any(len(mask.values) for mask in masks):
        raise Fault(folder, "no mask holds anything but 0", "check whether these are the masks")
    if classes:
        if kind not in ("auto", "classes"):
            wrong = f"holds a folder for each class ({', '.join(classes)}), which are not {kind}"
            raise Fault(folder, wrong, "leave out --kind, or move the masks out of the sub-folders")
        if len(classes) > MAX_CLASSES:
            raise Fault(folder, f"{len(classes)} classes, more than {MAX_CLASSES}", "take fewer")
        return "classes", "a folder of masks for each class"
    if kind == "classes" and threshold is not None:
        wrong = "makes masks black and white, which leaves no classes"
        raise Fault("threshold", wrong, "leave out --threshold or --kind")
    if kind != "auto" or not masks:
        return kind, "as asked for"
    kind, reason = decide_kind(masks, threshold)
    if not kind:
        remedy = "give --kind instances, --kind classes, or, for grey masks, --kind binary and --threshold"
        raise Fault("kind", f"cannot be told, {reason}", remedy)
    return kind, reason


def decide_kind(masks: Sequence[Mask], threshold: float | None) -> tuple[str, str]:
    """Tell from all masks of a set what their numbers mean.

    With a threshold, or if one is a JPEG, which is no fit place for numbers, they are ``binary``. So they are if each
    by itself holds no number but 0 and 1, or 0 and 255, or 0 and 65535: white, at 1, 8 and 16 bits, which a set may
    mix. Else, if a number above 255 occurs, they are ``instances``. What is left could be a few instances or classes.

    Returns:
        The kind and the reason; the kind is empty if it cannot be told.
    """
    values = np.unique(np.concatenate([mask.values for mask in masks]))
    if threshold is not None:
        return "binary", "a threshold is given"
    if any(mask.is_jpeg for mask in masks):
        return "binary", "some masks are JPEG"
    if np.isin(values, WHITE).all() and all(len(mask.values) <= 1 for mask in masks):
        if len(values) == 1:
            return "binary", f"the masks hold only 0 and {values[0]}"
        return "binary", f"each mask holds only 0 and one of {', '.join(map(str, values))}"
    if len(values) and values[-1] > 255:
        return "instances", f"the masks hold numbers up to {values[-1]}"
    return "", f"the masks hold {_listed(values)}"


def _mask_fault(mask: Mask, kind: str, threshold: float | None) -> str | None:
    """Say what keeps a mask from being of a kind; ``None`` if nothing does."""
    values = mask.values
    if mask.is_jpeg and kind != "binary":
        return str(Fault(mask.path, f"a JPEG, which does not keep the numbers of {kind}", "save the mask as PNG"))
    if kind == "binary" and threshold is None:
        remedy = "save black and white as PNG, or give --threshold T: brighter than T is foreground"
        if mask.is_jpeg:
            return str(Fault(mask.path, "a JPEG, whose black and white are blurred", remedy))
        if len(values) > 1 or (len(values) == 1 and values[0] not in WHITE):
            return str(Fault(mask.path, f"a binary mask that holds {_listed(values)}", remedy))
    if kind == "classes" and len(values) and values[-1] > 255:
        return str(
            Fault(mask.path, f"class {values[-1]}, above 255", "number the classes 1, 2, 3, ...; 0 is background")
        )
    if kind == "instances" and len(values) > MAX_INSTANCES:
        return str(Fault(mask.path, f"{len(values)} instances, more than {MAX_INSTANCES}", "cut it into tiles"))
    return None


def _emptied_faults(masks: Sequence[Mask], threshold: float) -> list[str]:
    """Name the masks of one white, such as 1, that a threshold made for others, such as 127, leaves nothing of.

    If it spares none, ``prepare`` says so of the threshold.
    """
    filled = [mask for mask in masks if len(mask.values)]
    emptied = [mask for mask in filled if mask.values[-1] <= threshold]
    if len(emptied) == len(filled):
        return []
    remedy = "save its foreground as 255, or leave out --threshold and give --kind binary"
    return [
        str(Fault(mask.path, f"holds 0 and {mask.values[0]}, which --threshold {threshold:g} makes empty", remedy))
        for mask in emptied
        if len(mask.values) == 1 and mask.values[0] in WHITE and not mask.is_jpeg
    ]


def _gap_faults(masks: Sequence[Mask]) -> list[str]:
    """A number left out is mostly a sign of masks made for the eye (0, 128, 255), or of one that means `unknown`."""
    first = {value: mask.path for mask in reversed(masks) for value in mask.values.tolist()}
    highest = max(first, default=0)
    if not (gaps := sorted(set(range(1, highest)) - set(first))):
        return []
    wrong = f"holds class {highest}, but no mask holds class {gaps[0]}"
    return [str(Fault(first[highest], wrong, "number the classes 1, 2, 3, ... without a gap; 0 is background"))]


def to_foreground(label: np.ndarray, threshold: float | None) -> np.ndarray:
    """Return (H, W) uint8, 1 where a binary mask is above ``threshold``, by default above 0."""
    return (label > (threshold or 0)).astype(np.uint8)


def number_instances(label: np.ndarray) -> np.ndarray:
    """Number the instances anew from 1 without a gap, in the order of their numbers; (H, W) uint16.

    Example:
        >>> number_instances(np.array([[0, 9], [70000, 9]]))
        array([[0, 1],
               [2, 1]], dtype=uint16)
    """
    values, numbers = np.unique(label, return_inverse=True)
    return (numbers.reshape(label.shape) + (values[0] != 0)).astype(np.uint16)


def merge_classes(foregrounds: Mapping[int, np.ndarray], shape: tuple[int, int]) -> tuple[np.ndarray, int]:
    """Merge one mask for each class into one map.

    A pixel that several classes claim goes to the one that covers least of this picture (the first, if they are equal),
    so that a small thing on a large one is kept.

    Args:
        foregrounds: by the number of the class, (H, W), 1 where it is.
        shape: height and width, in pixels.

    Returns:
        The map (uint8) and the number of pixels that were claimed more than once.
    """
    label = np.zeros(shape, np.uint8)
    for number, mask in sorted(foregrounds.items(), key=lambda item: (-int(item[1].sum()), -item[0])):
        label[mask > 0] = number  # whoever is painted last keeps the pixel
    claims = sum((mask.astype(np.uint16) for mask in foregrounds.values()), np.zeros(shape, np.uint16))
    return label, int((claims > 1).sum())


def _listed(values: np.ndarray) -> str:
    shown = ", ".join(str(value) for value in values[:ONLY_SHOWN])
    more = f", ... {values[-1]} ({len(values)} numbers)" if len(values) > ONLY_SHOWN else ""
    return f"0, {shown}{more}" if len(values) else "only 0"
