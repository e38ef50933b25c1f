"""Weights for evaluation, inference and a good start."""

from __future__ import annotations

import copy
import json
import logging
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from monai.networks.utils import copy_model_state

from ..errors import UserError

__all__ = ["load_checkpoint", "load_checkpoints", "load_pretrained"]


def load_checkpoint(
    path: str | Path,
    network: torch.nn.Module,
    option: str = "checkpoint",
    trained_with: Mapping[str, Any] | None = None,
) -> None:
    """Load ``path`` into ``network``, strictly; half-precision weights become the network's own precision.

    Args:
        path: a state dict, or a dictionary that holds one under ``model`` or ``network``.
        network: the network to fill.
        option: what named the file, for messages.
        trained_with: knobs that must be what they were in training, where the ``run.json`` of a training stands beside
            the file and names them: with others the network would see what it has not learned from.

    Raises:
        UserError: the file is not there, cannot be read, belongs to another network, or was trained with other knobs.
    """
    state = _read_state(option, path)
    _refuse_other_knobs(option, Path(path), trained_with or {})
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:300]
        remedy = "name another, or take the configurations and knobs of its training, which its run.json has"
        raise UserError(f"{option}: {path} belongs to another network; {remedy} ({reason})") from error


def load_checkpoints(
    paths: Sequence[str | Path], networks: torch.nn.ModuleList, trained_with: Mapping[str, Any] | None = None
) -> None:
    """Load each of ``paths`` into a network of its own, as ``load_checkpoint`` does.

    Args:
        paths: one for each network.
        networks: one network; copies of it are added.
        trained_with: as for ``load_checkpoint``.

    Raises:
        UserError: there is no path, or a file is not what ``load_checkpoint`` takes.
    """
    if not isinstance(paths, list | tuple) or not paths or not all(isinstance(path, str | Path) for path in paths):
        raise UserError(f"checkpoints: {paths!r} will not do; take a list of files: --checkpoints \"['a.pt','b.pt']\"")
    networks.extend(copy.deepcopy(networks[0]) for _ in paths[1:])
    for path, network in zip(paths, networks, strict=True):
        load_checkpoint(path, network, "checkpoints", trained_with)


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


def _refuse_other_knobs(option: str, path: Path, knobs: Mapping[str, Any]) -> None:
    folder = path.parent.parent if path.parent.name == "checkpoints" else path.parent
    record = folder / "run.json"
    config = (json.loads(record.read_text(encoding="utf-8")).get("config") or {}) if record.is_file() else {}
    for name, value in json.loads(json.dumps(dict(knobs))).items():  # as it is recorded
        if (was := config.get(name, value)) != value:
            remedy = f"give --{name} {shlex.quote(json.dumps(was))}"
            raise UserError(f"{option}: {path} was trained with {name} {was}, not {value}; {remedy}")


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
    return state
