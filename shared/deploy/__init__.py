"""What happens after training: to weights and to scores."""

from .calibrate import calibrate_run
from .cross_validation import summarise_folds
from .efficientnet_lite0 import convert_efficientnet_lite0
from .export import export_onnx
from .nested_unet import convert_nested_unet, release_nested_unet
from .pack import pack_bundle
from .release import half_precision, release_run

__all__ = [
    "calibrate_run",
    "convert_efficientnet_lite0",
    "convert_nested_unet",
    "export_onnx",
    "half_precision",
    "pack_bundle",
    "release_nested_unet",
    "release_run",
    "summarise_folds",
]
