"""Back to the grid of the file, for what there is a file of."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

from monai.transforms import Invertd

__all__ = ["InvertReadabled"]


class InvertReadabled(Invertd):
    """MONAI's ``Invertd`` that passes items with an ``error``, which no transform has changed, as they are.

    Args:
        args: those of ``Invertd``.
        kwargs: likewise.
    """

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        return dict(data) if data.get("error") else super().__call__(data)
