"""A bundle against the clock: its network, its data loader, or whole cases."""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from ..atomic import atomic_write_json
from ..bundle_config import read_bundle
from ..errors import UserError
from ..inferers import ENGINES
from ..runs import check_device
from .cases import case_steps
from .steps import compared, loader_step, network_steps
from .timing import measure, summarise

__all__ = ["bench", "format_bench"]

UNUSED = {  # options that a mode has no use for, and why
    "train": (("dataset_dir",), "draws its own batches"),
    "infer": (("dataset_dir",), "draws its own batches"),
    "data": (("size", "checkpoint"), "reads crops of the configuration's patch_size, and runs no network"),
    "case": (("batch_size", "size"), "takes cases one by one, as large as they are"),
}
BATCH_SIZE, SIZE = 16, (96, 96)


def bench(
    bundle: str | Path,
    mode: str,
    *,
    batch_size: int | None = None,
    size: tuple[int, ...] | None = None,
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
    network, both on generated batches; ``data`` is the loader of ``train.json`` with its real data. ``case`` is a whole
    case by ``inference.json``, from reading its files to the mask in their geometry; no result is written.

    Args:
        bundle: folder of the bundle.
        mode: ``train``, ``infer``, ``data`` or ``case``.
        batch_size: pictures per step, 16 if None; a case is always one.
        size: spatial size of a picture in pixels or voxels, 96 x 96 if None; cases have their own.
        amp: precision that is compared with float32, as in the bundle's knob.
        engine: what computes the network in the modes ``infer`` and ``case``, as in the bundle's knob; it is made
            ready before the clock starts.
        device: ``cpu``, ``cuda``, ...; by default a GPU if there is one.
        warmup: steps that are not counted.
        steps: steps that are, 1 at least. Those of the mode ``case`` go through the first ``warmup + steps`` cases, or
            all if there are fewer, in turn.
        dataset_dir: prepared data set for the mode ``data``; for ``case`` what the inference takes.
        checkpoint: weights; without them those of the bundle in the mode ``case``, while in the others they are drawn
            at random, and probabilities near a half make masks differ.
        seed: of weights and batches.
        output: JSON file for the result.
        overlays: configurations that are laid over ``train.json``, or ``inference.json`` in the mode ``case``, in this
            order: files, or names of the bundle's.

    Returns:
        What ``format_bench`` tells: per variant throughput, latency and peak memory; in the modes ``infer`` and
        ``case`` (of its first) also how far its probabilities and masks are from float32's.

    Raises:
        UserError: an option is wrong, or a case cannot be read.
    """
    given = {"batch_size": batch_size, "size": size, "dataset_dir": dataset_dir, "checkpoint": checkpoint}
    _check(mode, {name: value for name, value in given.items() if value is not None}, engine, warmup, steps, output)
    batch_size = batch_size or (1 if mode == "case" else BATCH_SIZE)
    size = (size or SIZE) if mode in ("train", "infer") else None
    where = check_device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    torch.manual_seed(seed)

    variants: dict[str, Callable[[], Any]]
    found: dict[str, Any] = {}
    if mode == "case":
        variants, found = case_steps(bundle, dataset_dir, where, warmup + steps, amp, engine, checkpoint, overlays)
    else:
        parser = read_bundle(bundle, "train.json", overlays)
        parser["device"] = where
        if size is None:
            variants = {"loader": loader_step(parser, batch_size, dataset_dir)}
        else:
            variants = network_steps(parser, mode, batch_size, size, amp, engine, checkpoint)
    if mode == "infer":
        found = compared(*(step() for step in variants.values()))
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
        "size": list(size) if size else None,
        "steps": steps,
        "seed": seed,
        "machine": _machine(where),
        "variants": rows,
        **found,
    }
    if output is not None:
        atomic_write_json(output, result)
    return result


def format_bench(result: dict[str, Any]) -> str:
    """Write the result of ``bench`` as a table for the terminal."""
    shape = f" x {'x'.join(map(str, result['size']))}" if result["size"] else ""
    what = ", ".join([result["bundle"], *result.get("overlays", [])])
    many = f"{result['cases']} in turn" if "cases" in result else f"batches of {result['batch_size']}{shape}"
    lines = [
        f"{what} {result['mode']}, {many}; {result['machine']}",
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
        lines.append(f"{'first case: ' if 'cases' in result else ''}{masks}, mean |dp| {result['mean_difference']:.1e}")
    return "\n".join(lines)


def _check(
    mode: str, given: Mapping[str, Any], engine: str, warmup: int, steps: int, output: str | Path | None
) -> None:
    """Refuse options that do not go together, or are out of their range."""
    if mode not in UNUSED:
        raise UserError(f"mode: {mode!r} is none of {', '.join(UNUSED)}")
    if engine not in ENGINES:
        raise UserError(f"engine: {engine!r} is none of {', '.join(ENGINES)}")
    if engine != "eager" and mode not in ("infer", "case"):
        raise UserError(f"engine: {engine} is for the modes infer and case; the mode {mode} has eager only")
    options, reason = UNUSED[mode]
    if names := [name for name in options if name in given]:
        raise UserError(f"{', '.join(names)}: the mode {mode} {reason}; leave that out")
    if min(given.get("batch_size", BATCH_SIZE), steps, *given.get("size", SIZE)) < 1 or warmup < 0:
        raise UserError("batch_size, size and steps: take whole numbers of 1 or more; warmup: 0 or more")
    if output is not None and Path(output).is_dir():
        raise UserError(f"output: {output} is a folder; name a file")


def _machine(device: torch.device) -> str:
    if device.type == "cuda":
        return f"{torch.cuda.get_device_name(device)}, torch {torch.__version__}"
    capability = torch.backends.cpu.get_cpu_capability()
    amx = " with AMX" if torch.cpu._is_amx_tile_supported() else ""
    return f"{torch.get_num_threads()} threads of {platform.machine()} {capability}{amx}, torch {torch.__version__}"
