"""The folder of a run: its name and that nothing in it is overwritten."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from ..errors import UserError
from .processes import from_first

__all__ = ["claim_folder", "new_folder"]


def new_folder(root: str | Path) -> str:
    """Name a folder below ``root`` by the time, for runs that are not told where to write.

    All processes of a run get the same; runs that are started at once do not.

    Args:
        root: such as ``runs/unet_dsb``.
    """
    return str(Path(root) / from_first(datetime.now().strftime("%Y%m%d-%H%M%S-%f")))


def claim_folder(output_dir: str | Path, knob: str | None = None, may_exist: bool = False) -> None:
    """Make ``output_dir``, or refuse it when there is something in it.

    Args:
        output_dir: folder to write to.
        knob: option that lets an earlier run go on in its folder, for the message; None if there is none.
        may_exist: whether an earlier run may be in it.

    Raises:
        UserError: it is not empty, is a file, or cannot be written.
    """
    path = Path(output_dir)
    try:
        path.mkdir(parents=True, exist_ok=True)
        if not may_exist and any(path.iterdir()):
            way_on = f", or go on in it with --{knob} True" if knob else ""
            raise UserError(f"output_dir: {path} is not empty; name another folder{way_on}")
        probe = path / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise UserError(f"output_dir: {path} cannot be written ({error.strerror}); name another folder") from error
