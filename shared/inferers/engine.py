"""What computes the network: torch as it stands, torch's compiler or OpenVINO."""

from __future__ import annotations

import copy
import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any

import torch

from ..errors import UserError
from .fingerprint import fingerprint
from .openvino_engine import EngineError, OpenVINOEngine, openvino_is_there, size_class

__all__ = ["ENGINES", "with_engine"]

ENGINES = ("auto", "eager", "compile", "openvino")
KEPT = 8  # engines in memory, each with a copy of its network's weights


def with_engine(
    engine: str, network: Callable[..., Any], device: torch.device, amp: bool | str = "auto"
) -> Callable[..., Any]:
    """Give a stand-in for ``network`` that computes the same with another engine; it is good for one picture.

    Engines are found by the network's fingerprint, here and on the disk. They own copies of the weights: a network
    that is trained on, or filled with other weights, gets another engine, and one that was read anew gets the old one.

    Args:
        engine: ``eager`` gives ``network`` itself. ``openvino`` converts it for the CPU, once per network. ``compile``
            is ``torch.compile`` for all sizes. ``auto`` is ``openvino`` where it is installed, the device is the CPU
            and the network is a module in evaluation mode that OpenVINO can convert, and ``eager`` elsewhere.
        network: takes a batch and may take more, which only ``eager`` and ``compile`` pass on.
        device: of the pictures.
        amp: as for ``PrecisionInferer``; ``True`` and ``"auto"`` let OpenVINO compute in bfloat16 or float16 where the
            processor does so in hardware.

    Raises:
        ValueError: ``engine`` is none of these, or needs a module in evaluation mode and gets something else.
        UserError: ``openvino`` is not installed or not for this device; the message names a remedy.
    """
    if engine not in ENGINES:
        raise ValueError(f"engine must be one of {', '.join(ENGINES)}, got {engine!r}")
    if engine == "eager" or (engine == "auto" and not _suits_openvino(network, device)):
        return network
    _check(engine, network, device)
    assert isinstance(network, torch.nn.Module)
    # Once per picture, not per tile: a picture is computed by one network.
    mark = fingerprint(network)
    if engine == "compile":
        # A copy, since compiled code reads the weights anew at each call and must not see a change under its mark.
        return _recent.get(("compile", mark, device), lambda: torch.compile(copy.deepcopy(network), dynamic=True))
    return _OpenVINONetwork(network, mark, low=bool(amp), may_refuse=engine == "auto")


class _OpenVINONetwork:
    """The network of one picture: each size of tile is computed by the engine for its size class."""

    def __init__(self, network: torch.nn.Module, mark: str, low: bool, may_refuse: bool) -> None:
        self.network, self.mark, self.low, self.may_refuse = network, mark, low, may_refuse

    def __call__(self, x: torch.Tensor, *more: Any, **options: Any) -> Any:
        if more or options:
            if self.may_refuse:
                return self.network(x, *more, **options)
            raise ValueError("engine must be eager or compile for a network with more than one input, got 'openvino'")
        key = (self.mark, self.low, x.dtype, x.shape[1], size_class(self.network, x), torch.get_num_threads())
        if self.may_refuse and key in _refused:
            return self.network(x)
        try:
            return _recent.get(key, lambda: OpenVINOEngine(self.network, self.mark, x, self.low))(x)
        except EngineError as error:
            if not self.may_refuse:
                raise
            logging.getLogger(__name__).warning("%s; --engine auto does so now", error)
            _refused.add(key)
            return self.network(x)


class _Recent:
    """The engines used last."""

    def __init__(self) -> None:
        self.lock, self.engines = threading.Lock(), OrderedDict[Hashable, Any]()

    def get(self, key: Hashable, make: Callable[[], Any]) -> Any:
        with self.lock:  # also while one is made, or two threads would make it twice
            if key not in self.engines:
                self.engines[key] = make()
            self.engines.move_to_end(key)
            while len(self.engines) > KEPT:
                self.engines.popitem(last=False)
            return self.engines[key]


_recent = _Recent()
_refused: set[Hashable] = set()


def _suits_openvino(network: object, device: torch.device) -> bool:
    return device.type == "cpu" and openvino_is_there() and _is_plain_module(network)


def _is_plain_module(network: object) -> bool:
    """Whether it is a module of Python code, all of it in evaluation mode; TorchScript is no input of the converter."""
    if not isinstance(network, torch.nn.Module) or isinstance(network, torch.jit.ScriptModule):
        return False
    return not any(module.training for module in network.modules())


def _check(engine: str, network: object, device: torch.device) -> None:
    if not _is_plain_module(network):
        raise ValueError(
            f"network must be a torch module, not scripted, with every part in evaluation mode (network.eval()), "
            f"for the engine {engine!r}; got {type(network).__name__}"
        )
    if engine != "openvino":
        return
    if device.type != "cpu":
        raise UserError(f"engine: openvino computes on the CPU, not on {device}; take --device cpu or --engine eager")
    if not openvino_is_there():
        raise UserError("engine: openvino is not installed; run pip install openvino, or take --engine eager")
