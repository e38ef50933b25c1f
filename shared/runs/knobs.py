"""Whether the values of the knobs can be meant."""

from __future__ import annotations

import reprlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from ..errors import UserError
from ..machine import most_workers

__all__ = ["check_knobs"]

LARGEST = 2**32 - 1  # the largest seed; of nothing can there be more


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) <= LARGEST


def _is_number(value: Any) -> bool:
    return _is_whole(value) or (isinstance(value, float) and abs(value) <= LARGEST)


def _sides(value: Any) -> Sequence[Any]:
    return value if isinstance(value, (list, tuple)) else []


def _is_patch(value: Any) -> bool:
    sides = _sides(value)
    return len(sides) in (2, 3) and all(_is_whole(side) and side > 0 and side % 32 == 0 for side in sides)


def _is_spacing(value: Any) -> bool:
    sides = _sides(value)
    return len(sides) == 3 and all(_is_number(side) and 0.05 <= side <= 50 for side in sides)


class Rule(NamedTuple):
    """What some knobs take, in words and as a test."""

    names: frozenset[str]
    takes: str
    fits: Callable[[Any], bool]


RULES = (
    Rule(
        frozenset(
            {"epochs", "epoch_length", "batch_size", "accumulation_steps", "num_classes", "min_area", "downscale"}
        )
        | {"patches_per_case", "val_interval", "log_interval", "checkpoint_interval", "early_stop"},
        "a whole number of 1 or more",
        lambda value: _is_whole(value) and value >= 1,
    ),
    Rule(frozenset({"seed"}), f"a whole number from 0 to {LARGEST}", lambda v: _is_whole(v) and v >= 0),
    Rule(
        frozenset({"num_workers"}),
        f"a whole number from 0 to {most_workers()}, more than which this machine does not bear",
        lambda v: _is_whole(v) and 0 <= v <= most_workers(),
    ),
    Rule(frozenset({"learning_rate", "clip_gradient"}), "a number above 0", lambda v: _is_number(v) and v > 0),
    Rule(frozenset({"threshold"}), "a probability from 0 to less than 1", lambda v: _is_number(v) and 0 <= v < 1),
    Rule(frozenset({"cache_rate"}), "a share between 0 and 1", lambda v: _is_number(v) and 0 <= v <= 1),
    Rule(frozenset({"overlap"}), "a share from 0 to less than 1", lambda v: _is_number(v) and 0 <= v < 1),
    Rule(frozenset({"spacing"}), "three sides of a voxel from 0.05 to 50 mm, such as [1,1,1]", _is_spacing),
    Rule(frozenset({"patch_size"}), "multiples of 32 for each axis, such as [256,256] or [96,96,96]", _is_patch),
    Rule(
        frozenset({"channel_order"}),
        "the modalities in the order of the channels, such as [flair,t1,t1ce,t2]",
        lambda value: isinstance(value, (list, tuple)) and all(isinstance(name, str) for name in value),
    ),
    Rule(
        frozenset({"missing"}),
        "some of t1, t1ce, t2, flair, such as [t1,t2]",
        lambda value: isinstance(value, (list, tuple)) and set(map(str, value)) < {"t1", "t1ce", "t2", "flair"},
    ),
    Rule(frozenset({"label_convention"}), "2019, 2023 or decathlon", lambda v: str(v) in ("2019", "2023", "decathlon")),
    Rule(frozenset({"loss_terms"}), "dice+ce, dice or ce", lambda v: v in ("dice+ce", "dice", "ce")),
    Rule(frozenset({"rule"}), "2020 or head", lambda v: str(v) in ("2020", "head")),
    Rule(frozenset({"schedule"}), "constant or piecewise", lambda v: v in ("constant", "piecewise")),
    Rule(frozenset({"channels"}), "1 or 3", lambda v: _is_whole(v) and v in (1, 3)),
    Rule(
        frozenset({"fixed_spacing"}),
        "no --spacing, since this recipe keeps voxels as they are",
        lambda v: list(_sides(v)) == [1, 1, 1],
    ),
    Rule(frozenset({"colour_channels"}), "--channels 3, since this recipe works on colours", lambda v: v == 3),
    Rule(frozenset({"amp"}), "auto, True or False", lambda v: isinstance(v, bool) or v == "auto"),
    Rule(
        frozenset({"engine"}),
        "auto, eager, compile or openvino",
        lambda value: value in ("auto", "eager", "compile", "openvino"),
    ),
    Rule(
        frozenset(
            {"resume", "skip_existing", "submission", "save_probability", "save_overlay", "augment", "lone_oedema"}
        ),
        "True or False",
        lambda value: isinstance(value, bool),
    ),
    Rule(
        frozenset({"bundle_root", "dataset_dir", "output_dir", "checkpoint", "pretrained"}),
        "a path; one that reads as a number needs ./ in front",
        lambda value: isinstance(value, str),
    ),
)
MAY_BE_NONE = {"epoch_length", "early_stop", "clip_gradient", "pretrained", "channel_order"}


def check_knobs(knobs: Mapping[str, Any]) -> None:
    """Refuse values out of their range, by the meaning that a knob's name has in every bundle.

    Args:
        knobs: values by name; names without a rule pass.

    Raises:
        UserError: naming the knob, its value and what it takes.

    Example:
        >>> check_knobs({"epochs": 3, "early_stop": None, "amp": "auto"})
    """
    for name, value in knobs.items():
        for rule in RULES:
            if name in rule.names and not rule.fits(value) and not (value is None and name in MAY_BE_NONE):
                raise UserError(f"{name}: {reprlib.repr(value)} will not do; take {rule.takes}")
