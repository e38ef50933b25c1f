"""Folds: groups whole, strata and counts even, the same for every order of the cases."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from sklearn.model_selection import train_test_split

from shared.datasets.folds import assign_folds, reference_split
from shared.errors import UserError


def test_exact_spread_of_single_cases() -> None:
    strata = ["dark"] * 7 + ["bright"] * 5 + ["colour"] * 1
    folds = assign_folds([str(i) for i in range(13)], strata, num_folds=3, seed=0)
    assert sorted(Counter(folds).values()) == [4, 4, 5]
    per_stratum = {name: [folds[i] for i in range(13) if strata[i] == name] for name in set(strata)}
    assert sorted(Counter(per_stratum["dark"]).values()) == [2, 2, 3]
    assert sorted(Counter(per_stratum["bright"]).values()) == [1, 2, 2]


def test_groups_stay_whole_and_no_fold_is_empty() -> None:
    draw = random.Random(11)
    for _ in range(50):
        num_folds = draw.randint(2, 7)
        groups = [str(draw.randrange(23)) for _ in range(61)] + [f"own {i}" for i in range(num_folds)]
        strata = [draw.choice("abc") for _ in groups]
        folds = assign_folds(groups, strata, num_folds, seed=draw.randrange(99))
        assert set(folds) == set(range(num_folds))
        assert len(set(zip(groups, folds, strict=True))) == len(set(groups))


def test_a_large_group_leaves_the_rest_to_the_other_fold() -> None:
    folds = assign_folds(["large"] * 3 + ["a", "b", "c"], ["dark"] * 6, num_folds=2, seed=5)
    assert folds == [0, 0, 0, 1, 1, 1]


def test_of_several_levels_the_first_counts_most() -> None:
    sizes = ["small", "large", "wide"]
    strata = [("defective", sizes[i % 3]) for i in range(8)] + [("sound", sizes[i % 3]) for i in range(60)]
    for seed in range(20):
        folds = assign_folds([str(i) for i in range(68)], strata, num_folds=5, seed=seed)
        assert sorted(Counter(folds[:8]).values()) == [1, 1, 2, 2, 2]
        assert sorted(Counter(folds).values()) == [13, 13, 14, 14, 14]


def test_seed_decides_and_order_does_not() -> None:
    groups = [f"g{i // 2}" for i in range(38)]
    strata = ["even" if i // 2 % 3 else "odd" for i in range(38)]
    folds = assign_folds(groups, strata, 5, seed=0)
    assert folds == assign_folds(groups, strata, 5, seed=0)
    assert folds != assign_folds(groups, strata, 5, seed=1)
    assert folds[::-1] == assign_folds(groups[::-1], strata[::-1], 5, seed=0)


def test_as_even_as_scikit_learn() -> None:
    model_selection = pytest.importorskip("sklearn.model_selection", reason="pip install scikit-learn")
    draw = random.Random(3)
    groups = [f"g{draw.randrange(70)}" for _ in range(200)]
    stratum_of = {group: draw.choices("abc", [6, 3, 1])[0] for group in sorted(set(groups))}
    strata = [stratum_of[group] for group in groups]
    theirs = [0] * len(groups)
    for fold, (_, held_out) in enumerate(model_selection.StratifiedGroupKFold(5).split(groups, strata, groups)):
        for i in held_out:
            theirs[i] = fold
    ours = assign_folds(groups, strata, 5, seed=0)

    def unevenness(folds: list[int]) -> int:
        counts = Counter(zip(strata, folds, strict=True))
        return sum(max(n) - min(n) for n in ([counts[s, f] for f in range(5)] for s in "abc"))

    assert unevenness(ours) <= unevenness(theirs) + 2


@pytest.mark.parametrize(
    ("num_folds", "message"),
    [
        (1, "num_folds: 1 is too few; give 2 or more"),
        (3, "num_folds: 3 folds cannot be made of 2 groups, which are never split; give fewer folds or more cases"),
    ],
)
def test_impossible_folds(num_folds: int, message: str) -> None:
    with pytest.raises(UserError, match=message):
        assign_folds(["a", "a", "b"], ["", "", ""], num_folds, seed=0)


def test_lengths_must_agree() -> None:
    with pytest.raises(ValueError, match="strata must have one entry per case: got 1 for 2 groups"):
        assign_folds(["a", "b"], [""], 2, seed=0)


@pytest.mark.parametrize("count", [2, 3, 10, 101, 664, 670])
def test_the_reference_split_is_that_of_scikit_learn(count):
    train, validation = train_test_split(list(range(count)), test_size=0.2, random_state=41)
    folds = reference_split(count)
    assert [case for case, fold in enumerate(folds) if fold == 0] == sorted(validation)
    assert [case for case, fold in enumerate(folds) if fold == 1] == sorted(train)
