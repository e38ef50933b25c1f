"""Folds of a cross-validation: groups kept together, picture types and case counts spread evenly."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from hashlib import sha256

import numpy as np

from ..errors import UserError

__all__ = ["REFERENCE_SEED", "assign_folds", "fold_faults", "reference_split"]

REFERENCE_SEED = 41


def assign_folds(
    groups: Sequence[str], strata: Sequence[str] | Sequence[tuple[str, ...]], num_folds: int, seed: int
) -> list[int]:
    """Give each case the number of its fold.

    The groups are shuffled by ``seed``, then dealt out one by one, those with most cases first. Each goes to the fold
    that holds the fewest cases of its stratum, among equals to the one with the fewest cases, then to the lowest
    number. A group of several strata goes where their counts, weighted by its own, have the least sum. No fold stays
    empty. Strata of several levels are looked at one level after the other, among folds that are equal so far.

    The shuffle sorts by a hash of seed and group, so that the folds are the same on every machine and for every order
    of the cases.

    Args:
        groups: group of each case, e.g. the patient or the culture plate; a group never spans two folds.
        strata: type of each case, e.g. size and staining of the picture; or several, what counts most first.
        num_folds: number of folds, from 2 to the number of groups.
        seed: any whole number; another seed gives other folds.

    Returns:
        A number from 0 to ``num_folds - 1`` per case, in the order of the cases.

    Raises:
        UserError: ``num_folds`` is below 2 or above the number of groups.
        ValueError: ``groups`` and ``strata`` differ in length.

    Example:
        >>> assign_folds(["a", "a", "b", "c", "d"], ["dark", "dark", "dark", "bright", "bright"], num_folds=2, seed=0)
        [0, 0, 1, 1, 0]
    """
    if len(groups) != len(strata):
        raise ValueError(f"strata must have one entry per case: got {len(strata)} for {len(groups)} groups")
    levels = [[each] if isinstance(each, str) else [*each] for each in strata]
    depth = len(levels[0]) if levels else 1
    strata_of: defaultdict[str, list[Counter[str]]] = defaultdict(lambda: [Counter() for _ in range(depth)])
    for group, names in zip(groups, levels, strict=True):
        for counter, name in zip(strata_of[group], names, strict=True):
            counter[name] += 1
    if num_folds < 2:
        raise UserError(f"num_folds: {num_folds} is too few; give 2 or more")
    if len(strata_of) < num_folds:
        raise UserError(
            f"num_folds: {num_folds} folds cannot be made of {len(strata_of)} groups, which are never split; "
            f"give fewer folds or more cases"
        )

    def deal_order(group: str) -> tuple[int, bytes]:
        return -strata_of[group][0].total(), sha256(f"{seed} {group}".encode()).digest()

    fold_of: dict[str, int] = {}
    held: list[list[Counter[str]]] = [[Counter() for _ in range(depth)] for _ in range(num_folds)]
    for group in sorted(strata_of, key=deal_order):
        own = strata_of[group]
        fullness = [
            (*(sum(mine[s] * there[s] for s in mine) for mine, there in zip(own, fold, strict=True)), fold[0].total())
            for fold in held
        ]
        fold_of[group] = fullness.index(min(fullness))
        for mine, there in zip(own, held[fold_of[group]], strict=True):
            there.update(mine)
    return [fold_of[group] for group in groups]


def reference_split(count: int) -> list[int]:
    """Split as the program pytorch-nested-unet does: fold 0 is its validation set, one case in five, fold 1 the rest.

    It heeds neither groups nor types of pictures, so that tiles of one picture lie on both sides. The program lists its
    cases in the order of the file system; here they are taken in the order of their ids.

    Args:
        count: number of cases, 2 at least.

    Returns:
        A fold per case.

    Raises:
        UserError: there are fewer cases than two.

    Reference:
        ``train_test_split(test_size=0.2, random_state=41)`` of scikit-learn.

    Example:
        >>> reference_split(10)
        [1, 1, 1, 1, 1, 0, 0, 1, 1, 1]
    """
    if count < 2:
        raise UserError(f"split: {count} cases cannot be split; give more")
    order = np.random.RandomState(REFERENCE_SEED).permutation(count)
    held_out = set(order[: -(-count // 5)].tolist())
    return [0 if case in held_out else 1 for case in range(count)]


def fold_faults(groups: Sequence[str], num_folds: int) -> list[str]:
    """One line if folds cannot be made of these groups, else none; it does not depend on the strata."""
    try:
        assign_folds(groups, groups, num_folds, seed=0)
    except UserError as error:
        return [str(error)]
    return []
