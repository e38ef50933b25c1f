"""Items as tensors and plain values, which a file can hold that runs no code when it is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from pathlib import Path, PurePath
from typing import Any

import numpy as np
import torch
from monai.data import MetaTensor

from ..errors import UserError

__all__ = ["from_plain", "to_plain"]

KIND = "\0kind"  # no key of an item begins so
PLAIN = (bool, int, float, complex, str, bytes, torch.dtype, torch.device, torch.Size)


def to_plain(value: Any, name: str = "item") -> Any:
    """Take a value apart into what ``torch.load(weights_only=True)`` reads.

    Args:
        value: tensors (MONAI's with what it notes of them), arrays, numbers, texts, paths, and dictionaries, lists,
            tuples and sets of these. A member of an enumeration of texts becomes its text.
        name: of the value, for the error.

    Raises:
        UserError: something is none of these.

    Example:
        >>> from_plain(to_plain({"a": (1, np.float32(2)), "b": Path("c")}))
        {'a': (1, np.float32(2.0)), 'b': PosixPath('c')}
    """
    plain: Any
    if value is None or type(value) in PLAIN:
        plain = value
    elif isinstance(value, MetaTensor):
        noted = (value.meta, value.applied_operations, value.pending_operations)
        parts = [to_plain(part, f"{name}.meta") for part in noted]
        plain = {KIND: "MetaTensor", "tensor": _bare(value.as_tensor()), "noted": parts, "is_batch": value.is_batch}
    elif isinstance(value, torch.Tensor):
        plain = _bare(value)
    elif isinstance(value, np.ndarray | np.generic) and not value.dtype.hasobject:
        bits = torch.from_numpy(np.frombuffer(value.tobytes(), np.uint8).copy())
        kind = "array" if isinstance(value, np.ndarray) else "number"
        plain = {KIND: kind, "dtype": value.dtype.str, "shape": list(value.shape), "bits": bits}
    elif isinstance(value, Enum) and isinstance(value, str):
        plain = str(value.value)
    elif isinstance(value, PurePath):
        plain = {KIND: "path", "text": str(value)}
    elif isinstance(value, Mapping):
        items = [[to_plain(key, name), to_plain(item, f"{name}[{key!r}]")] for key, item in value.items()]
        plain = {KIND: "dict", "items": items}
    elif isinstance(value, list | tuple | set):
        kind = next(known for known in (list, tuple, set) if isinstance(value, known)).__name__
        plain = {KIND: kind, "items": [to_plain(item, f"{name}[]") for item in value]}
    else:
        raise UserError(
            f"cache_dir: {name} is a {type(value).__name__}, which no file can hold that runs no code when it is read; "
            "make it a tensor, an array or plain values, or delete it (DeleteItemsd) before the first random transform"
        )
    return plain


def from_plain(value: Any) -> Any:
    """Put together what ``to_plain`` has taken apart.

    Raises:
        ValueError, KeyError, TypeError: ``to_plain`` gives no such thing.
    """
    if not isinstance(value, dict):
        if value is None or type(value) in (*PLAIN, torch.Tensor):
            return value
        raise ValueError(f"value must be made by to_plain, got a {type(value).__name__}")
    if value[KIND] == "MetaTensor":
        meta, applied, pending = map(from_plain, value["noted"])
        tensor = MetaTensor(from_plain(value["tensor"]), meta=meta, applied_operations=applied)
        tensor.is_batch = value["is_batch"]
        for operation in pending:
            tensor.push_pending_operation(operation)
        return tensor
    if value[KIND] in ("array", "number"):
        array = np.frombuffer(value["bits"].numpy().tobytes(), value["dtype"]).reshape(value["shape"]).copy()
        return array if value[KIND] == "array" else array[()]
    if value[KIND] == "path":
        return Path(value["text"])
    if value[KIND] == "dict":
        return {from_plain(key): from_plain(item) for key, item in value["items"]}
    kinds: dict[str, Callable[[Any], Any]] = {"list": list, "tuple": tuple, "set": set}
    return kinds[value[KIND]](map(from_plain, value["items"]))


def _bare(tensor: torch.Tensor) -> torch.Tensor:
    """A tensor that holds nothing but itself: no subclass, and of a view no more than is seen."""
    bare = tensor.detach().as_subclass(torch.Tensor)
    return bare.clone() if bare.untyped_storage().nbytes() != bare.nbytes else bare
