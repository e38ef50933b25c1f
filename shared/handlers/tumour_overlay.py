"""Pictures of a brain tumour: its outlines on slices of all modalities."""

from __future__ import annotations

from typing import Any

import nibabel as nib
import numpy as np
import torch
from monai.data import MetaTensor
from PIL import Image, ImageDraw, ImageFont
from scipy.ndimage import find_objects
from skimage.segmentation import find_boundaries

from ..metrics.tumour_scores import REGIONS
from .contours import BOTH, PREDICTION, SHOWN, TRUTH
from .overlays import Overlays

__all__ = ["TumourOverlays", "draw_tumour"]

NAMES = ("T1", "T1ce", "T2", "FLAIR")  # the order inside
# With axes to the left, to the back and downwards each slice is shown the radiological way as soon as it is transposed.
AXES = "LPI"
PLANES = (("axial", 2, "R"), ("coronal", 1, "R"), ("sagittal", 0, "A"))  # cut across which axis; what is at the left
LONGEST_SIDE = 576  # of a slice; smaller ones are enlarged up to it, so that a contour does not hide what it encloses
GAP = 4
TEXT = (255, 255, 255)


def draw_tumour(image: torch.Tensor, prediction: torch.Tensor, truth: torch.Tensor | None = None) -> np.ndarray:
    """Draw the outlines of whole tumour, core and enhancing tumour: truth green, prediction orange, both yellow.

    The rows are an axial, a coronal and a sagittal slice, cut to the brain, the columns T1, T1ce, T2 and FLAIR; a
    modality that is 0 throughout is named as missing. The slices are those with most tumour in the truth, or else in
    the prediction, or else those in the middle. The patient's right is at the left, or else anterior is; superior is
    at the top. Each modality is shown between the 0.5 and 99.8 percentiles of what is not 0 in the three slices; 0 is
    black.

    Args:
        image: with the affine of a ``MetaTensor``; without one it counts as 1 mm, RAS.
        prediction: label map, 1 necrotic and non-enhancing core, 2 oedema, 3 enhancing tumour.
        truth: label map, if it is known.

    Shape:
        ``image`` (4, W, H, D), label maps (1, W, H, D). The result is uint8 (H, W, 3); voxels are enlarged by whole
        factors, which follow their spacing.

    Raises:
        ValueError: a shape is another.
    """
    affine = image.affine.cpu().numpy() if isinstance(image, MetaTensor) else np.eye(4)
    grid = image.shape[1:]
    maps = [prediction] if truth is None else [prediction, truth]
    if len(image) != len(NAMES) or any(labels.shape != (1, *grid) for labels in maps):
        shapes = ", ".join(str(tuple(tensor.shape)) for tensor in (image, *maps))
        raise ValueError(f"shapes must be (4, W, H, D) and (1, W, H, D) on one grid, got {shapes}")
    turn = nib.orientations.ornt_transform(nib.io_orientation(affine), nib.orientations.axcodes2ornt(AXES))

    def turned(tensor: torch.Tensor) -> np.ndarray:
        """Channels last, without a copy."""
        return nib.orientations.apply_orientation(np.moveaxis(tensor.detach().cpu().numpy(), 0, -1), turn)

    voxels, labels = turned(image), [turned(tensor)[..., 0] for tensor in maps]
    box = _box([*np.moveaxis(voxels, -1, 0), *labels])
    voxels, labels = voxels[box], [tumour[box] for tumour in labels]
    sizes = nib.affines.voxel_sizes(affine @ nib.orientations.inv_ornt_aff(turn, grid))
    factors = _factors(voxels.shape[:3], sizes)
    shown = next((tumour for tumour in reversed(labels) if tumour.any()), labels[0])
    cuts = [(axis, _most(shown, axis)) for _, axis, _ in PLANES]
    slices = _brighten([_cut(voxels, *cut) for cut in cuts])
    names = [name if voxels[..., channel].any() else f"{name} missing" for channel, name in enumerate(NAMES)]

    size = max(10, max(np.multiply(factors, voxels.shape[:3])) // 36)
    rows = []
    for (plane, axis, left), (_, number), pixels in zip(PLANES, cuts, slices, strict=True):
        tall, wide = (factors[other] for other in (2, 1, 0) if other != axis)
        large = pixels.repeat(tall, axis=0).repeat(wide, axis=1)
        found, *true = [_outlines(_cut(tumour, axis, number), tall, wide) for tumour in labels]
        panels = []
        for channel, name in enumerate(names):
            panel = np.repeat(large[..., channel, None], 3, axis=-1)
            panel[found] = PREDICTION
            for outline in true:
                panel[outline] = TRUTH
                panel[outline & found] = BOTH
            panels.append(_write(panel, f"{name}, {plane}", left, size))
        rows.append(panels)
    return _montage(rows)


class TumourOverlays(Overlays):
    """Writes what ``draw_tumour`` draws of the worst, the median and the best case, as ``Overlays`` does of pictures.

    It draws the item's ``raw`` where there is one, else its ``image``, which has to lie on the grid of the label maps.
    """

    def picture(self, item: dict[str, Any], output: dict[str, Any]) -> np.ndarray:
        image = item["raw"] if "raw" in item else item["image"]
        return draw_tumour(image, output[self.prediction], output[self.truth])


def _box(volumes: list[np.ndarray]) -> tuple[slice, ...]:
    """The smallest box that holds all that is not 0, or everything if there is nothing."""
    filled = np.logical_or.reduce([volume != 0 for volume in volumes])
    boxes = find_objects(filled.view(np.uint8))
    return boxes[0] if boxes else (slice(None),) * 3


def _factors(shape: tuple[int, ...], sizes: np.ndarray) -> list[int]:
    """By which whole number each axis is enlarged, at most to twice the longest side however odd the spacing is."""
    relative = sizes / sizes.min()
    enlarged = max(1, int(LONGEST_SIDE / max(shape * relative)))
    return [
        int(np.clip(round(enlarged * ratio), 1, max(1, 2 * LONGEST_SIDE // side)))
        for side, ratio in zip(shape, relative, strict=True)
    ]


def _most(labels: np.ndarray, axis: int) -> int:
    """The slice across an axis that holds most of a tumour, the middle one if there is none."""
    areas = np.count_nonzero(labels, axis=tuple(other for other in range(3) if other != axis))
    return int(areas.argmax()) if areas.any() else len(areas) // 2


def _cut(volume: np.ndarray, axis: int, number: int) -> np.ndarray:
    """A slice with its rows first."""
    return volume.take(number, axis).swapaxes(0, 1)


def _brighten(slices: list[np.ndarray]) -> list[np.ndarray]:
    """Slices as uint8; those of a modality look alike."""
    shown = [np.zeros(pixels.shape, np.uint8) for pixels in slices]
    for channel in range(slices[0].shape[-1]):
        values = np.concatenate([pixels[..., channel].ravel() for pixels in slices])
        if (brain := values[values != 0]).size:
            dark, bright = np.percentile(brain, SHOWN)
            for pixels, target in zip(slices, shown, strict=True):
                grey = np.clip((pixels[..., channel] - dark) / (bright - dark or 1), 0, 1)
                target[..., channel] = np.where(pixels[..., channel] == 0, 0, np.round(255 * grey))
    return shown


def _outlines(labels: np.ndarray, tall: int, wide: int) -> np.ndarray:
    """The contours of all regions on an enlarged slice."""
    large = labels.repeat(tall, axis=0).repeat(wide, axis=1)
    contours = [find_boundaries(np.isin(large, region), mode="inner") for region in REGIONS.values()]
    return np.logical_or.reduce(contours)


def _write(panel: np.ndarray, title: str, left: str, size: int) -> np.ndarray:
    canvas = Image.fromarray(panel)
    draw, font = ImageDraw.Draw(canvas), ImageFont.load_default(size)
    for place, text in (((2, 2), title), ((2, canvas.height // 2), left)):
        draw.text(place, text, TEXT, font, stroke_width=1, stroke_fill=(0, 0, 0))
    return np.asarray(canvas)


def _montage(rows: list[list[np.ndarray]]) -> np.ndarray:
    wide = max(row[0].shape[1] for row in rows) + GAP
    talls = [row[0].shape[0] + GAP for row in rows]
    picture = np.zeros((sum(talls) - GAP, wide * len(rows[0]) - GAP, 3), np.uint8)
    for top, row in zip(np.cumsum([0, *talls[:-1]]), rows, strict=True):
        for column, panel in enumerate(row):
            height, width = panel.shape[:2]
            picture[top : top + height, column * wide : column * wide + width] = panel
    return picture
