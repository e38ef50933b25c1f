"""Writes what inference found in brains: label maps, volumes and what may be wrong with a case."""

from __future__ import annotations

import gzip
import logging
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from monai.data import MetaTensor

from ..atomic import atomic_path
from ..datasets.background import MOST_FILLED
from ..datasets.brats_conventions import CONVENTIONS, MODALITIES
from ..datasets.nifti_grid import nifti_on_grid, read_header
from ..datasets.volume import NOT_PLACED
from ..errors import UserError
from ..metrics.tumour_scores import REGIONS
from ..tables import six_digits
from .findings import FindingsHandler, read_findings, refuse_failures, refuse_nan
from .tumour_overlay import draw_tumour

__all__ = ["SaveTumours", "check_tumours", "doubts", "tumour_volumes"]

FULL_SCALE = 32767  # a probability of 1 as it is stored
COMPRESSION = 3  # of gzip; more takes long for probabilities
COARSE = 1.5  # times or more what the network sees


class SaveTumours(FindingsHandler):
    """Writes ``<case>_seg.nii.gz`` (uint8, on the grid of the input) and ``findings.csv``.

    The grid is that of the first file of the case, bit for bit if it is NIfTI: spacing, qform, sform, their codes and
    the units. ``findings.csv`` holds a row per case: the volumes of the whole tumour (labels 1, 2 and 3 inside), of
    its core (1 and 3) and of what enhances (3) in ml; warnings, joined by ``; ``, of what makes the result doubtful;
    and an error where there is no result.

    Args:
        output_dir: folder to write to.
        save_probability: also write ``<case>_prob.nii.gz``, 16 bit with a slope, the channels along the fourth axis.
        save_overlay: also write ``<case>_overlay.png``, slices of all modalities with the outlines of the tumour.
        skip_existing: keep the rows of an earlier run whose label maps are there.
        label_convention: how the labels are numbered, ``2019`` (1 core, 2 oedema, 4 enhancing), ``2023`` (1, 2, 3) or
            ``decathlon`` (2, 1, 3).
        spacing: sides in mm of the voxels that the network sees; a case of far coarser ones gets a warning.
        patch_size: how many of them it sees at once; a case that is thinner gets a warning.

    Raises:
        UserError: the convention is none of these.
    """

    columns = ("case", *(f"volume_{region}_ml" for region in REGIONS), "warnings", "error")

    def __init__(
        self,
        output_dir: str | Path,
        save_probability: bool = False,
        save_overlay: bool = False,
        skip_existing: bool = False,
        label_convention: str = "2019",
        spacing: Sequence[float] = (1.0, 1.0, 1.0),
        patch_size: Sequence[int] = (0, 0, 0),
    ) -> None:
        super().__init__(output_dir, save_probability, save_overlay, skip_existing)
        unique = [name for name, known in CONVENTIONS.items() if len({*known.values()}) == len(known)]
        if label_convention not in unique:
            raise UserError(f"label_convention: {label_convention!r} is none of {', '.join(unique)}")
        stored = {inside: number for number, inside in CONVENTIONS[label_convention].items()}
        self.numbers = np.array([stored[inside] for inside in range(len(stored))], np.uint8)
        self.spacing, self.patch_size = tuple(spacing), tuple(patch_size)

    def name(self, item: dict[str, Any]) -> str:
        return item["id"]

    def is_current(self, name: str) -> bool:
        return (self.output_dir / f"{name}_seg.nii.gz").is_file()

    def find(self, item: dict[str, Any], output: dict[str, Any], target: Path) -> list[dict[str, Any]]:
        """Write the label map of a case, measure it, and say what is doubtful.

        Args:
            item: with ``raw``, the image (4, W, H, D) as it was loaded.
            output: with ``pred``, labels (1, W, H, D) as they are numbered inside, and ``probability`` (C, W, H, D),
                both on the grid of the input; ``pred_left_out``, if ``DropLoneOedemad`` was there.
            target: path of the results, to which is added what they are.
        """
        raw = item["raw"]
        labels, probability = (output[key].detach().cpu().numpy() for key in ("pred", "probability"))
        grid = raw.shape[1:]
        if labels.shape != (1, *grid) or probability.shape[1:] != grid:
            shapes = f"pred {labels.shape} and probability {probability.shape}"
            raise ValueError(f"labels and probability must lie on the grid {tuple(grid)} of the input, got {shapes}")
        refuse_nan(item, probability)
        if self.save_probability:
            stored = np.rint(FULL_SCALE * np.moveaxis(probability, 0, -1)).astype(np.int16)
            self._write_volume(target, "prob", stored, raw, 1 / FULL_SCALE)
        if self.save_overlay:
            self._write(target, "overlay", draw_tumour(raw, output["pred"]))
        self._write_volume(target, "seg", self.numbers[labels[0].astype(np.uint8)], raw)
        affine = raw.affine.numpy()
        volumes = tumour_volumes(labels[0], affine)
        left_out = output.get("pred_left_out", 0) * _millilitres(affine)
        return [
            {f"volume_{region}_ml": six_digits(volume) for region, volume in volumes.items()}
            | {"warnings": "; ".join(doubts(raw, volumes["wt"], self.spacing, self.patch_size, left_out))}
        ]

    def _write_volume(
        self, target: Path, kind: str, values: np.ndarray, raw: MetaTensor, slope: float | None = None
    ) -> None:
        image = nifti_on_grid(values, read_header(raw.meta["filename_or_obj"]), raw.affine.numpy(), slope)
        with atomic_path(target.with_name(f"{target.name}_{kind}.nii.gz")) as temporary:
            temporary.write_bytes(gzip.compress(image.to_bytes(), COMPRESSION, mtime=0))


