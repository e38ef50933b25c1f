"""One case of brain tumours: its files read and held against each other."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..errors import UserError
from ..tables import six_digits
from .background import MOST_FILLED, Background, clear_background
from .brats_conventions import CAVITY, LABELS, number_labels
from .brats_source import Case
from .empty_modality import is_flat
from .faults import Fault
from .volume import Volume, grid_difference, read_volume

__all__ = ["CaseReport", "duplicate_faults", "examine_case"]


@dataclass
class CaseReport:
    """What was found in one case.

    Args:
        shape: of the grid, in voxels.
        spacing: of the grid, in mm.
        orientation: of the grid, e.g. ``LPS``.
        is_placed: the header tells it.
        maxima: greatest value of each modality.
        voxels: of each class inside, from background (0) to enhancing tumour (3).
        cavity: voxels of the resection cavity, which the convention 2024 knows.
        has_background: in all modalities it is known what is outside the brain.
        noisy: modalities whose background is of noise or ringing.
        empty: modalities that hold nothing and so count as missing.
        digests: of the voxels of each modality.
    """

    id: str
    shape: tuple[int, ...] = ()
    spacing: tuple[float, ...] = ()
    orientation: str = ""
    is_placed: bool = True
    maxima: dict[str, float] = field(default_factory=dict)
    voxels: list[int] = field(default_factory=lambda: [0] * len(LABELS))
    cavity: int = 0
    has_background: bool = True
    noisy: list[str] = field(default_factory=list)
    empty: list[str] = field(default_factory=list)
    digests: dict[str, str] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)


def examine_case(case: Case, allow_missing: bool = False) -> CaseReport:
    """Read all files of a case; faults are gathered in the report.

    Args:
        case: what its files are called.
        allow_missing: a modality that holds nothing is no fault, unless none holds anything.
    """
    report = CaseReport(case.id)
    first: tuple[Path, Volume] | None = None
    mask = None
    for role in ("mask", "image", *case.channel_order, "seg"):
        if role not in case.files:
            continue
        path = case.files[role]
        try:
            volume = read_volume(path)
            first = first or (path, volume)
            if difference := grid_difference(volume, first[1]):
                raise Fault(path, f"{difference}, which {first[0].name} has", "bring all files of the case to one grid")
            if role == "mask":
                mask = _brain(path, volume)
            elif role == "seg":
                report.voxels = _count(path, volume, case.convention)
                report.cavity = int((np.rint(volume.values) == CAVITY).sum()) if case.convention == "2024" else 0
            else:
                _examine_modalities(path, volume, case.channel_order if role == "image" else [role], mask, report)
        except (Fault, UserError) as fault:
            report.faults.append(str(fault))
    if report.empty and (not allow_missing or len(report.empty) == len(case.channel_order)):
        remedy = "download or convert it again" + ("" if allow_missing else ", or give --allow_missing")
        wrong = "holds nothing, one value throughout the brain"
        report.faults += [str(Fault(_file(case, name), f"{name} {wrong}", remedy)) for name in report.empty]
    if first:
        report.shape, report.orientation, report.is_placed = first[1].shape, first[1].orientation, first[1].is_placed
        report.spacing = tuple(float(six_digits(side)) for side in np.linalg.norm(first[1].affine[:3, :3], axis=0))
    return report


def duplicate_faults(cases: Sequence[Case], reports: Sequence[CaseReport]) -> Iterator[Fault]:
    """Find modalities with the same voxels: of one case, or of two cases, which are told once."""
    first_with: dict[str, tuple[Case, str]] = {}
    told: set[tuple[str, str]] = set()
    for case, report in zip(cases, reports, strict=True):
        for name, digest in report.digests.items():
            other, its_name = first_with.setdefault(digest, (case, name))
            if (other.id, other.folder) == (case.id, case.folder):
                if its_name != name:
                    yield Fault(_file(case, name), f"{name} has the voxels of {its_name}", "replace one of them")
            elif (other.id, case.id) not in told:
                told.add((other.id, case.id))
                wrong = f"{name} has the voxels of {_file(other, its_name)}"
                yield Fault(_file(case, name), wrong, "delete one of the cases, or replace the file")


def _file(case: Case, name: str) -> Path:
    return case.files.get(name) or case.files["image"]


def _brain(path: Path, volume: Volume) -> np.ndarray:
    brain = _only_3d(path, volume) > 0.5
    if not brain.any():
        raise Fault(path, "an empty mask of the brain", "replace it")
    return brain


def _count(path: Path, volume: Volume, convention: str) -> list[int]:
    labels = number_labels(path, _only_3d(path, volume), convention)
    return np.bincount(labels.ravel(), minlength=len(LABELS)).tolist()


def _examine_modalities(
    path: Path, volume: Volume, names: Sequence[str], mask: np.ndarray | None, report: CaseReport
) -> None:
    """Note what there is to say of the modalities ``names`` in a file."""
    channels = volume.values if len(names) > 1 else _only_3d(path, volume)[..., None]
    if channels.ndim != 4 or channels.shape[3] != len(names):
        shape = "x".join(map(str, channels.shape))
        raise Fault(path, f"shape {shape}", f"the last of four axes should hold {', '.join(names)}")
    for number, name in enumerate(names):
        values = channels[..., number].astype(np.float32)
        digest = hashlib.blake2b(np.ascontiguousarray(values).data, digest_size=16).hexdigest()
        greatest = float(values.max())
        if mask is not None:
            values *= mask
        background = clear_background(values)
        if is_flat(values):
            report.empty.append(name)
            continue
        report.digests[name], report.maxima[name] = digest, greatest
        is_sparse = bool(np.count_nonzero(values) <= MOST_FILLED * values.size)
        report.has_background &= mask is not None or is_sparse or background != Background()
        if background.noise:
            report.noisy.append(name)


def _only_3d(path: Path, volume: Volume) -> np.ndarray:
    if volume.values.ndim != 3:
        shape = "x".join(map(str, volume.values.shape))
        raise Fault(path, f"shape {shape} where three axes should be", "save one volume in one file")
    return volume.values
