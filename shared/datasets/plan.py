"""What a set of defects asks of its training, measured when the set is prepared."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy import ndimage

from .datalist import read_datalist

__all__ = ["describe_plan", "join_plans", "make_plan", "plan_of", "widths_of"]

THIN = 8  # pixels; where a quarter of the defects is thinner, shrinking by 2 costs more than it brings
SMALL = 320  # pixels; of images whose shorter side is less, nothing is to be gained by shrinking them
PATCH = {1: 256, 2: 384}  # sides of a crop by downscale, about alike in work
PLAN = {"downscale": 2, "patch_size": [384, 384], "reason": "no measurement: no plan in datalist.json"}


def widths_of(mask: np.ndarray) -> list[float]:
    """Width in pixels of each connected component of a mask: the diameter of the largest circle inside, about.

    Example:
        >>> widths_of(np.pad(np.ones((3, 20), bool), 2))
        [4.0]
    """
    labels, count = ndimage.label(mask, np.ones((3, 3)))
    inside = ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
    return [2 * float(radius) for radius in ndimage.maximum(inside, labels, range(1, count + 1))]


def make_plan(sizes: Sequence[tuple[int, int]], widths: Sequence[float]) -> dict[str, Any]:
    """Choose by how many pixels the network shrinks an image, and the sides of its crops.

    Args:
        sizes: height and width of each image, in pixels.
        widths: of all defects, in pixels; at least one.

    Returns:
        ``downscale``, ``patch_size`` and the ``reason``, as ``datalist.json`` has them under ``plan``.
    """
    side = statistics.median(min(size) for size in sizes)
    quarter = float(np.percentile(widths, 25))
    if quarter < THIN:
        downscale, reason = 1, f"a quarter of the defects is {quarter:.1f} pixels wide or less"
    elif side < SMALL:
        downscale, reason = 1, f"half of the images have a shorter side of {side:g} pixels or less"
    else:
        downscale, reason = 2, f"three quarters of the defects are wider than {quarter:.1f} pixels"
    return {"downscale": downscale, "patch_size": [PATCH[downscale]] * 2, "reason": reason}


def join_plans(plans: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The plan of several sets together: that of the one with the finest defects."""
    return dict(min(plans, key=lambda plan: int(plan["downscale"])))


def plan_of(dataset_dir: str | Path) -> dict[str, Any]:
    """The plan of a prepared data set.

    A set without one, or no set at all, as where MONAI Label hands over the cases, has the plan of large defects.

    Raises:
        UserError: ``datalist.json`` is broken.
    """
    if not (Path(dataset_dir) / "datalist.json").is_file():
        return PLAN
    return {**PLAN, **read_datalist(dataset_dir).get("plan", {})}


def describe_plan(plan: Mapping[str, Any]) -> str:
    """The line of ``prepare`` that tells the plan."""
    crops = "x".join(map(str, plan["patch_size"]))
    seen = "every pixel" if plan["downscale"] == 1 else f"the image shrunk by {plan['downscale']}"
    return f"plan       the encoder sees {seen}, crops of {crops}: {plan['reason']}"
