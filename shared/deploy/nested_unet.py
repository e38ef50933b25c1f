"""Weights of the program pytorch-nested-unet as ours."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch

from ..atomic_save import atomic_save
from ..errors import UserError
from ..networks import NestedUNet, UNet, definition_of
from ..runs import describe

__all__ = ["convert_nested_unet", "release_nested_unet"]

LEVELS = 5


def convert_nested_unet(state: Mapping[str, torch.Tensor]) -> torch.nn.Module:
    """Build the network that a state dict of pytorch-nested-unet belongs to, with its weights.

    The program calls node (i, j) ``conv<i>_<j>``, its layers ``conv1, bn1, conv2, bn2`` and its heads ``final``, or
    ``final1`` to ``final4`` under deep supervision. A network trained on several GPUs has ``module.`` in front.

    Args:
        state: state dict of its ``UNet`` or ``NestedUNet``.

    Returns:
        ``shared.networks.UNet`` or ``NestedUNet``, in evaluation mode.

    Raises:
        ValueError: names or shapes are not those of either.
    """
    state = {name.removeprefix("module."): value for name, value in state.items()}
    nested = "conv0_1.conv1.weight" in state
    heads = ["final1", "final2", "final3", "final4"] if "final1.weight" in state else ["final"]
    try:
        features = [state[f"conv{level}_0.conv1.weight"].shape[0] for level in range(LEVELS)]
        channels, classes = state["conv0_0.conv1.weight"].shape[1], state[f"{heads[0]}.weight"].shape[0]
        network: torch.nn.Module
        if nested:
            network = NestedUNet(channels, classes, features, deep_supervision=len(heads) > 1)
            names = _nested_names(heads)
        else:
            network = UNet(channels, classes, features)
            names = _plain_names()
        network.load_state_dict({_rename(name, names): value for name, value in state.items()})
    except (KeyError, RuntimeError) as error:
        raise ValueError(f"no state dict of pytorch-nested-unet's UNet or NestedUNet: {error}") from error
    return network.eval()


def release_nested_unet(source: str | Path, output: str | Path) -> str:
    """Convert ``model.pth`` of pytorch-nested-unet (or a checkpoint that holds ``state_dict``) and save the state dict.

    Args:
        source: the program's file.
        output: file to write; must be new.

    Returns:
        A line that says what it is and how to use it; its file tells the rest but the size of the training's pictures.

    Raises:
        UserError: the source cannot be read or is of another program, or the output exists.
    """
    source, output = Path(source), Path(output)
    if output.exists():
        raise UserError(f"output: {output} exists; name another file")
    if not source.is_file():
        raise UserError(f"source: {source} does not exist; name the model.pth of pytorch-nested-unet")
    try:
        content = torch.load(source, map_location="cpu", weights_only=True)
        network = convert_nested_unet(content.get("state_dict", content))
    except Exception as error:  # a file of another kind can fail in any way
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise UserError(f"source: {source} is no model.pth of pytorch-nested-unet ({reason}); name one") from error
    definition = definition_of(network) or {}
    facts = {"recipe": "unet_dsb/reference_inference", "channels": definition["in_channels"]}
    atomic_save(output, describe(network, network.state_dict(), facts | {"num_classes": definition["out_channels"]}))
    options = f"--checkpoint {output} and, for pictures of 96 x 96 in its training, --patch_size [96,96]"
    return f"{type(network).__name__} in {output}; use it with reference_inference.json, {options}"


def _plain_names() -> dict[str, str]:
    """Their node of the U-Net -> ours."""
    encoder = {"conv0_0": "conv_0"} | {f"conv{level}_0": f"down_{level}.convs" for level in range(1, LEVELS)}
    decoder = {f"conv{level}_{4 - level}": f"upcat_{level + 1}.convs" for level in range(LEVELS - 1)}
    return encoder | decoder | {"final": "final_conv"}


def _nested_names(heads: list[str]) -> dict[str, str]:
    """Their node of UNet++ -> ours."""
    encoder = {f"conv{level}_0": f"encoder.{level}{'.convs' if level else ''}" for level in range(LEVELS)}
    nodes = {f"conv{i}_{j}": f"columns.{j - 1}.{i}.convs" for j in range(1, LEVELS) for i in range(LEVELS - j)}
    return encoder | nodes | {head: f"heads.{number}" for number, head in enumerate(heads)}


def _rename(name: str, nodes: Mapping[str, str]) -> str:
    """``conv0_0.bn2.weight`` -> ``conv_0.conv_1.adn.N.weight``."""
    node, *layer, tensor = name.split(".")
    parts = [nodes[node]]
    if layer:
        kind, number = layer[0][:-1], int(layer[0][-1]) - 1
        parts.append(f"conv_{number}.{ {'conv': 'conv', 'bn': 'adn.N'}[kind] }")
    return ".".join([*parts, tensor])
