"""Whether the cases are pictures, for the bundles that take nothing else."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import UserError

__all__ = ["check_pictures"]


def check_pictures(cases: Sequence[Mapping[str, Any]], one_class: bool = False) -> None:
    """Refuse cases of several files each, and log it if classes that the labels tell apart become one.

    Args:
        cases: as ``select_cases`` gives them.
        one_class: whether the network knows one class; the labels' ``kind`` tells whether they may have more.

    Raises:
        UserError: one is no picture; it is named.
    """
    for case in cases:
        if not isinstance(case["image"], str):
            raise UserError(
                f"dataset_dir: the case {case['id']} is made of {len(case['image'])} files, as volumes are; this "
                "bundle takes pictures: name a data set of them, or take unet3d_brats"
            )
    if one_class and any(case["kind"] == "classes" for case in cases):
        logging.getLogger(__name__).warning(
            "dataset_dir: its labels tell classes apart, this bundle takes all of them as one; unet_dsb with "
            "--num_classes keeps them apart"
        )
