"""Networks that MONAI cannot express by arguments alone."""

from .encoder_unet import EncoderUNet
from .nested_unet import NestedUNet
from .subpixel_unet import SubpixelUNet
from .tiny_unet import TinyUNet
from .unet import UNet
from .unet3d import UNet3D

__all__ = ["EncoderUNet", "NestedUNet", "SubpixelUNet", "TinyUNet", "UNet", "UNet3D"]
