"""A knob's value in a configuration file, changed without touching anything else."""

from __future__ import annotations

import json
import re
from typing import Any

__all__ = ["set_knob"]


def set_knob(text: str, name: str, value: Any) -> str:
    """Give a knob at the top level of a configuration another value; every other character stays.

    Args:
        text: of a JSON file.
        name: of the knob; it may also occur further down, where it is left as it is.
        value: what JSON can say.

    Returns:
        The text with the new value.

    Raises:
        ValueError: ``name`` is not at the top level.

    Example:
        >>> set_knob('{"deep": {"threshold": 1},  "threshold": 0.5 }', "threshold", 0.1)
        '{"deep": {"threshold": 1},  "threshold": 0.1 }'
    """
    content = json.loads(text)
    for match in re.finditer(rf"{re.escape(json.dumps(name))}\s*:\s*", text) if name in content else ():
        _, end = json.JSONDecoder().raw_decode(text, match.end())
        changed = text[: match.end()] + json.dumps(value) + text[end:]
        if json.loads(changed) == content | {name: value}:
            return changed
    raise ValueError(f"name must be a knob at the top of the configuration, got {name!r}")
