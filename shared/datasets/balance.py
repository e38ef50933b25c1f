"""How often each case should be drawn."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["balanced_weights"]


def balanced_weights(cases: Sequence[Mapping[str, Any]], power: float = 0.5, key: str = "type") -> list[float]:
    """Weight of each case in a draw that shows rare types more often than they occur.

    Args:
        cases: with what they are counted by; those without it are one type.
        power: 0 draws every case alike, 1 every type alike.
        key: what makes cases alike, such as ``type`` or, for several images of one patient, ``group``.

    Returns:
        Per case ``count ** -power``, where ``count`` is the number of cases of its type.

    Raises:
        ValueError: ``power`` lies outside [0, 1].

    Example:
        >>> balanced_weights([{"type": "a"}, {"type": "b"}, {"type": "b"}, {"type": "b"}, {"type": "b"}])
        [1.0, 0.5, 0.5, 0.5, 0.5]
    """
    if not 0 <= power <= 1:
        raise ValueError(f"power must lie in [0, 1], got {power}")
    types = [str(case.get(key, "")) for case in cases]
    counts = Counter(types)
    return [counts[each] ** -power for each in types]
