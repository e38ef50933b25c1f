"""Losses that MONAI does not have."""

from .adaptive import AdaptiveLoss
from .dice_and_ce import DiceAndCrossEntropyLoss
from .dice_of_both import DiceOfBothLoss
from .lovasz_hinge import LovaszHingeLoss
from .masks_and_distance import MasksAndDistanceLoss

__all__ = ["AdaptiveLoss", "DiceAndCrossEntropyLoss", "DiceOfBothLoss", "LovaszHingeLoss", "MasksAndDistanceLoss"]
