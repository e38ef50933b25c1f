"""Packages that only some need: the extras of ``pyproject.toml``."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence

from .errors import UserError

__all__ = ["need_extra"]


def need_extra(extra: str, packages: Sequence[str], what: str) -> None:
    """Refuse in one line what needs packages that are not installed.

    Args:
        extra: their name in ``pyproject.toml``.
        packages: what is needed of it, by the names under which they are imported and installed.
        what: the command or option that needs them.

    Raises:
        UserError: one of them is not installed.

    Example:
        >>> need_extra("onnx", ["json"], "export")
    """
    if missing := [package for package in packages if importlib.util.find_spec(package) is None]:
        names = ", ".join(missing)
        raise UserError(f"{what}: {names} not installed, of the extra {extra}; run pip install {' '.join(missing)}")
