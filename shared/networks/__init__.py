"""Networks that MONAI cannot express by arguments alone."""

from .unet import UNet

__all__ = ["UNet"]
