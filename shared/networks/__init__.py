"""Networks that MONAI cannot express by arguments alone."""

from .nested_unet import NestedUNet
from .unet import UNet

__all__ = ["NestedUNet", "UNet"]
