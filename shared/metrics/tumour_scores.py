"""How well the regions of a brain tumour were found, from label maps and from probabilities: pure functions."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from monai.metrics.utils import get_mask_edges, get_surface_distance
from monai.transforms import generate_spatial_bounding_box
from monai.utils import convert_to_numpy

__all__ = ["MISSED_MM", "REFERENCE_NAMES", "REFERENCE_RULES", "REGIONS", "reference_dice", "tumour_scores"]

REGIONS = {"wt": (1, 2, 3), "tc": (1, 3), "et": (3,)}  # whole tumour, tumour core, enhancing tumour
CLASSES = (1, 2, 3)
REFERENCE_NAMES = ("TumorCore", "PeritumoralEdema", "EnhancingTumor", "MeanDice", "WholeTumor")
SMOOTH = 1e-5
MISSED_MM = math.hypot(240, 240, 155)  # 373.13 mm, the diagonal of the challenge's volumes


def tumour_scores(
    found: torch.Tensor, truth: torch.Tensor, spacing: Sequence[float], hd95: bool = True
) -> dict[str, float]:
    """Dice, distance of the surfaces and volume of the three regions of a tumour.

    * ``dice_wt``, ``dice_tc``, ``dice_et``: 0 where the region is in one of the two only, NaN where it is in neither;
      ``dice_mean`` is the mean of those that are defined.
    * ``hd95_wt``, ``hd95_tc``, ``hd95_et``: how far the outermost voxels of the one lie from the nearest of the other,
      in millimetres; the greater of the 95th percentiles of both directions. NaN where either has none, so that a mean
      leaves out the worst: look at the next two with it.
    * ``hd95_challenge_wt`` and so on, as BraTS ranks: ``MISSED_MM`` where only one of the two has the region, 0 where
      neither has.
    * ``missed_wt`` and so on: 1 where the region is there and nothing was found, else 0; ``invented_wt`` and so on: 1
      where it was found and nothing is there, else 0.
    * ``volume_wt_ml`` and so on of ``found``, ``true_volume_wt_ml`` and so on of ``truth``.

    Args:
        found: labels 0 background, 1 necrotic and non-enhancing core, 2 oedema, 3 enhancing tumour.
        truth: likewise.
        spacing: sides of a voxel in millimetres.
        hd95: whether to compute the distances, which takes longer than the rest.

    Shape:
        ``found`` and ``truth`` (W, H, D), ``spacing`` (3,).

    Raises:
        ValueError: shapes differ, or there are other labels.

    Reference:
        Bakas et al.: Identifying the Best Machine Learning Algorithms for Brain Tumor Segmentation, 2018.

    Example:
        >>> truth, found = torch.zeros(9, 4, 4), torch.zeros(9, 4, 4)
        >>> truth[2:4], found[2:6] = 2, 2
        >>> scores = tumour_scores(found, truth, (1.0, 1.0, 1.0))
        >>> round(scores["dice_wt"], 4), scores["dice_tc"], scores["hd95_wt"], scores["volume_wt_ml"]
        (0.6667, nan, 2.0, 0.064)
    """
    if found.shape != truth.shape or found.ndim != 3:
        raise ValueError(f"found and truth must both be (W, H, D), got {tuple(found.shape)} and {tuple(truth.shape)}")
    # All that follows looks at the box around both tumours only.
    start, end = generate_spatial_bounding_box(((found != 0) | (truth != 0))[None])
    box = tuple(slice(*side) for side in zip(start, end, strict=True))
    found, truth = found[box], truth[box]
    for name, labels in (("found", found), ("truth", truth)):
        _check_labels(name, labels)
    pairs = {region: (_one_of(found, numbers), _one_of(truth, numbers)) for region, numbers in REGIONS.items()}
    sizes = {region: [_size(mask) for mask in pair] for region, pair in pairs.items()}

    scores = {f"dice_{region}": _dice(*pair) for region, pair in pairs.items()}
    defined = [value for value in scores.values() if not math.isnan(value)]
    scores["dice_mean"] = sum(defined) / len(defined) if defined else math.nan
    if hd95:
        for region, pair in pairs.items():
            scores[f"hd95_{region}"] = _hd95(*pair, spacing) if all(sizes[region]) else math.nan
        for region, (size, true) in sizes.items():
            otherwise = MISSED_MM if size or true else 0.0
            scores[f"hd95_challenge_{region}"] = scores[f"hd95_{region}"] if size and true else otherwise
    scores |= {f"missed_{region}": float(not size and true > 0) for region, (size, true) in sizes.items()}
    scores |= {f"invented_{region}": float(size > 0 and not true) for region, (size, true) in sizes.items()}
    ml = float(np.prod(spacing)) / 1000
    scores |= {f"volume_{region}_ml": size * ml for region, (size, _) in sizes.items()}
    return scores | {f"true_volume_{region}_ml": size * ml for region, (_, size) in sizes.items()}


def _check_labels(name: str, labels: torch.Tensor) -> None:
    strange = labels[~_one_of(labels, (0, *CLASSES))]
    if len(strange):
        raise ValueError(f"{name} must hold the labels 0 to 3 only, got {strange[0].item():g}")


def _one_of(labels: torch.Tensor, numbers: Sequence[int]) -> torch.Tensor:
    return torch.isin(labels, torch.tensor(numbers, dtype=labels.dtype, device=labels.device))


def _dice(found: torch.Tensor, true: torch.Tensor) -> float:
    sizes = _size(found) + _size(true)
    return 2 * _size(found & true) / sizes if sizes else math.nan


def _size(mask: torch.Tensor) -> int:
    return int(mask.count_nonzero())


def _hd95(found: torch.Tensor, true: torch.Tensor, spacing: Sequence[float]) -> float:
    # What ``compute_hausdorff_distance`` does, without its warning that MONAI's own call is deprecated.
    rims = get_mask_edges(convert_to_numpy(found), convert_to_numpy(true))
    ways = [get_surface_distance(one, other, spacing=spacing) for one, other in (rims, rims[::-1])]
    return max(float(np.percentile(way, 95)) for way in ways)


def _classes(labels: torch.Tensor) -> torch.Tensor:
    return torch.stack([labels == number for number in CLASSES])


REFERENCE_RULES: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "2020": lambda probability: probability[1:] > 0.5,
    "head": lambda probability: _classes(probability.argmax(dim=0)),
    "labels": lambda labels: _classes(labels[0]),
}


def reference_dice(prediction: torch.Tensor, truth: torch.Tensor, rule: str = "2020") -> dict[str, float]:
    """What NVIDIA's UNet_3D_Medical and its ports report of a volume.

    ``2 |A & B| / (|A| + |B| + 1e-5)`` of each label and, as ``WholeTumor``, of their union; a label that is in neither
    truth nor prediction scores 0. ``TumorCore`` is label 1 only, not the region of that name; ``MeanDice`` is the mean
    of the three labels.

    Args:
        prediction: probabilities of background and of the labels 1 to 3; with the rule ``"labels"``, labels.
        truth: labels.
        rule: what counts as found: ``"2020"`` a label whose probability exceeds one half, so that a voxel may have none
            (the release of 2020 and the ports), ``"head"`` the likeliest label (the later release), ``"labels"`` what
            the prediction says.

    Shape:
        Probabilities (4, W, H, D) or labels (1, W, H, D); truth (1, W, H, D).

    Raises:
        ValueError: ``rule`` is unknown, shapes do not fit, or the probabilities or labels are none.

    Reference:
        NVIDIA DeepLearningExamples, TensorFlow/Segmentation/UNet_3D_Medical.

    Example:
        >>> found = torch.tensor([0, 2, 2, 3]).reshape(1, 4, 1, 1)
        >>> truth = torch.tensor([0, 2, 3, 3]).reshape(1, 4, 1, 1)
        >>> {name: round(value, 4) for name, value in reference_dice(found, truth, "labels").items()}
        {'TumorCore': 0.0, 'PeritumoralEdema': 0.6667, 'EnhancingTumor': 0.6667, 'MeanDice': 0.4444, 'WholeTumor': 1.0}
    """
    if rule not in REFERENCE_RULES:
        raise ValueError(f"rule must be one of {', '.join(REFERENCE_RULES)}, got {rule!r}")
    channels = 1 if rule == "labels" else 1 + len(CLASSES)
    if prediction.shape != (channels, *truth.shape[1:]) or len(truth) != 1:
        shapes = f"{tuple(prediction.shape)} and {tuple(truth.shape)}"
        raise ValueError(f"prediction and truth must be ({channels}, W, H, D) and (1, W, H, D), got {shapes}")
    _check_labels("truth", truth)
    if rule == "labels":
        _check_labels("prediction", prediction)
    else:
        low, high = prediction.aminmax()
        if not (low >= 0 and high <= 1):  # also where either is NaN
            raise ValueError(f"prediction must hold probabilities in [0, 1], got values from {low:g} to {high:g}")
    found, true = REFERENCE_RULES[rule](prediction), _classes(truth[0])
    values = [_smooth_dice(*pair) for pair in zip(found, true, strict=True)]
    values += [sum(values) / len(values), _smooth_dice(found.any(dim=0), true.any(dim=0))]
    return dict(zip(REFERENCE_NAMES, values, strict=True))


def _smooth_dice(found: torch.Tensor, true: torch.Tensor) -> float:
    return 2 * _size(found & true) / (_size(found) + _size(true) + SMOOTH)
