"""Networks that MONAI cannot express by arguments alone."""

from .definition import build_network, definition_of
from .encoder_unet import EncoderUNet
from .geometry import Geometry, fault_of, geometry_of
from .nested_unet import NestedUNet
from .subpixel_unet import SubpixelUNet
from .tiny_unet import TinyUNet
from .unet import UNet
from .unet3d import UNet3D

__all__ = [
    "EncoderUNet",
    "Geometry",
    "NestedUNet",
    "SubpixelUNet",
    "TinyUNet",
    "UNet",
    "UNet3D",
    "build_network",
    "definition_of",
    "fault_of",
    "geometry_of",
]
