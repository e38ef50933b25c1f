"""What happens to weights after training."""

from .calibrate import calibrate_run
from .nested_unet import convert_nested_unet, release_nested_unet
from .release import half_precision, release_run

__all__ = ["calibrate_run", "convert_nested_unet", "half_precision", "release_nested_unet", "release_run"]
