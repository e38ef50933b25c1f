"""What a network computes, as a short name: its weights, its structure and the code behind them."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Iterator
from itertools import chain
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import monai
import numpy as np
import torch

from ..source_code import code_of

__all__ = ["fingerprint"]

OF_EVERY_MODULE = frozenset(vars(torch.nn.Module())) - {"training"}
BITS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


class Seen(NamedTuple):
    """A network at its last fingerprint."""

    structure: str
    tensors: dict[str, torch.Tensor]
    fingerprint: str


_seen: WeakKeyDictionary[torch.nn.Module, Seen] = WeakKeyDictionary()


def fingerprint(network: torch.nn.Module) -> str:
    """SHA-256 of all that decides what ``network`` gives for a picture.

    Every bit of every parameter and buffer is looked at each time. Cheaper signs do not hold: ``id()`` and
    ``data_ptr()`` are used again for other networks, and ``_version`` is not raised by a change through ``.data`` or
    NumPy. What is spared is the hash: a network that equals a copy of itself from the last time has the fingerprint of
    the last time. For 8 MB of weights that takes 5 ms instead of 13; callers do it once per picture, not per tile.

    Besides the weights it takes the tree of modules, their plain settings (numbers, words, functions by name) and the
    source files of their classes, so that a network whose code was edited is another network, also in a later process.
    Tensors that a module keeps outside its parameters and buffers, and hooks, are not seen.

    Args:
        network: on any device; it is not changed.

    Returns:
        64 hexadecimal digits, the same in every process.

    Example:
        >>> a, b = torch.nn.Conv2d(1, 2, 3), torch.nn.Conv2d(1, 2, 3)
        >>> before = fingerprint(b)
        >>> _ = b.load_state_dict(a.state_dict())
        >>> before == fingerprint(a), fingerprint(b) == fingerprint(a)
        (False, True)
    """
    structure = "\n".join(_structure(network))
    named = chain(network.named_parameters(remove_duplicate=False), network.named_buffers(remove_duplicate=False))
    tensors = {name: tensor.detach() for name, tensor in named}
    last = _seen.get(network)
    if last is None or last.structure != structure or not _equal(tensors, last.tensors):
        last = Seen(structure, {name: tensor.clone() for name, tensor in tensors.items()}, _hash(structure, tensors))
        _seen[network] = last
    return last.fingerprint


def _structure(network: torch.nn.Module) -> Iterator[str]:
    yield f"torch {torch.__version__} monai {monai.__version__}"
    for name, module in network.named_modules():
        yield f"{name} {code_of(type(module))}"  # type: ignore[arg-type] # mypy asks the instances for their hash
        for key, value in vars(module).items():
            if key not in OF_EVERY_MODULE and _is_plain(value):
                yield f" {key} {_word(value)}"


def _equal(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(_same_bits(tensor, b[name]) for name, tensor in a.items())


def _same_bits(a: torch.Tensor, b: torch.Tensor) -> bool:
    if (a.dtype, a.shape, a.device) != (b.dtype, b.shape, b.device) or a.element_size() not in BITS:
        return False
    bits = BITS[a.element_size()]  # as numbers NaN would differ from itself, and 0 equal -0
    if a.is_cuda:
        return torch.equal(a.view(bits), b.view(bits))
    # By NumPy, in one thread: those of PyTorch wait for more work in a loop, on the cores that OpenVINO needs next.
    return np.array_equal(a.view(bits).numpy(), b.view(bits).numpy())


def _hash(structure: str, tensors: dict[str, torch.Tensor]) -> str:
    digest = hashlib.sha256(structure.encode())
    for name, tensor in tensors.items():
        digest.update(f"\n{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        # In the order of the indices: the layout in memory (channels last) changes nothing that is computed.
        digest.update(tensor.cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _is_plain(value: Any) -> bool:
    if value is None or isinstance(value, bool | int | float | str | torch.dtype):
        return True
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    if isinstance(value, dict):
        return all(map(_is_plain, chain(value, value.values())))
    return inspect.isroutine(value)


def _word(value: Any) -> str:
    if isinstance(value, list | tuple):
        return f"{type(value).__name__}({', '.join(map(_word, value))})"
    if isinstance(value, dict):
        return f"dict({', '.join(f'{_word(key)}: {_word(item)}' for key, item in value.items())})"
    if inspect.isroutine(value):  # its repr holds an address, which differs in each process
        return f"{value.__module__}.{value.__qualname__}"
    return repr(value)
