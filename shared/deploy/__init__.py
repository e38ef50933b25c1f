"""What happens to weights after training."""

from .nested_unet import convert_nested_unet, release_nested_unet

__all__ = ["convert_nested_unet", "release_nested_unet"]
