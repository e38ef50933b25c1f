import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from ignite.engine import Engine
from monai.data import MetaTensor
from monai.handlers import IgniteMetricHandler, from_engine

from shared.metrics.instances import (
    DSB_THRESHOLDS,
    InstanceScore,
    MatchCounts,
    count_matches,
    dsb_score,
    intersection_over_union,
)

TEN = [Fraction(twentieths, 20) for twentieths in range(10, 20)]


def row(*runs):
    """One row of pixels from (id, length) pairs."""
    return np.concatenate([np.full(length, number) for number, length in runs])[None]


def matched(truth, pred, threshold=0.5):
    return count_matches(intersection_over_union(truth, pred), threshold)


def brute_force(truth, pred):
    """The score by sets of pixels and exact fractions, one pair at a time."""
    pixels = [{n: set(np.flatnonzero(x == n).tolist()) for n in np.unique(x) if n} for x in (truth, pred)]
    precisions = []
    for threshold in TEN:
        hits = sum(Fraction(len(a & b), len(a | b)) > threshold for a in pixels[0].values() for b in pixels[1].values())
        precisions.append(Fraction(hits, len(pixels[0]) + len(pixels[1]) - hits))
    return float(sum(precisions) / len(precisions))


def random_pair(seed, shape=(37, 53), nuclei=12):
    """Boxes that overlap and the same boxes moved a little, some of them left out."""
    random = np.random.default_rng(seed)
    truth, pred = np.zeros(shape, np.int32), np.zeros(shape, np.int32)
    for number in random.choice(1000, nuclei, replace=False) + 1:
        y, x, h, w = (int(random.integers(low, high)) for low, high in ((0, 30), (0, 44), (3, 12), (3, 12)))
        dy, dx = (int(random.integers(0, 2)) for _ in range(2))
        truth[y : y + h, x : x + w] = number
        if random.random() < 0.9:
            pred[y + dy : y + dy + h, x + dx : x + dx + w] = 1001 - number
    return truth, pred


# truth, prediction, counts at 0.5, score over the ten thresholds
CASES = {
    "perfect": (row((1, 7), (0, 2), (5, 3)), row((9, 7), (0, 2), (2, 3)), (2, 0, 0), 1.0),
    "moved by one, IoU 8/10": (row((1, 9), (0, 2)), row((0, 1), (1, 9), (0, 1)), (1, 0, 0), 0.6),
    "IoU exactly 1/2": (row((1, 2)), row((1, 1), (0, 1)), (0, 1, 1), 0.0),
    "IoU exactly 3/5": (row((1, 5)), row((1, 3), (0, 2)), (1, 0, 0), 0.2),
    "two merged, the larger is hit": (row((1, 6), (2, 4)), row((1, 10)), (1, 0, 1), 0.5 * 0.2),
    "one split, the larger is hit": (row((1, 10)), row((1, 4), (2, 6)), (1, 1, 0), 0.5 * 0.2),
    "one of two missing": (row((1, 3), (0, 1), (2, 3)), row((1, 3), (0, 4)), (1, 0, 1), 0.5),
    "nothing found": (row((1, 3)), row((0, 3)), (0, 0, 1), 0.0),
    "nothing to find": (row((0, 3)), row((1, 3)), (0, 1, 0), 0.0),
}


@pytest.mark.parametrize("name", CASES)
def test_hand_made_cases(name):
    truth, pred, counts, score = CASES[name]
    assert matched(truth, pred) == MatchCounts(*counts)
    assert dsb_score(truth, pred) == pytest.approx(score, abs=1e-12)
    assert dsb_score(truth, pred) == pytest.approx(brute_force(truth, pred), abs=1e-12)


def test_nothing_at_all_is_undefined():
    nothing = np.zeros((3, 5), np.uint16)
    assert intersection_over_union(nothing, nothing).shape == (0, 0)
    assert matched(nothing, nothing) == (0, 0, 0)
    assert math.isnan(dsb_score(nothing, nothing))


