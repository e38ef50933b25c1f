import numpy as np
import pytest
from scipy.special import logit

from shared.deploy.operating_point import RESOLUTION, choose_threshold, trace_cost


def chosen(score, defective, missed=20, false_alarm=1):
    curve = trace_cost(np.array(score), np.array(defective, dtype=bool), missed, false_alarm)
    return curve, choose_threshold(curve)


def cost_at(threshold, score, defective, missed, false_alarm):
    """By the definition, picture by picture."""
    total = 0.0
    for s, d in zip(score, defective, strict=True):
        total += missed * (d and not s > threshold) + false_alarm * (not d and s > threshold)
    return total / len(score)


def test_pictures_that_are_parted_get_the_place_nearest_a_half_in_the_middle_half_of_the_logits():
    curve, point = chosen([0.001, 0.01, 0.9, 0.97], [0, 0, 1, 1])
    assert (point.low, point.high) == (0.01, 0.9)
    assert curve.at(point.threshold) == (0, 0, 0)
    assert point.threshold == 0.5
    _, lower = chosen([0.001, 0.01, 0.6, 0.97], [0, 0, 1, 1])
    assert logit(lower.threshold) == pytest.approx((logit(0.01) + 3 * logit(0.6)) / 4, abs=0.26)
    assert lower.threshold == 0.3  # as few digits as will do


def test_a_saturated_score_does_not_push_the_threshold_away():
    """Scores of fold 0 of DAGM: what is defective has 1.000000, and how far the network went nobody knows."""
    assert chosen([0.003965, 1.0], [0, 1])[1].threshold == 0.5


def test_where_scores_overlap_the_costs_decide():
    score, defective = [0.1, 0.3, 0.5, 0.7, 0.9], [0, 1, 0, 0, 1]
    curve, dear_miss = chosen(score, defective)
    assert (dear_miss.low, dear_miss.high) == (0.1, 0.3)
    assert curve.at(dear_miss.threshold) == (pytest.approx(2 / 5), 0, 2)
    curve, cheap_miss = chosen(score, defective, missed=1)
    assert (cheap_miss.low, cheap_miss.high) == (0.7, 0.9)
    assert curve.at(cheap_miss.threshold) == (pytest.approx(1 / 5), 1, 0)


def test_of_equal_costs_the_widest_interval_that_parts_pictures_is_taken():
    # A miss costs as much as two false alarms: 0.1..0.2 costs two of these, 0.6..0.99 one miss.
    score, defective = [0.1, 0.2, 0.5, 0.6, 0.99], [0, 1, 0, 0, 1]
    _, point = chosen(score, defective, missed=2)
    assert (point.low, point.high) == (0.6, 0.99)
    _, mirrored = chosen([1 - s for s in score], [not d for d in defective], missed=1, false_alarm=2)
    assert (mirrored.low, mirrored.high) == pytest.approx((0.01, 0.4))
    # To call all defective costs as much as to part them, in an interval that no picture bounds.
    curve, point = chosen([0.4, 0.6, 0.7], [1, 0, 1], missed=1)
    assert (point.low, point.high) == (0.6, 0.7)
    assert curve.at(point.threshold)[1:] == (1, 0)


def test_a_network_that_does_not_part_them_is_best_ignored():
    curve, point = chosen([0.5, 0.5, 0.5], [1, 0, 0])
    assert curve.at(point.threshold)[1:] == (0, 2)
    assert RESOLUTION < point.threshold < 0.5
    curve, point = chosen([0.5, 0.5, 0.5], [1, 0, 0], missed=1)
    assert curve.at(point.threshold)[1:] == (1, 0)
    assert 0.5 < point.threshold < 1


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_saturated_scores_leave_the_threshold_between_0_and_1(value):
    for score in ([value] * 3, [0.0, 0.0, 1.0], [1.0, 1.0, 0.0], [0.0, RESOLUTION, 1 - RESOLUTION]):
        _, point = chosen(score, [0, 0, 1])
        assert RESOLUTION < point.threshold < 1 - RESOLUTION
    assert chosen([0.0, 0.0, 1.0], [0, 0, 1])[1].threshold == 0.5


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("places", [1, 2, 6])
def test_no_threshold_at_all_costs_less(seed, places):
    random = np.random.default_rng(seed)
    defective = random.random(40) < 0.4
    spread = 10.0 ** random.integers(0, 3)
    score = (1 / (1 + np.exp(-spread * (random.normal(size=40) + defective)))).round(places)
    missed, false_alarm = (20, 1) if seed % 3 else (1, 3)
    curve, point = chosen(score, defective, missed, false_alarm)
    found = cost_at(point.threshold, score, defective, missed, false_alarm)
    assert curve.at(point.threshold)[0] == pytest.approx(found)
    everywhere = np.unique(np.concatenate([score, score + RESOLUTION / 2, np.linspace(0, 1, 101)]))
    everywhere = everywhere[(everywhere >= RESOLUTION) & (everywhere <= 1 - RESOLUTION)]
    costs = [cost_at(threshold, score, defective, missed, false_alarm) for threshold in everywhere]
    assert found <= min(costs) + 1e-12
    for threshold, cost in zip(everywhere, costs, strict=True):
        assert curve.at(threshold)[0] == pytest.approx(cost)
    assert point.low < point.threshold < point.high


@pytest.mark.parametrize("defective", [[True, True], [False, False]])
def test_one_kind_of_picture_cannot_decide(defective):
    with pytest.raises(ValueError, match="defective must hold both kinds of pictures, got [02] of 2"):
        trace_cost(np.array([0.2, 0.7]), np.array(defective), 20, 1)
