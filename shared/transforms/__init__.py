"""MONAI dictionary transforms."""

from .class_masks import ClassMasksd
from .instance_distance import InstanceDistanced
from .label_instances import LabelInstancesd
from .rand_hue_saturation_value import RandHueSaturationValued
from .split_nuclei import SplitNucleid

__all__ = ["ClassMasksd", "InstanceDistanced", "LabelInstancesd", "RandHueSaturationValued", "SplitNucleid"]
