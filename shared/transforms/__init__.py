"""MONAI dictionary transforms."""

from .class_masks import ClassMasksd
from .label_instances import LabelInstancesd
from .split_nuclei import SplitNucleid

__all__ = ["ClassMasksd", "LabelInstancesd", "SplitNucleid"]
