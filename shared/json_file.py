"""JSON files as people and programs hand them over."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .errors import UserError, in_short

__all__ = ["read_json"]


def read_json(path: str | Path, remedy: str = "mend or replace it") -> Any:
    """Read a JSON file in UTF-8, with or without a byte order mark, as Notepad writes it.

    Args:
        path: the file.
        remedy: what to do if it is none.

    Raises:
        UserError: it cannot be opened, or is no JSON, or nested too deeply for any use.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise UserError(f"{path}: cannot be opened ({error.strerror}); name a folder that you may read") from error
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: no valid JSON ({in_short(error)}); {remedy}") from error
