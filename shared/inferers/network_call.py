"""How one inferer calls the network for another, without losing sight of the network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

__all__ = ["NetworkCall", "module_behind"]


class NetworkCall:
    """A function that calls a network in some way, and the network.

    Args:
        function: what is called.
        network: what it calls; a module, or another call.
    """

    def __init__(self, function: Callable[..., Any], network: Callable[..., Any]) -> None:
        self.function, self.module = function, module_behind(network)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.function(*args, **kwargs)


def module_behind(network: Callable[..., Any]) -> torch.nn.Module | None:
    """The module that is called in the end, None if it is not known."""
    return network if isinstance(network, torch.nn.Module) else getattr(network, "module", None)
