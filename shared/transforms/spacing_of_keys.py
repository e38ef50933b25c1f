"""Another spacing for the volumes under some keys, and nothing for what lies beside them."""

from __future__ import annotations

from collections.abc import Hashable, Mapping

import torch
from monai.transforms import Spacingd

__all__ = ["SpacingOfKeysd"]


class SpacingOfKeysd(Spacingd):
    """MONAI's ``Spacingd`` that sees nothing but its keys.

    That of MONAI 1.6 takes every entry whose name begins with a key and ``_`` for a dictionary of meta data, if the
    image is a NIfTI file, and fails at MONAI Label's ``image_path``. It takes what ``Spacingd`` takes.

    Shape:
        ``(C, *spatial)``; the result has as many axes.
    """

    def __call__(self, data: Mapping[Hashable, torch.Tensor], lazy: bool | None = None) -> dict[Hashable, torch.Tensor]:
        own = {key: data[key] for key in self.key_iterator(dict(data))}
        return {**data, **super().__call__(own, lazy)}
