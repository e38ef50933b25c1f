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
    """Make ``output_dir`` and a ``run.json`` in it, or refuse it when there is something in it.

    Of several that claim a folder at once one gets it: a file can be created once.

    Args:
        output_dir: folder to write to.
        knob: option that lets an earlier run go on in its folder, for the message; None if there is none.
        may_exist: whether an earlier run may be in it.

    Raises:
        UserError: it is not empty, is a file, or cannot be written.
    """
    path = Path(output_dir)
    way_on = f", or go on in it with --{knob} True" if knob else ""
    taken = UserError(f"output_dir: {path} is not empty; name another folder{way_on}")
    claim = path / (".writable" if may_exist else "run.json")
    try:
        path.mkdir(parents=True, exist_ok=True)
        claim.touch(exist_ok=may_exist)
        others = not may_exist and any(file != claim for file in path.iterdir())
        if others or may_exist:
            claim.unlink()
    except FileExistsError as error:
        if error.filename != str(claim):
            raise UserError(f"output_dir: {path} cannot be written ({error.strerror}); name another folder") from error
        raise taken from None
    except OSError as error:
        raise UserError(f"output_dir: {path} cannot be written ({error.strerror}); name another folder") from error
    if others:
        raise taken
