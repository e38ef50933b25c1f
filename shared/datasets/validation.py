"""Which cases of the training folds choose the checkpoint."""

from __future__ import annotations

import logging
import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

from ..errors import UserError
from .content import EMPTY, FOREGROUND, content_of
from .folds import assign_folds

__all__ = ["training_or_validation"]

VALIDATION_SHARE = 8  # one case in eight of the training folds chooses the checkpoint


def training_or_validation(cases: list[dict[str, Any]], part: str) -> list[dict[str, Any]]:
    """The cases of the training folds that are learned from, or those that choose the checkpoint.

    Args:
        cases: all of them.
        part: ``training`` or ``validation``.

    Raises:
        UserError: they are one group, which cannot be split.
    """
    groups = [str(case.get("group", case["id"])) for case in cases]
    shares = min(VALIDATION_SHARE, len(set(groups)))
    if shares < 2:
        raise UserError(
            "fold: the training folds need two groups at least: one to learn from, one to choose the checkpoint"
        )
    types = [str(case.get("type", "")) for case in cases]
    share_of = assign_folds(groups, [(content_of(type_) or type_, type_) for type_ in types], shares, seed=0)
    chosen = _validation_share(share_of, types, shares)
    if part == "validation":
        _warn_of_one_kind(types, [type_ for type_, share in zip(types, share_of, strict=True) if share == chosen])
    return [case for case, share in zip(cases, share_of, strict=True) if (share == chosen) == (part == "validation")]


def _validation_share(share_of: Sequence[int], types: Sequence[str], shares: int) -> int:
    """The first share, unless a large group, which is dealt out first, makes it too large, or pictures with something
    to find, or with nothing, are on one side only.

    Then it is, of those with half of the cases at most, one that leaves both kinds to learn from, next one that holds
    both, next the one of most types of pictures, next the one that least exceeds its due.
    """
    sizes, due = Counter(share_of), math.ceil(len(share_of) / shares)
    there_are = {content_of(type_) for type_ in types}

    def lacks(share: int) -> tuple[bool, bool]:
        """Whether training, and whether validation, has not all that there is."""
        sides: tuple[set[str], set[str]] = set(), set()
        for type_, other in zip(types, share_of, strict=True):
            sides[other == share].add(content_of(type_))
        return sides[0] != there_are, sides[1] != there_are

    variety = Counter(share for share, _ in set(zip(share_of, types, strict=True)))
    if sizes[0] <= due and not any(lacks(0)):
        return 0
    small = [share for share in range(shares) if 2 * sizes[share] <= len(share_of)]
    return min(
        small or range(shares), key=lambda share: (lacks(share), -variety[share], max(0, sizes[share] - due), share)
    )


def _warn_of_one_kind(types: Sequence[str], validation: Sequence[str]) -> None:
    """Say that the validation pictures cannot tell whether something is found, or whether nothing is."""
    there = {content_of(type_) for type_ in validation}
    for content, kind in ((FOREGROUND, "something"), (EMPTY, "nothing")):
        if content not in there and any(content_of(type_) == content for type_ in types):
            logging.getLogger(__name__).warning(
                "none of the %d validation pictures holds %s to find, so they can hardly tell the better network; "
                "prepare a data set with more such pictures, or with another --seed",
                len(validation),
                kind,
            )
