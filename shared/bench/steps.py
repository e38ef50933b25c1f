"""What is timed of a bundle's ``train.json``: its network on generated batches, and its data loader."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from monai.bundle import ConfigParser
from monai.inferers import Inferer, SimpleInferer

from ..errors import UserError
from ..inferers import PrecisionInferer
from ..metrics.agreement import Agreement
from ..networks import definition_of
from ..runs import Weights, load_networks

__all__ = ["BASELINE", "compared", "loader_step", "name_of", "network_steps"]

BASELINE = "fp32 eager"
CHANNELS_LAST = {2: torch.channels_last, 3: torch.channels_last_3d}
STRIP = 32  # pixels or voxels along the first axis, compared at a time


def name_of(amp: bool | str, engine: str) -> str:
    """What the variant that is compared with ``BASELINE`` is called.

    >>> name_of("auto", "eager"), name_of(False, "openvino")
    ('amp auto, channels last', 'amp False, openvino')
    """
    return f"amp {amp}, {'channels last' if engine == 'eager' else engine}"


def network_steps(
    parser: ConfigParser,
    mode: str,
    batch_size: int,
    size: Sequence[int],
    amp: bool | str,
    engine: str,
    checkpoint: str | Path | None,
) -> dict[str, Callable[[], Any]]:
    """Steps of the network on one generated batch: in plain float32, and in a precision and by an engine.

    Args:
        parser: of ``train.json``; its ``device`` is that of the steps.
        mode: ``train``, a whole step with loss and gradient, or ``infer``, a call that returns the logits.
        batch_size: pictures in the batch.
        size: their sides in pixels or voxels.
        amp: as for ``PrecisionInferer``.
        engine: likewise.
        checkpoint: weights; None leaves them as they are drawn.

    Raises:
        UserError: the network does not take such pictures, or the weights are not its.
    """
    where, image = parser["device"], parser["_meta_::network_data_format::inputs::image"]
    if len(size) != len(image["spatial_shape"]):
        given, sides = "x".join(map(str, size)), len(image["spatial_shape"])
        raise UserError(f"size: {given} will not do; the network of {parser['bundle_root']} takes {sides} sides")
    network = parser.get_parsed_content("network_def")
    if checkpoint is not None:
        (network,) = load_networks(Weights(checkpoint, parser["train::description::recipe"]), network)
    network = network.to(where)
    channels = (definition_of(network) or {}).get("in_channels", image["num_channels"])
    batch = torch.rand(batch_size, channels, *size, device=where)
    fast = copy.deepcopy(network).to(memory_format=CHANNELS_LAST[len(size)])
    make = _training_step if mode == "train" else _inference_step
    _try(network, batch, image["spatial_shape"])
    return {
        BASELINE: make(parser, network, PrecisionInferer(SimpleInferer(), False), batch),
        name_of(amp, engine): make(parser, fast, PrecisionInferer(SimpleInferer(), amp, engine), batch),
    }


def loader_step(parser: ConfigParser, batch_size: int, dataset_dir: str | Path | None) -> Callable[[], Any]:
    """A step that takes the next batch of the training's loader.

    Args:
        parser: of ``train.json``.
        batch_size: pictures per batch.
        dataset_dir: prepared data set.

    Raises:
        UserError: there is no data set, or it has less than a batch.
    """
    if dataset_dir is None:
        raise UserError("dataset_dir: the mode data reads real data; name a prepared data set")
    parser["dataset_dir"], parser["batch_size"] = str(dataset_dir), batch_size
    parser["train::dataloader::drop_last"] = True  # a last batch of fewer would count as a whole one
    loader = parser.get_parsed_content("train::dataloader")
    if not len(loader):
        raise UserError(f"batch_size: an epoch of {dataset_dir} has fewer than {batch_size} pictures; take fewer")
    batches = iter(loader)

    def step() -> None:
        nonlocal batches
        try:
            next(batches)
        except StopIteration:
            batches = iter(loader)
            next(batches)

    return step


def compared(exact: torch.Tensor, fast: torch.Tensor) -> dict[str, float | None]:
    """How far the fast variant is from the exact one; null stands for the Dice of masks that are all empty.

    Shape:
        Both ``(N, C, *spatial)``, logits.
    """
    agreement = Agreement()
    for strips in zip(exact.split(STRIP, dim=2), fast.split(STRIP, dim=2), strict=True):
        agreement.add(*strips)  # in doubles, of which a whole volume would take gigabytes
    dice = None if math.isnan(agreement.dice) else agreement.dice
    return {"dice_of_masks": dice, "mean_difference": agreement.mean_difference}


def _try(network: torch.nn.Module, batch: torch.Tensor, sides: Sequence[Any]) -> None:
    """Tell before anything is timed that the network cannot be run on such batches."""
    try:
        with torch.inference_mode():
            copy.deepcopy(network)(batch)  # running statistics of the other would move
    except (RuntimeError, ValueError) as error:
        raise UserError(
            f"size: the network fails on {'x'.join(map(str, batch.shape[2:]))} ({str(error).splitlines()[0]}); "
            f"its sides are {' x '.join(map(str, sides))} (metadata.json)"
        ) from error


def _training_step(
    parser: ConfigParser, network: torch.nn.Module, inferer: Inferer, batch: torch.Tensor
) -> Callable[[], Any]:
    loss_function = parser.get_parsed_content("train::loss")
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-3, momentum=0.9)
    with torch.no_grad():
        truth = _truth(parser, network(batch))

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        loss_function(inferer(batch, network), truth).backward()
        optimizer.step()

    network.train()
    return step


def _truth(parser: ConfigParser, logits: torch.Tensor | Sequence[torch.Tensor]) -> torch.Tensor:
    """Labels for a network whose classes exclude each other, masks for others, of what it gave (last, if several)."""
    last = logits if isinstance(logits, torch.Tensor) else logits[-1]
    drawn = torch.rand_like(last)
    if any(transform.get("softmax") for transform in parser["validate::postprocessing::transforms"]):
        return drawn.argmax(dim=1, keepdim=True).float()
    return (drawn > 0.5).float()


def _inference_step(
    parser: ConfigParser, network: torch.nn.Module, inferer: Inferer, batch: torch.Tensor
) -> Callable[[], Any]:
    network.eval()

    @torch.inference_mode()
    def step() -> torch.Tensor:
        return inferer(batch, network)

    return step