def check_tumours(output_dir: str | Path) -> None:
    """Say what an inference has found; it stands last in ``run``.

    Args:
        output_dir: folder with ``findings.csv``.

    Raises:
        UserError: some cases could not be segmented.
    """
    table = Path(output_dir) / "findings.csv"
    cases = read_findings(table, SaveTumours.columns)
    volumes = [float(row["volume_wt_ml"]) for row in cases if not row["error"]]
    found = sum(volume > 0 for volume in volumes)
    logging.getLogger(__name__).info("%d cases, a tumour found in %d; table: %s", len(volumes), found, table)
    refuse_failures(cases, table, "cases")


def tumour_volumes(labels: np.ndarray, affine: np.ndarray) -> dict[str, float]:
    """Volumes of whole tumour, core and enhancing tumour in ml.

    Args:
        labels: 1 necrotic and non-enhancing core, 2 oedema, 3 enhancing tumour.
        affine: from voxels to millimetres.

    Shape:
        ``labels`` (W, H, D), ``affine`` (4, 4).

    Example:
        >>> tumour_volumes(np.array([[[0, 1, 2, 2, 3]]]), np.diag([10, 5, -4, 1]))
        {'wt': 0.8, 'tc': 0.4, 'et': 0.2}
    """
    counts = np.bincount(labels.astype(np.uint8).ravel(), minlength=4)
    voxel = _millilitres(affine)
    return {region: float(f"{counts[[*numbers]].sum() * voxel:.9g}") for region, numbers in REGIONS.items()}


def doubts(
    raw: MetaTensor,
    tumour: float,
    spacing: Sequence[float] = (1.0, 1.0, 1.0),
    patch_size: Sequence[int] = (0, 0, 0),
    left_out: float = 0.0,
) -> Iterator[str]:
    """What makes the result of a case doubtful, in words.

    Args:
        raw: the image as ``LoadModalitiesd`` gave it.
        tumour: volume found, in ml.
        spacing: sides of the voxels that the network sees, in mm.
        patch_size: how many of them it sees at once.
        left_out: volume of oedema that was found far from any core and left out, in ml.

    Shape:
        ``raw`` (4, W, H, D).
    """
    missing = [name for name, is_there in zip(MODALITIES, raw.meta["present"], strict=True) if not is_there]
    if missing:
        yield f"modalities missing: {', '.join(missing)}"
    copies = {
        name: MODALITIES[first] for name, first in zip(MODALITIES, raw.meta["copy_of"], strict=True) if first >= 0
    }
    for name, first in copies.items():
        yield f"{name} is a copy of {first}"
    if "t1ce" in (*missing, *copies):
        yield "volume_et_ml is a guess without t1ce, which alone shows what enhances"
    if not raw.meta["is_placed"]:
        yield f"{NOT_PLACED}; taken as {''.join(nib.aff2axcodes(raw.affine.numpy()))}"
    if not tumour:
        yield "no tumour found"
    if left_out:
        yield f"left out {left_out:.3g} ml of oedema apart from any core; --lone_oedema True keeps it"
    changed = [
        f"{value:.3g} in {name}" for name, value in zip(MODALITIES, raw.meta["background"], strict=True) if value
    ]
    if changed:
        yield f"taken as background, which should be 0: {', '.join(changed)}"
    if noisy := [name for name, noise in zip(MODALITIES, raw.meta["noise"], strict=True) if noise]:
        yield f"noise or ringing outside the brain taken as background: {', '.join(noisy)}; is the skull removed?"
    filled = float((raw != 0).any(dim=0).float().mean())
    if filled > MOST_FILLED:
        yield f"background is not 0 ({filled:.0%} of the voxels are not); is the skull removed?"
    sides = np.linalg.norm(raw.affine.numpy()[:3, :3], axis=0)
    if sides.max() >= COARSE * max(spacing):
        yield f"voxels of {_by(sides)} mm, the network sees {_by(spacing)} mm"
    thinnest, seen = min(sides * raw.shape[1:]), min(np.multiply(patch_size, spacing))
    if thinnest < seen:
        yield f"only {thinnest:.3g} mm thick, the network sees {seen:.3g} mm"


def _millilitres(affine: np.ndarray) -> float:
    """Of one voxel."""
    return float(abs(np.linalg.det(affine[:3, :3]))) / 1000


def _by(sides: Iterable[float]) -> str:
    return "x".join(f"{side:.3g}" for side in sides)
