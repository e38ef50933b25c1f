import itertools
import math

import numpy as np
import pytest
import torch
from scipy.ndimage import binary_erosion, distance_transform_edt

from shared.metrics.tumour_scores import REFERENCE_NAMES, reference_dice, tumour_scores

SPACING = (0.7, 1.0, 3.5)
REGIONS = {"wt": [1, 2, 3], "tc": [1, 3], "et": [3]}


def blobs(seed, shape=(17, 12, 9), labels=(1, 2, 3)):
    """A label map of boxes that overlap, some at the border."""
    random = np.random.default_rng(seed)
    volume = np.zeros(shape, np.uint8)
    for label in labels:
        corner = [random.integers(0, side - 2) for side in shape]
        volume[tuple(slice(c, c + random.integers(2, 7)) for c in corner)] = label
    return volume


def hd95(found, true):
    """By distance transforms of the whole volume; a voxel at its border is an outermost one."""
    rims = [mask & ~binary_erosion(mask, border_value=0) for mask in (found, true)]
    to = [distance_transform_edt(~rim, sampling=SPACING) for rim in rims]
    return max(np.percentile(to[1][rims[0]], 95), np.percentile(to[0][rims[1]], 95))


def by_definition(found, truth):
    scores, ml = {}, np.prod(SPACING) / 1000
    for region, labels in REGIONS.items():
        a, b = np.isin(found, labels), np.isin(truth, labels)
        scores[f"dice_{region}"] = 2 * (a & b).sum() / (a.sum() + b.sum()) if a.any() or b.any() else math.nan
        scores[f"hd95_{region}"] = hd95(a, b) if a.any() and b.any() else math.nan
        penalty = 373.12866 if a.any() or b.any() else 0
        scores[f"hd95_challenge_{region}"] = hd95(a, b) if a.any() and b.any() else penalty
        scores[f"missed_{region}"], scores[f"invented_{region}"] = float(b.any() > a.any()), float(a.any() > b.any())
        scores[f"volume_{region}_ml"], scores[f"true_volume_{region}_ml"] = a.sum() * ml, b.sum() * ml
    dice = [scores[f"dice_{region}"] for region in REGIONS]
    scores["dice_mean"] = math.nan if np.isnan(dice).all() else np.nanmean(dice)
    return scores


@pytest.mark.parametrize("labels", [(1, 2, 3), (2, 1), (2,), ()])
def test_it_agrees_with_the_definition_by_distance_transforms(labels):
    for seed in range(6):
        found, truth = blobs(seed), blobs(100 + seed, labels=labels)
        scores = tumour_scores(torch.tensor(found), torch.tensor(truth), SPACING)
        expected = by_definition(found, truth)
        assert set(scores) == set(expected)
        for name, value in expected.items():
            assert scores[name] == pytest.approx(value, rel=1e-5, nan_ok=True), name


def test_by_hand():
    found, truth = torch.zeros(2, 9, 4, 4, dtype=torch.uint8)
    truth[1, 1, 1], truth[8, 1, 1], found[1, 1, 3] = 3, 2, 1
    scores = tumour_scores(found, truth, (2.0, 3.0, 4.0))
    assert scores["dice_wt"] == scores["dice_tc"] == scores["dice_et"] == scores["dice_mean"] == 0
    assert scores["hd95_tc"] == 2 * 4
    far = math.hypot(7 * 2, 2 * 4)
    assert scores["hd95_wt"] == pytest.approx(0.05 * 8 + 0.95 * far, rel=1e-6)  # between the two voxels of the truth
    assert math.isnan(scores["hd95_et"]) and scores["volume_et_ml"] == 0
    assert (scores["true_volume_wt_ml"], scores["volume_wt_ml"]) == pytest.approx((0.048, 0.024))


def test_a_region_that_is_in_neither_is_undefined_and_left_out_of_the_mean():
    empty, oedema = torch.zeros(5, 6, 7), torch.zeros(5, 6, 7)
    oedema[2] = 2
    scores = tumour_scores(oedema, oedema, SPACING)
    assert (scores["dice_wt"], scores["dice_mean"], scores["hd95_wt"]) == (1, 1, 0)
    assert math.isnan(scores["dice_tc"]) and math.isnan(scores["dice_et"]) and math.isnan(scores["hd95_tc"])
    nothing = tumour_scores(empty, empty, SPACING)
    undefined = {"dice_mean", *(f"{figure}_{region}" for figure in ("dice", "hd95") for region in REGIONS)}
    assert {name for name, value in nothing.items() if math.isnan(value)} == undefined
    assert all(value == 0 for name, value in nothing.items() if name not in undefined)
    for pair in ((empty, oedema), (oedema, empty)):
        assert tumour_scores(*pair, SPACING)["dice_wt"] == 0
    assert not any(name.startswith("hd95") for name in tumour_scores(oedema, oedema, SPACING, hd95=False))


