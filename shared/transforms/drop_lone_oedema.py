"""Oedema without a tumour's core is mostly a false alarm."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import torch
from monai.transforms import MapTransform
from monai.utils import convert_to_dst_type, convert_to_tensor
from scipy import ndimage

__all__ = ["DropLoneOedemad"]

OEDEMA = 2  # as TumourLabelsd numbers it


class DropLoneOedemad(MapTransform):
    """Leaves out pieces of the whole tumour that hold no core, where a larger piece does.

    Oedema lies around a core, and what is bright in FLAIR elsewhere is mostly something else. Where no piece has a
    core, as in some gliomas of low grade, all are kept, and so is what is larger than each piece that has one. Pieces
    touch by a face, an edge or a corner.

    Args:
        keys: keys of the labels; beside each is put ``<key>_left_out``, the number of voxels left out.
        allow_missing_keys: leave items without the key as they are.

    Raises:
        ValueError: in a call, there is more than one channel.

    Shape:
        Labels (1, *spatial): 1 necrotic and non-enhancing core, 2 oedema, 3 enhancing tumour.

    Example:
        >>> item = DropLoneOedemad("pred")({"pred": torch.tensor([[2, 3, 3, 0, 2, 2, 0, 1]])})
        >>> item["pred"], item["pred_left_out"]
        (tensor([[2, 3, 3, 0, 0, 0, 0, 1]]), 2)
    """

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        result = dict(data)
        for key in self.key_iterator(result):
            labels = convert_to_tensor(result[key])
            if len(labels) != 1:
                raise ValueError(f"{key} must have one channel of labels, got the shape {tuple(labels.shape)}")
            lone = _lone(labels[0].numpy(force=True))
            kept = labels.masked_fill(torch.from_numpy(lone).to(labels.device), 0)
            result[key] = convert_to_dst_type(kept, result[key])[0]
            result[f"{key}_left_out"] = int(lone.sum())
        return result


def _lone(labels: np.ndarray) -> np.ndarray:
    """Where the pieces are that have no core and are smaller than one that has."""
    tumour = labels > 0
    pieces, count = ndimage.label(tumour, np.ones((3,) * labels.ndim))
    has_core = np.zeros(count + 1, bool)
    has_core[pieces[tumour & (labels != OEDEMA)]] = True
    sizes = np.bincount(pieces.ravel(), minlength=count + 1)
    lone = ~has_core & (sizes < sizes[has_core].max(initial=0))
    lone[0] = False
    return lone[pieces]