@pytest.mark.parametrize("seed", range(5))
def test_brute_force_agrees(seed):
    truth, pred = random_pair(seed)
    assert 0 < dsb_score(truth, pred) < 1
    assert dsb_score(truth, pred) == pytest.approx(brute_force(truth, pred), abs=1e-12)


def test_ids_do_not_matter():
    truth, pred = random_pair(7)
    names = np.random.default_rng(0).permutation(2_000_000_000 + np.arange(1001))
    names[0] = 0
    assert dsb_score(names[truth], -names[pred]) == dsb_score(truth, pred)


def test_every_threshold_is_exact():
    """An IoU equal to the threshold is no hit, one pixel more is, whatever the size."""
    for threshold, exact in zip(DSB_THRESHOLDS, TEN, strict=True):
        for scale in (1, 7, 5003):
            common, union = exact.numerator * scale, exact.denominator * scale
            truth = row((1, union))
            assert matched(truth, row((1, common), (0, union - common)), threshold).true_positives == 0
            assert matched(truth, row((1, common + 1), (0, union - common - 1)), threshold).true_positives == 1


@pytest.mark.parametrize("threshold", [0.49, 1.0])
def test_thresholds_out_of_range_are_refused(threshold):
    with pytest.raises(ValueError, match=rf"threshold must lie in \[0.5, 1\).*got {threshold}"):
        matched(row((1, 2)), row((1, 2)), threshold)
    with pytest.raises(ValueError, match=r"thresholds must be numbers in \[0.5, 1\)"):
        InstanceScore([0.5, threshold])


def test_wrong_maps_are_refused():
    with pytest.raises(ValueError, match=r"one shape, got \(1, 2\) and \(1, 3\)"):
        dsb_score(row((1, 2)), row((1, 3)))
    with pytest.raises(ValueError, match="pred must hold integer ids, got float64"):
        dsb_score(row((1, 2)), row((1, 2)) * 1.0)
    with pytest.raises(ValueError, match="y_pred must hold the ids of instances, whole numbers, got fractions"):
        InstanceScore()(torch.full((1, 1, 2, 3), 0.7), torch.ones(1, 1, 2, 3))
    with pytest.raises(ValueError, match=r"y must have the shape \(B, 1, \*spatial\), got \(1, 2, 4, 5\)"):
        InstanceScore()(torch.ones(1, 1, 4, 5), torch.ones(1, 2, 4, 5))


def test_batches_and_lists_accumulate_alike():
    pairs = [random_pair(seed) for seed in range(3)] + [(np.zeros((37, 53), int),) * 2]
    truth, pred = (torch.tensor(np.stack(maps))[:, None] for maps in zip(*pairs, strict=True))
    scores = [dsb_score(*pair) for pair in pairs]
    batch, items = InstanceScore(), InstanceScore()
    batch(pred, truth.float())
    items([MetaTensor(one) for one in pred], [MetaTensor(one) for one in truth])
    for score in (batch, items):
        assert score.get_buffer().shape == (4, 1)
        assert score.get_buffer()[:, 0].tolist() == pytest.approx(scores, nan_ok=True)
        assert score.aggregate().item() == pytest.approx(np.nanmean(scores))
    batch.reset()
    assert math.isnan(batch.aggregate())


def test_it_serves_the_handler():
    truth, pred = random_pair(1)
    item = {"truth": torch.tensor(truth)[None], "pred": torch.tensor(pred)[None]}
    engine = Engine(lambda engine, batch: batch)
    for name, score in {"dsb_score": InstanceScore(), "ap50": InstanceScore([0.5])}.items():
        handler = IgniteMetricHandler(score, output_transform=from_engine(["pred", "truth"]), save_details=True)
        handler.attach(engine, name)
    state = engine.run([[item], [item, item]])
    assert state.metrics["dsb_score"] == pytest.approx(dsb_score(truth, pred))
    assert state.metrics["ap50"] == pytest.approx(matched(truth, pred).precision)
    assert state.metric_details["ap50"].shape == (3, 1)
