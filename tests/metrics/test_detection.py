import math

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from shared.metrics.detection import (
    cost_curve,
    defective_dice,
    defective_iou,
    detection_cost,
    histogram_average_precision,
    image_average_precision,
    image_roc_auc,
    iou_ths,
    true_negatives,
    true_positives,
)

NAN = math.nan
# Five pictures: sound and nothing found, false alarm, missed, found elsewhere, found in part.
TRUE, FOUND, BOTH = np.array([[0, 0, 6, 6, 6], [0, 2, 0, 3, 4], [0, 0, 0, 0, 4]])


def same(found, expected):
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_hand_made_pictures():
    same(iou_ths(TRUE, FOUND, BOTH), [1, 0, 0, 0, 0.8])
    same(defective_dice(TRUE, FOUND, BOTH), [NAN, NAN, 0, 0, 0.8])
    same(defective_iou(TRUE, FOUND, BOTH), [NAN, NAN, 0, 0, 2 / 3])
    same(true_positives(TRUE, FOUND), [NAN, NAN, 0, 1, 1])
    same(true_negatives(TRUE, FOUND), [1, 0, NAN, NAN, NAN])
    assert detection_cost(TRUE, FOUND) == 20 + 1
    assert detection_cost(TRUE, FOUND, missed=3, false_alarm=0.5) == 3.5


def test_the_reference_figure_follows_from_the_sound_ones():
    """IoU_THS is the true negative rate and the Dice of defective pictures, weighted by how many there are."""
    random = np.random.default_rng(0)
    true, found = random.integers(1, 900, (2, 300))
    true[random.random(300) < 0.8] = 0
    found[random.random(300) < 0.7] = 0
    both = np.minimum(true, found) // 2
    expected = (np.nansum(true_negatives(true, found)) + np.nansum(defective_dice(true, found, both))) / 300
    assert iou_ths(true, found, both).mean() == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("seed", range(3))
def test_the_cost_curve_is_the_cost_at_every_threshold(seed):
    random = np.random.default_rng(seed)
    score, defective = random.integers(0, 11, 40) / 10, random.random(40) < 0.3
    thresholds, costs = cost_curve(score, defective)
    assert thresholds[0] == 0 and (np.diff(thresholds) > 0).all()
    for threshold in [*thresholds, *(thresholds + 0.01), 0.999]:
        expected = sum(
            (20 if d else 0) if s <= threshold else (0 if d else 1) for s, d in zip(score, defective, strict=True)
        )
        assert costs[np.searchsorted(thresholds, threshold, side="right") - 1] == expected


def test_images_in_order_agree_with_scikit_learn():
    random = np.random.default_rng(0)
    for places in (1, 6):  # with and without ties
        score, defective = random.random(97).round(places), random.random(97) < 0.3
        assert image_roc_auc(score, defective) == pytest.approx(roc_auc_score(defective, score), abs=1e-12)
        expected = average_precision_score(defective, score)
        assert image_average_precision(score, defective) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("defective", [[True, True], [False, False]])
def test_one_kind_of_picture_has_no_order(defective):
    score = np.array([0.2, 0.7])
    assert math.isnan(image_roc_auc(score, np.array(defective)))
    assert math.isnan(image_average_precision(score, np.array(defective)))


def test_a_histogram_has_the_average_precision_of_its_bins():
    random = np.random.default_rng(0)
    fine = random.random(5000)
    truth = random.random(5000) < fine**3
    bins = (fine * 16).astype(int)
    histogram = [np.bincount(bins[truth == kind], minlength=16) for kind in (False, True)]
    assert histogram_average_precision(*histogram) == pytest.approx(average_precision_score(truth, bins), abs=1e-12)


def test_a_histogram_without_positives_has_none():
    empty, some = np.zeros(3, dtype=int), np.ones(3, dtype=int)
    assert math.isnan(histogram_average_precision(some, empty))
    assert histogram_average_precision(empty, some) == 1
