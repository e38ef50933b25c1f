"""What surrounds a run on the command line: options, folder, record and resources."""

from .checkpoint import load_checkpoint, load_checkpoints, load_pretrained
from .folder import new_folder
from .patch import check_patch
from .pictures import check_pictures
from .record import record_run
from .resources import check_resources
from .start import check_device, start_run
from .terminal import on_terminal

__all__ = [
    "check_device",
    "check_patch",
    "check_pictures",
    "check_resources",
    "load_checkpoint",
    "load_checkpoints",
    "load_pretrained",
    "new_folder",
    "on_terminal",
    "record_run",
    "start_run",
]