def test_a_miss_and_an_invention_are_told_apart_and_cost_what_they_cost_in_the_challenge():
    empty, core = torch.zeros(5, 6, 7), torch.zeros(5, 6, 7)
    core[2] = 1
    missed, invented = tumour_scores(empty, core, SPACING), tumour_scores(core, empty, SPACING)
    for scores, expected in ((missed, (1, 0)), (invented, (0, 1))):
        assert (scores["missed_tc"], scores["invented_tc"]) == expected
        assert (scores["missed_et"], scores["invented_et"], scores["hd95_challenge_et"]) == (0, 0, 0)
        assert math.isnan(scores["hd95_tc"]) and scores["hd95_challenge_tc"] == pytest.approx(373.13, abs=0.005)
    both = tumour_scores(core, core, SPACING)
    assert (both["missed_tc"], both["invented_tc"], both["hd95_challenge_tc"]) == (0, 0, 0)


def test_the_figures_depend_neither_on_the_place_nor_on_the_room_around():
    found, truth = (torch.tensor(blobs(seed)) for seed in (3, 4))
    scores = tumour_scores(found, truth, SPACING)
    for before, after in itertools.product((0, 1, 6), (0, 5)):
        padded = [torch.nn.functional.pad(x, (before, after) * 3) for x in (found, truth)]
        assert tumour_scores(*padded, SPACING) == scores


def softmax(seed):
    return torch.tensor(np.random.default_rng(seed).normal(size=(4, 7, 5, 6))).softmax(dim=0)


@pytest.mark.parametrize("rule", ["2020", "head", "labels"])
def test_reference_dice_agrees_with_the_definition(rule):
    probability, truth = softmax(0), torch.tensor(blobs(1, (7, 5, 6), labels=(1, 2)))
    p = probability.numpy()
    found = {
        "2020": [p[c] > 0.5 for c in (1, 2, 3)],
        "head": [p.argmax(0) == c for c in (1, 2, 3)],
        "labels": [blobs(2, (7, 5, 6)) == c for c in (1, 2, 3)],
    }[rule]
    true = [truth.numpy() == c for c in (1, 2, 3)]
    found.append(sum(found) > 0)
    true.append(sum(true) > 0)
    one, two, three, whole = (2 * (a & b).sum() / (a.sum() + b.sum() + 1e-5) for a, b in zip(found, true, strict=True))
    assert three == 0
    given = probability if rule != "labels" else torch.tensor(blobs(2, (7, 5, 6)))[None]
    scores = reference_dice(given, truth[None], rule)
    assert tuple(scores) == REFERENCE_NAMES
    assert list(scores.values()) == pytest.approx([one, two, three, (one + two + three) / 3, whole], rel=1e-12)


def test_a_voxel_without_a_majority_is_found_by_one_rule_only_and_nothing_at_all_scores_zero():
    probability = torch.tensor([0.1, 0.2, 0.3, 0.4]).reshape(4, 1, 1, 1)
    truth = torch.full((1, 1, 1, 1), 3, dtype=torch.uint8)
    assert reference_dice(probability, truth, "2020")["WholeTumor"] == 0
    assert reference_dice(probability, truth, "head")["EnhancingTumor"] == pytest.approx(1, abs=1e-5)
    assert set(reference_dice(0 * truth, 0 * truth, "labels").values()) == {0.0}


def test_what_does_not_fit_is_named():
    volume = torch.zeros(2, 3, 4)
    with pytest.raises(ValueError, match=r"must both be \(W, H, D\), got \(2, 3, 4\) and \(2, 3, 3\)"):
        tumour_scores(volume, volume[..., :3], SPACING)
    with pytest.raises(ValueError, match="truth must hold the labels 0 to 3 only, got 4"):
        tumour_scores(volume, volume + 4, SPACING)
    with pytest.raises(ValueError, match="found must hold the labels 0 to 3 only, got 0.5"):
        tumour_scores(volume + 0.5, volume, SPACING)
    with pytest.raises(ValueError, match="rule must be one of 2020, head, labels, got '2021'"):
        reference_dice(volume[None], volume[None], "2021")
    with pytest.raises(ValueError, match=r"must be \(4, W, H, D\) and \(1, W, H, D\), got \(1, 2, 3, 4\) and"):
        reference_dice(volume[None], volume[None])
    with pytest.raises(ValueError, match=r"probabilities in \[0, 1\], got values from -3 to -3"):
        reference_dice(volume.expand(4, -1, -1, -1) - 3, volume[None])
