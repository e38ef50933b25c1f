"""Weights for evaluation, inference and a good start."""

from __future__ import annotations

import copy
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from monai.networks.utils import copy_model_state

from ..errors import UserError
from .origin import check_origin

__all__ = ["load_checkpoint", "load_checkpoints", "load_pretrained"]


def load_checkpoint(
    path: str | Path,
    network: torch.nn.Module,
    option: str = "checkpoint",
    trained_with: Mapping[str, Any] | None = None,
    scored: Mapping[str, Any] | None = None,
) -> None:
    """Load ``path`` into ``network``, strictly; half-precision weights become the network's own precision.

    Args:
        path: a state dict, or a dictionary that holds one under ``model`` or ``network``.
        network: the network to fill.
        option: what named the file, for messages.
        trained_with: knobs that must be what they were in training, see ``check_origin``.
        scored: of an evaluation the ``dataset_dir``, ``split`` and ``fold``, from which it must not have learned.

    Raises:
        UserError: the file is not there, cannot be read, belongs to another network, was trained with other knobs or
            has learned from what would be scored.
    """
    state = _read_state(option, path)
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:300]
        remedy = "name another, or take the configurations and knobs of its training, which its run.json has"
        raise UserError(f"{option}: {path} belongs to another network; {remedy} ({reason})") from error
    check_origin(option, Path(path), trained_with or {}, scored)


def load_checkpoints(
    path: Sequence[str | Path],
    network: torch.nn.ModuleList,
    trained_with: Mapping[str, Any] | None = None,
    scored: Mapping[str, Any] | None = None,
) -> None:
    """Load several files, each into a network of its own; it stands where ``load_checkpoint`` stands for one.

    Args:
        path: a file for each network.
        network: one network; copies of it are added.
        trained_with: as for ``load_checkpoint``.
        scored: likewise.

    Raises:
        UserError: there is no path, or a file is not what ``load_checkpoint`` takes.
    """
    if not isinstance(path, list | tuple) or not path or not all(isinstance(file, str | Path) for file in path):
        raise UserError(f"checkpoints: {path!r} will not do; take a list of files: --checkpoints \"['a.pt','b.pt']\"")
    network.extend(copy.deepcopy(network[0]) for _ in path[1:])
    for file, each in zip(path, network, strict=True):
        load_checkpoint(file, each, "checkpoints", trained_with, scored)


def load_pretrained(path: str | Path, network: torch.nn.Module) -> None:
    """Load those weights of ``path`` that fit ``network`` by name and shape, and name the rest in the log.

    So a network for other channels or classes starts from all but its first or last layer.

    Args:
        path: as for ``load_checkpoint``.
        network: the network to start.

    Raises:
        UserError: the file is not there, cannot be read, or no kernel in it fits.
    """
    state = _read_state("pretrained", path)
    _, loaded, left = copy_model_state(network, state)
    if not any(tensor.ndim > 1 and name in loaded for name, tensor in network.named_parameters()):
        raise UserError(f"pretrained: nothing in {path} fits the network; name weights of the same kind of network")
    logger = logging.getLogger(__name__)
    logger.info("pretrained: %d of %d tensors taken from %s", len(loaded), len(loaded) + len(left), path)
    for name in left:
        logger.info("pretrained: not taken: %s", name)


def _read_state(option: str, path: str | Path) -> Any:
    path, remedy = Path(path), "name a model.pt, such as that of a training run"
    if not path.is_file():
        raise UserError(f"{option}: {path} does not exist; {remedy}")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a file of another kind can fail in any way
        reason = " ".join(str(error).split())[:100] or type(error).__name__
        raise UserError(f"{option}: {path} is no readable checkpoint ({reason}); {remedy}") from error
    state = content.get("model", content.get("network", content)) if isinstance(content, dict) else content
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise UserError(f"{option}: {path} holds no weights of a network; {remedy}")
    for name, value in state.items():
        if not torch.isfinite(value).all():
            raise UserError(f"{option}: {path} is damaged, its {name} is not finite; {remedy}")
    return state
