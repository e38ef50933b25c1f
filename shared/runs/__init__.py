"""What surrounds a run on the command line: options, folder, record and resources."""

from .checkpoint import load_checkpoint, load_pretrained
from .folder import new_folder
from .patch import check_patch
from .pictures import check_pictures
from .record import record_run
from .resources import check_resources
from .start import check_device, read_options, start_run
from .terminal import on_terminal
from .weights import Weights, check_weights, describe, load_networks

__all__ = [
    "Weights",
    "check_device",
    "check_patch",
    "check_pictures",
    "check_resources",
    "check_weights",
    "describe",
    "load_checkpoint",
    "load_networks",
    "load_pretrained",
    "new_folder",
    "on_terminal",
    "read_options",
    "record_run",
    "start_run",
]
