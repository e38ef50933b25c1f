"""A bundle's network and data loader against the clock."""

from __future__ import annotations

import copy
import math
import platform
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from monai.bundle import ConfigParser
from monai.inferers import Inferer, SimpleInferer

from ..atomic import atomic_write_json
from ..bundle_config import read_bundle
from ..errors import UserError
from ..inferers import ENGINES, PrecisionInferer
from ..metrics.agreement import Agreement
from ..runs import check_device, load_checkpoint
from .timing import measure, summarise

__all__ = ["bench", "format_bench"]

MODES = ("train", "infer", "data")
BASELINE = "fp32 eager"
CHANNELS_LAST = {2: torch.channels_last, 3: torch.channels_last_3d}


def bench(
    bundle: str | Path,
    mode: str,
    *,
    batch_size: int = 16,
    size: tuple[int, ...] = (96, 96),
    amp: bool | str = "auto",
    engine: str = "eager",
    device: str | None = None,
    warmup: int = 3,
    steps: int = 20,
    dataset_dir: str | Path | None = None,
    checkpoint: str | Path | None = None,
    seed: int = 0,
    output: str | Path | None = None,
    overlays: Sequence[str] = (),
) -> dict[str, Any]:
    """Measure a bundle beside plain float32 in one run.

    ``train`` is a whole step (network, the bundle's loss, gradient, SGD with momentum) and ``infer`` a call of the
    network, both on generated batches; ``data`` is the loader of ``train.json`` with its real data.

    Args:
        bundle: folder of the bundle.
        mode: ``train``, ``infer`` or ``data``.
        batch_size: pictures per step.
        size: spatial size of a picture in pixels or voxels.
        amp: precision that is compared with float32, as in the bundle's knob.
        engine: what computes the network in the mode ``infer``, as in the bundle's knob; it is made ready before the
            clock starts.
        device: ``cpu``, ``cuda``, ...; by default a GPU if there is one.
        warmup: steps that are not counted.
        steps: steps that are, 1 at least.
        dataset_dir: data set for the mode ``data``.
        checkpoint: weights; without them they are drawn at random, and probabilities near a half make masks differ.
        seed: of weights and batches.
        output: JSON file for the result.
        overlays: configurations that are laid over ``train.json`` in this order: files, or names of the bundle's.

    Returns:
        What ``format_bench`` tells: per variant throughput, latency and peak memory; in the mode ``infer`` also how far
        its probabilities and masks are from float32's.

    Raises:
        UserError: an option is wrong.
    """
    if mode not in MODES:
        raise UserError(f"mode: {mode!r} is none of {', '.join(MODES)}")
    if engine not in ENGINES:
        raise UserError(f"engine: {engine!r} is none of {', '.join(ENGINES)}")
    if engine != "eager" and mode != "infer":
        raise UserError(f"engine: {engine} is for the mode infer; the mode {mode} has eager only")
    if min(batch_size, steps, *size) < 1 or warmup < 0:
        raise UserError("batch_size, size and steps: take whole numbers of 1 or more; warmup: 0 or more")
    if output is not None and Path(output).is_dir():
        raise UserError(f"output: {output} is a folder; name a file")
    where = check_device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    torch.manual_seed(seed)
    parser = read_bundle(bundle, "train.json", overlays)
    parser["device"] = where

    variants: dict[str, Callable[[], Any]]
    if mode == "data":
        variants = {"loader": _loader_step(parser, batch_size, dataset_dir)}
    else:
        image = parser["_meta_::network_data_format::inputs::image"]
        if len(size) != len(image["spatial_shape"]):
            given = "x".join(map(str, size))
            raise UserError(
                f"size: {given} will not do; the network of {bundle} takes {len(image['spatial_shape'])} sides"
            )
        batch = torch.rand(batch_size, image["num_channels"], *size, device=where)
        network = parser.get_parsed_content("network_def").to(where)
        if checkpoint is not None:
            load_checkpoint(checkpoint, network)
        inferer = PrecisionInferer(SimpleInferer(), amp, engine)
        fast = copy.deepcopy(network).to(memory_format=CHANNELS_LAST[len(size)])
        make = _training_step if mode == "train" else _inference_step
        _try(network, batch, image["spatial_shape"])
        variants = {
            BASELINE: make(parser, network, PrecisionInferer(SimpleInferer(), False), batch),
            f"amp {amp}, {'channels last' if engine == 'eager' else engine}": make(parser, fast, inferer, batch),
        }
    agreement = _compared(*variants.values()) if mode == "infer" else {}
    timed = measure(variants, where, warmup, steps)
    rows = {
        name: summarise(row["seconds"], batch_size) | {"peak_memory_mb": row["peak_bytes"] / 1e6}
        for name, row in timed.items()
    }
    result = {
        "bundle": Path(bundle).resolve().name,
        **({"overlays": [*overlays]} if overlays else {}),
        "mode": mode,
        "batch_size": batch_size,
        "size": list(size) if mode != "data" else None,
        "steps": steps,
        "seed": seed,
        "machine": _machine(where),
        "variants": rows,
        **agreement,
    }
    if output is not None:
        atomic_write_json(output, result)
    return result


def format_bench(result: dict[str, Any]) -> str:
    """Write the result of ``bench`` as a table for the terminal."""
    shape = f" x {'x'.join(map(str, result['size']))}" if result["size"] else ""
    what = ", ".join([result["bundle"], *result.get("overlays", [])])
    lines = [
        f"{what} {result['mode']}, batches of {result['batch_size']}{shape}; {result['machine']}",
        f"{'variant':28}{'per second':>12}{'mean ms':>10}{'p50':>9}{'p90':>9}{'p99':>9}{'peak MB':>10}",
    ]
    for name, row in result["variants"].items():
        latency = "".join(f"{row[f'latency_ms_p{q}']:9.1f}" for q in (50, 90, 99))
        lines.append(
            f"{name:28}{row['pictures_per_second']:12.4g}{row['latency_ms_mean']:10.1f}{latency}{row['peak_memory_mb']:10.0f}"
        )
    speeds = [row["pictures_per_second"] for row in result["variants"].values()]
    if len(speeds) == 2:
        lines.append(f"ratio {speeds[1] / speeds[0]:.2f}")
    if "dice_of_masks" in result:
        dice = result["dice_of_masks"]
        masks = "no masks to compare" if dice is None else f"masks agree by Dice {dice:.4f}"
        lines.append(f"{masks}, mean |dp| {result['mean_difference']:.1e}")
    return "\n".join(lines)


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


def _loader_step(parser: ConfigParser, batch_size: int, dataset_dir: str | Path | None) -> Callable[[], Any]:
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


def _compared(exact: Callable[[], torch.Tensor], fast: Callable[[], torch.Tensor]) -> dict[str, float | None]:
    """How far the fast variant is from the exact one; null stands for the Dice of masks that are all empty."""
    agreement = Agreement()
    agreement.add(exact(), fast())
    dice = None if math.isnan(agreement.dice) else agreement.dice
    return {"dice_of_masks": dice, "mean_difference": agreement.mean_difference}


def _machine(device: torch.device) -> str:
    if device.type == "cuda":
        return f"{torch.cuda.get_device_name(device)}, torch {torch.__version__}"
    capability = torch.backends.cpu.get_cpu_capability()
    amx = " with AMX" if torch.cpu._is_amx_tile_supported() else ""
    return f"{torch.get_num_threads()} threads of {platform.machine()} {capability}{amx}, torch {torch.__version__}"
