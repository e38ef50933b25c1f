"""What a network was made with, so that its weights can tell it."""

from __future__ import annotations

import functools
import inspect
import json
from collections.abc import Mapping
from typing import Any, TypeVar

import torch

__all__ = ["build_network", "defined", "definition_of"]

Network = TypeVar("Network", bound=type[torch.nn.Module])
NETWORKS: dict[str, type[torch.nn.Module]] = {}


def defined(cls: Network) -> Network:
    """Class decorator: each network keeps its arguments, and ``build_network`` can make another one of its kind.

    The arguments are what JSON can say.
    """
    make, signature = cls.__init__, inspect.signature(cls)

    @functools.wraps(make)
    def init(self: torch.nn.Module, *args: Any, **kwargs: Any) -> None:
        make(self, *args, **kwargs)
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        self._arguments = json.loads(json.dumps(bound.arguments))

    cls.__init__ = init  # type: ignore[method-assign]
    NETWORKS[cls.__name__] = cls
    return cls


def definition_of(network: torch.nn.Module) -> dict[str, Any] | None:
    """Class and arguments of a network of this package, None of another.

    Of arguments that matter only until weights are loaded, by the class's ``UNTRAINED``, it tells the values there.

    Example:
        >>> from shared.networks import TinyUNet
        >>> definition_of(TinyUNet(features=[4] * 5))["features"]
        [4, 4, 4, 4, 4]
    """
    if type(network) is not NETWORKS.get(type(network).__name__):
        return None
    arguments: dict[str, Any] = network._arguments  # type: ignore[assignment]
    return {"network": type(network).__name__, **arguments, **getattr(network, "UNTRAINED", {})}


def build_network(definition: Mapping[str, Any]) -> torch.nn.Module:
    """A network by its definition, with weights drawn at random.

    Args:
        definition: as by ``definition_of``; it may come from a file that a stranger has made, so nothing but networks
            of this package is built.

    Raises:
        ValueError: there is no such network, or it does not take these arguments.
    """
    arguments = dict(definition)
    name = arguments.pop("network", None)
    if not isinstance(name, str) or name not in NETWORKS:
        raise ValueError(f"network must be one of {', '.join(sorted(NETWORKS))}, got {name!r}")
    try:
        return NETWORKS[name](**arguments)
    except Exception as error:  # of arguments that make no sense a network can fail in any way
        raise ValueError(f"{name} does not take {arguments} ({error})") from error
