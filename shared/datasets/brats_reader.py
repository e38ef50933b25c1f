"""From the files of a case to one order of modalities and one numbering of labels."""

from __future__ import annotations

import logging
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import MapTransform
from monai.utils import MetaKeys, SpaceKeys

from .background import clear_background
from .brats_conventions import CONVENTIONS, DECATHLON_ORDER, MODALITIES, number_labels
from .empty_modality import find_copies, is_flat
from .faults import mistake
from .volume import NOT_PLACED, Volume, grid_difference, read_volume

__all__ = ["LoadModalitiesd", "LoadTumourd"]


class LoadModalitiesd(MapTransform):
    """Load the modalities of a case as one image in the order T1, T1ce, T2, FLAIR, on the grid of its files.

    An ``ImageReader`` of MONAI would not do: it gets paths alone, while their order is a matter of the case.

    A modality that is not there is 0 throughout, and so becomes one that has a single value inside the brain;
    ``meta["present"]`` tells, in the same order, which are there, and ``meta["copy_of"]`` the number of the first
    modality that one repeats, else -1. The log warns of both. Where the case names a ``mask`` of the brain, all outside
    it becomes 0, and else what ``clear_background`` finds, of which ``meta["background"]`` tells the value where there
    is one, and ``meta["noise"]`` the size of what is not; ``meta["is_placed"]`` is that of ``Volume``.
    ``channel_order`` and ``mask`` are removed from the case, so that cases of several releases can stand in one batch.

    Args:
        keys: of the files of each modality in a list, or of the one file with all modalities along its last axis.
        channel_order: the modalities as the files or channels hold them, where the case has no ``channel_order``; by
            default T1, T1ce, T2, FLAIR in several files and, as in the Decathlon, FLAIR, T1, T1ce, T2 in one.
        allow_missing_keys: go on without a key.

    Shape:
        (4, W, H, D), float32.

    Raises:
        UserError: a file cannot be read, the files lie on several grids, their number is not that of the order, or
            there is nothing in them but one value.

    Example:
        ``LoadModalitiesd("image")``, in place of ``LoadImaged`` and ``EnsureChannelFirstd``.
    """

    def __init__(
        self,
        keys: KeysCollection = "image",
        channel_order: Sequence[str] | None = None,
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.channel_order = channel_order
        if channel_order is not None and not _is_order(channel_order):
            raise ValueError(f"channel_order must name some of {', '.join(MODALITIES)} once each, got {channel_order}")

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        item = dict(data)
        given, mask = item.pop("channel_order", self.channel_order), item.pop("mask", None)
        for key in self.key_iterator(item):
            files = [item[key]] if isinstance(item[key], (str, Path)) else list(item[key])
            order = tuple(given if given is not None else MODALITIES if len(files) > 1 else DECATHLON_ORDER)
            if not _is_order(order):
                known = ", ".join(MODALITIES)
                wrong = f"channel_order is {', '.join(map(str, order)) or 'empty'}"
                raise mistake(files[0], wrong, f"name each of its modalities once: {known}")
            item[key] = _load(files, order, mask)
        return item


class LoadTumourd(MapTransform):
    """Load the labels of a case in one numbering: 1 necrotic and non-enhancing core, 2 oedema, 3 enhancing tumour.

    They take over the affine of an image that is loaded already and lies in the same place, but for rounding, so that
    whatever follows turns both alike.

    Args:
        keys: of the file.
        label_convention: how its labels are numbered, one of ``CONVENTIONS``, where the case has no
            ``label_convention``; 2023 numbers them as they are numbered inside.
        allow_missing_keys: go on without a key.

    Shape:
        (1, W, H, D), uint8.

    Raises:
        UserError: the file cannot be read, or holds numbers that the convention does not know.
    """

    def __init__(
        self, keys: KeysCollection = "label", label_convention: str = "2023", allow_missing_keys: bool = False
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        if label_convention not in CONVENTIONS:
            raise ValueError(f"label_convention must be one of {', '.join(CONVENTIONS)}, got {label_convention!r}")
        self.label_convention = label_convention

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        item = dict(data)
        convention = str(item.pop("label_convention", self.label_convention))
        for key in self.key_iterator(item):
            path = item[key]
            if convention not in CONVENTIONS:
                wrong = f"label_convention is {convention!r}"
                raise mistake(path, wrong, f"give one of {', '.join(CONVENTIONS)}")
            volume = read_volume(path)
            if volume.values.ndim != 3:
                raise mistake(path, "labels of more than three axes", "save one volume in one file")
            labels = np.ascontiguousarray(number_labels(path, volume.values, convention)[None])
            for image in item.values():
                if isinstance(image, MetaTensor):
                    grid = Volume(image[0].numpy(), image.affine.numpy())
                    volume = volume._replace(affine=grid.affine) if grid_difference(volume, grid) is None else volume
            item[key] = _with_meta(labels, volume, path)
        return item


def _is_order(order: Sequence[str]) -> bool:
    return 0 < len(order) == len(set(order)) and set(order) <= set(MODALITIES)


def _load(files: Sequence[str | Path], order: Sequence[str], mask: str | Path | None) -> MetaTensor:
    first = read_volume(files[0])
    in_one = first.values.ndim == 4
    count = first.values.shape[3] if in_one else len(files)
    if count != len(order) or (in_one and len(files) > 1):
        what = f"{count} modalities along its last axis" if in_one else f"{count} files"
        raise mistake(files[0], f"{what}, but channel_order is {', '.join(order)}", "name what each of them is")
    image = np.zeros((len(MODALITIES), *first.shape), np.float32)
    for number, name in enumerate(order):
        if in_one:
            values = first.values[..., number]
        else:
            values = first.values if number == 0 else _on_grid(files[number], files[0], first).values
        image[MODALITIES.index(name)] = values
    if mask is not None:
        image *= _on_grid(mask, files[0], first).values > 0.5
    if not first.is_placed:
        logging.getLogger(__name__).warning("%s: %s; taken as %s", files[0], NOT_PLACED, first.orientation)
    backgrounds = [clear_background(values) for values in image]
    if not image.any():
        raise mistake(files[0], "nothing but 0 in all modalities", "copy the case again, or leave it out")
    present = np.array([not is_flat(values) for values in image])
    if not present.any():
        wrong = "one value throughout the brain in all modalities, as masks have"
        raise mistake(files[0], wrong, "name the images themselves, or leave the case out")
    image[~present] = 0
    copy_of = find_copies(image)
    _tell(files[0], order, present, copy_of)
    loaded = _with_meta(image, first, files[0])
    loaded.meta["is_placed"] = first.is_placed
    loaded.meta["present"] = present
    loaded.meta["copy_of"] = copy_of
    loaded.meta["background"] = np.array([0 if noise else level for level, noise in backgrounds])
    loaded.meta["noise"] = np.array([noise for _, noise in backgrounds])
    return loaded


def _tell(path: str | Path, order: Sequence[str], present: np.ndarray, copy_of: np.ndarray) -> None:
    """Warn of modalities that hold nothing, or what another holds."""
    logger = logging.getLogger(__name__)
    for name, is_there, first in zip(MODALITIES, present, copy_of, strict=True):
        if name in order and not is_there:
            logger.warning("%s: %s holds nothing, one value throughout the brain; taken as missing", path, name)
        if first >= 0:
            logger.warning("%s: %s is a copy of %s; replace one of them", path, name, MODALITIES[first])


def _on_grid(path: str | Path, first_path: str | Path, first: Volume) -> Volume:
    """Read a further file of a case."""
    volume = read_volume(path)
    difference = grid_difference(volume, first)
    if difference is None and volume.values.ndim != 3:
        difference = "four axes instead of three"
    if difference:
        wrong = f"{difference}, which {Path(first_path).name} has"
        raise mistake(path, wrong, "bring all files of the case to one grid")
    return volume


def _with_meta(array: np.ndarray, volume: Volume, path: str | Path) -> MetaTensor:
    """As ``LoadImaged`` would, with ``EnsureChannelFirstd`` after it."""
    meta = {
        MetaKeys.ORIGINAL_AFFINE: volume.affine,
        MetaKeys.SPATIAL_SHAPE: np.array(volume.shape),
        MetaKeys.ORIGINAL_CHANNEL_DIM: 0,
        MetaKeys.SPACE: SpaceKeys.RAS,
        "filename_or_obj": str(path),
    }
    return MetaTensor(torch.from_numpy(array), affine=torch.from_numpy(volume.affine), meta=meta)
