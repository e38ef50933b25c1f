"""Weights that tell what they are for, and the networks that they fill."""

from __future__ import annotations

import copy
import json
import logging
import sys
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from ..errors import UserError
from ..networks import build_network, definition_of
from .checkpoint import fill, read_state
from .knobs import check_knobs
from .options import is_command_line, parse_options
from .origin import check_origin

__all__ = ["Weights", "check_weights", "describe", "load_networks"]

OTHER = "lay the configurations of its recipe over, or name other weights"


def describe(network: torch.nn.Module, state: Mapping[str, torch.Tensor], facts: Mapping[str, Any]) -> OrderedDict:
    """A state dict that also tells what its network is and how it is used.

    The description is an attribute of the dictionary, which a file keeps: whoever loads the file without knowing of it,
    ``torch.load(weights_only=True)`` and ``load_state_dict`` included, sees a plain state dict.

    Args:
        network: whose weights they are.
        state: its state dict.
        facts: what else must be known at use, such as ``channels`` and ``spacing``, as JSON can say it; ``recipe`` is
            the configuration that they are used with, such as ``unet_dsb/inference``.

    Example:
        >>> network = torch.nn.Conv2d(1, 1, 3)
        >>> describe(network, network.state_dict(), {"recipe": "inference", "channels": 1}).description
        {'recipe': 'inference', 'channels': 1}
    """
    described: Any = OrderedDict(state)
    definition = definition_of(network)
    described.description = json.loads(json.dumps(dict(facts))) | ({"definition": definition} if definition else {})
    return described


class Weights:
    """What the files of weights tell of themselves; ``weights["channels"]`` is the fact that all of them tell.

    Args:
        checkpoint: a file, or several of an ensemble.
        recipe: of the configuration that uses them; weights of another one are refused.

    Raises:
        UserError: there is no file, one cannot be read or is of another recipe; at ``weights[...]``, one does not tell
            this, or they tell different things, which is then to be given as an option.
    """

    def __init__(self, checkpoint: str | Path | Sequence[str | Path], recipe: str) -> None:
        one = isinstance(checkpoint, str | Path)
        files: Any = [checkpoint] if one else checkpoint
        if not isinstance(files, list | tuple) or not files or not all(isinstance(file, str | Path) for file in files):
            remedy = "take a list of files: --checkpoints \"['a.pt','b.pt']\""
            raise UserError(f"checkpoints: {files!r} will not do; {remedy}")
        self.facts: dict[str, Any] = {}
        self.option = "checkpoint" if one else "checkpoints"
        self.files = [Path(file) for file in files]
        self.states = [read_state(self.option, file) for file in self.files]
        self.descriptions: list[dict[str, Any]] = [getattr(state, "description", {}) for state in self.states]
        for file, description in zip(self.files, self.descriptions, strict=True):
            if not isinstance(description, dict):
                raise UserError(f"{self.option}: {file} is damaged, its description is none; name another")
            if (own := description.get("recipe", recipe)) != recipe:
                raise UserError(f"{self.option}: {file} is for {own}.json, not for {recipe}.json; {OTHER}")

    def __getitem__(self, name: str) -> Any:
        told = []
        for file, description in zip(self.files, self.descriptions, strict=True):
            if name not in description:
                raise UserError(
                    f"{self.option}: {file} does not tell its {name}, like weights of older versions or elsewhere; "
                    f"give --{name} as in its training"
                )
            told.append(description[name])
        if any(other != told[0] for other in told):
            raise UserError(f"{self.option}: the files tell different values of {name}, {told}; give --{name}")
        return told[0]


def load_networks(
    weights: Weights, network_def: torch.nn.Module, facts: Mapping[str, Any] | None = None
) -> list[torch.nn.Module]:
    """A network for each file of weights, filled.

    Args:
        weights: the files.
        network_def: what the configuration takes for the network; files that tell theirs do not need it.
        facts: knobs that must be what they were in training.

    Raises:
        UserError: the weights are of another network, or an option contradicts what they tell.
    """
    weights.facts = json.loads(json.dumps(dict(facts or {})))
    for file, description in zip(weights.files, weights.descriptions, strict=True):
        for name in weights.facts.keys() & description.keys():
            if (was := description[name]) != (now := weights.facts[name]):
                remedy = f"leave --{name} out, or name weights that were trained with it"
                raise UserError(f"{weights.option}: {file} was trained with {name} {was}, not {now}; {remedy}")
        if _asks_for_a_network() and description.get("definition") not in (None, definition_of(network_def)):
            remedy = "leave --network_def out, or name weights of that network"
            raise UserError(f"{weights.option}: {file} tells another network than the options; {remedy}")
    networks = []
    for file, state, description in zip(weights.files, weights.states, weights.descriptions, strict=True):
        if "definition" in description:
            network = _build(weights.option, file, state, description)
        else:
            network = copy.deepcopy(network_def)
        fill(weights.option, file, state, network)
        networks.append(network)
    return networks


def check_weights(
    weights: Weights, knobs: Mapping[str, Any] | None = None, scored: Mapping[str, Any] | None = None
) -> None:
    """Refuse knobs that cannot be meant, and scores of what the weights have learned from; say what is not known.

    Args:
        weights: the files, of which networks were loaded.
        knobs: those that the weights tell, but that may be chosen otherwise.
        scored: of an evaluation the ``dataset_dir``, ``split`` and ``fold``, from which they must not have learned.

    Raises:
        UserError: see above, or a knob has a value that cannot be meant.
    """
    check_knobs(weights.facts | dict(knobs or {}))
    for file, description in zip(weights.files, weights.descriptions, strict=True):
        untold = {name: value for name, value in weights.facts.items() if name not in description}
        check_origin(weights.option, file, untold, scored)
    if any("definition" not in description for description in weights.descriptions):
        message = "%s: not told by the file, so taken from the configuration: its network"
        logging.getLogger(__name__).info(message, weights.option)


def _asks_for_a_network() -> bool:
    """Whether the command line says something about the network; what a configuration says is for other weights."""
    return is_command_line() and any(name.startswith("network_def") for name in parse_options(sys.argv[1:]))


def _build(
    option: str, file: Path, state: Mapping[str, torch.Tensor], description: Mapping[str, Any]
) -> torch.nn.Module:
    """The network of a file, which may be damaged or hostile: its shapes are compared before any memory is taken."""
    definition = description["definition"]
    try:
        with torch.device("meta"):
            shapes = {name: value.shape for name, value in build_network(definition).state_dict().items()}
        if shapes != {name: value.shape for name, value in state.items()}:
            raise ValueError("the shapes of its weights are not those of the network that it tells")
        if description.get("channels", definition.get("in_channels")) != definition.get("in_channels"):
            raise ValueError("the channels that it tells are not those of the network that it tells")
        return build_network(definition)
    except (ValueError, TypeError) as error:
        raise UserError(f"{option}: {file} does not fit together ({error}); name another") from error
