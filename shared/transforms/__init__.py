"""MONAI dictionary transforms."""

from .area_opening import AreaOpeningd
from .check_finite import CheckFinited
from .class_masks import ClassMasksd
from .drop_lone_oedema import DropLoneOedemad
from .eight_bit_modalities import EightBitModalitiesd
from .instance_distance import InstanceDistanced
from .instance_masks import InstanceMasksd
from .invert_readable import InvertReadabled
from .label_instances import LabelInstancesd
from .normalize_image import NormalizeImaged
from .picture_labels import PictureLabelsd
from .rand_drop_modalities import RandDropModalitiesd
from .rand_hue_saturation_value import RandHueSaturationValued
from .rand_modality_bias import RandModalityBiasd
from .scale_picture import ScalePictured
from .spacing_of_keys import SpacingOfKeysd
from .split_nuclei import SplitNucleid
from .tumour_labels import TumourLabelsd

__all__ = [
    "AreaOpeningd",
    "CheckFinited",
    "ClassMasksd",
    "DropLoneOedemad",
    "EightBitModalitiesd",
    "InstanceDistanced",
    "InstanceMasksd",
    "InvertReadabled",
    "LabelInstancesd",
    "NormalizeImaged",
    "PictureLabelsd",
    "RandDropModalitiesd",
    "RandHueSaturationValued",
    "RandModalityBiasd",
    "ScalePictured",
    "SpacingOfKeysd",
    "SplitNucleid",
    "TumourLabelsd",
]
