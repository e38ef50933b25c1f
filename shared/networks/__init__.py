"""Networks that MONAI cannot express by arguments alone."""

from .nested_unet import NestedUNet
from .tiny_unet import TinyUNet
from .unet import UNet

__all__ = ["NestedUNet", "TinyUNet", "UNet"]
