"""Weights for evaluation, inference and a good start."""

from __future__ import annotations

import logging
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from monai.networks.utils import copy_model_state

from ..errors import UserError

__all__ = ["fill", "load_checkpoint", "load_pretrained", "read_state"]


def load_checkpoint(path: str | Path, network: torch.nn.Module) -> None:
    """Load ``path`` into ``network``, strictly; half-precision weights become the network's own precision.

    Args:
        path: a state dict, or a dictionary that holds one under ``model`` or ``network``.
        network: the network to fill.

    Raises:
        UserError: the file is not there, cannot be read or belongs to another network.
    """
    fill("checkpoint", path, read_state("checkpoint", path), network)


def fill(option: str, path: str | Path, state: Mapping[str, torch.Tensor], network: torch.nn.Module) -> None:
    """Load a state dict into ``network``, strictly.

    Args:
        option: what named the file, for messages.
        path: the file.
        state: what it holds.
        network: the network to fill.

    Raises:
        UserError: it belongs to another network.
    """
    own = network.state_dict()
    for name in own.keys() & state.keys():
        if own[name].is_floating_point() != state[name].is_floating_point():
            raise UserError(f"{option}: {path} is damaged, its {name} is of the type {state[name].dtype}; name another")
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:300]
        remedy = "name another, or take the configurations and knobs of its training, which its run.json has"
        raise UserError(f"{option}: {path} belongs to another network; {remedy} ({reason})") from error


def load_pretrained(path: str | Path, network: torch.nn.Module) -> None:
    """Load those weights of ``path`` that fit ``network`` by name and shape, and name the rest in the log.

    So a network for other channels or classes starts from all but its first or last layer.

    Args:
        path: as for ``load_checkpoint``.
        network: the network to start.

    Raises:
        UserError: the file is not there, cannot be read, or no kernel in it fits.
    """
    state = read_state("pretrained", path)
    _, loaded, left = copy_model_state(network, state)
    if not any(tensor.ndim > 1 and name in loaded for name, tensor in network.named_parameters()):
        raise UserError(f"pretrained: nothing in {path} fits the network; name weights of the same kind of network")
    logger = logging.getLogger(__name__)
    logger.info("pretrained: %d of %d tensors taken from %s", len(loaded), len(loaded) + len(left), path)
    for name in left:
        logger.info("pretrained: not taken: %s", name)


def read_state(option: str, path: str | Path) -> Any:
    """The state dict in a file, with its description if it has one.

    Args:
        option: what named the file, for messages.
        path: the file.

    Raises:
        UserError: the file is not there, cannot be read, or holds something else or values that are not finite.
    """
    path, remedy = Path(path), "name a model.pt, such as that of a training run"
    if not path.is_file():
        raise UserError(f"{option}: {path} does not exist; {remedy}")
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                if any(member.compress_type for member in archive.infolist()):
                    raise ValueError("packed, as PyTorch packs nothing: it may be of any size")
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a file of another kind can fail in any way
        reason = " ".join(str(error).split())[:100] or type(error).__name__
        raise UserError(f"{option}: {path} is no readable checkpoint ({reason}); {remedy}") from error
    state = content.get("model", content.get("network", content)) if isinstance(content, dict) else content
    pairs: Any = state.items() if isinstance(state, dict) else [(None, None)]
    if not all(isinstance(name, str) and isinstance(value, torch.Tensor) for name, value in pairs):
        raise UserError(f"{option}: {path} holds no weights of a network; {remedy}")
    for name, value in pairs:
        if value.is_complex() or value.is_quantized or value.layout != torch.strided:
            kind = value.dtype if value.layout == torch.strided else value.layout
            raise UserError(f"{option}: {path} is damaged, its {name} is of the type {kind}; {remedy}")
        if value.nbytes > value.untyped_storage().nbytes():
            raise UserError(f"{option}: {path} is damaged, its {name} is larger than what is stored; {remedy}")
        if not torch.isfinite(value).all():
            raise UserError(f"{option}: {path} is damaged, its {name} is not finite; {remedy}")
    return state
