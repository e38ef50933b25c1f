"""Whole cases against the clock: from reading their files to the mask in their own geometry."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

import torch
from monai.data import DataLoader
from monai.engines import SupervisedEvaluator
from torch.utils.data import Subset

from ..bundle_config import content_of, read_bundle, run_entries
from ..errors import UserError
from .steps import BASELINE, compared, name_of

__all__ = ["case_steps"]

PREPARING = ("check_weights", "check_patch")  # what of `begin` comes before the first case


def case_steps(
    bundle: str | Path,
    dataset_dir: str | Path | None,
    device: torch.device,
    rounds: int,
    amp: bool | str = "auto",
    engine: str = "eager",
    checkpoint: str | Path | None = None,
    overlays: Sequence[str] = (),
) -> tuple[dict[str, Callable[[], Any]], dict[str, Any]]:
    """Steps of which each segments the next case of a folder by ``inference.json``: in plain float32, and as asked for.

    Both variants go through the same cases in turn, as the inference lists them. No result is written. The second has
    seen each case once before, so that all can be read and engines are there for every size.

    Args:
        bundle: folder of the bundle.
        dataset_dir: what the inference takes: a folder of pictures or patients, or one of them.
        device: where the network runs.
        rounds: calls of each step that will come; so many cases are enough.
        amp: precision that is compared with float32, as in the bundle's knob.
        engine: likewise.
        checkpoint: weights; by default those that ``inference.json`` names.
        overlays: configurations that are laid over it in this order: files, or names of the bundle's.

    Returns:
        The steps by name, and for the result ``cases``, their number, with how far on the first of them the second
        variant is from float32.

    Raises:
        UserError: an option is wrong, there is no case, or one cannot be read.
    """
    if dataset_dir is None:
        raise UserError("dataset_dir: the mode case reads whole cases; name a folder of pictures or patients")
    options = {"dataset_dir": str(dataset_dir), "device": device}
    if checkpoint is not None:
        options["checkpoint"] = str(checkpoint)
    plain = _evaluator(bundle, overlays, options | {"amp": False, "engine": "eager"})
    plain.network.to(memory_format=torch.contiguous_format)
    exact = _Cases(plain, rounds)
    fast = _Cases(_evaluator(bundle, overlays, options | {"amp": amp, "engine": engine}), rounds)
    # In 0 and 1 the logit is infinite, of which the probability is compared; beyond them only rounding lies.
    logits = (torch.as_tensor(each.segment(0)["probability"])[None].logit(eps=0) for each in (exact, fast))
    found = {"cases": len(fast.loaders)} | compared(*logits)
    for number in range(1, len(fast.loaders)):
        fast.segment(number)
    return {BASELINE: exact, name_of(amp, engine): fast}, found


class _Cases:
    """Segments cases; each call takes the next.

    Args:
        evaluator: of the bundle; its own loader names the cases.
        most: cases, of which the first are taken.
    """

    def __init__(self, evaluator: SupervisedEvaluator, most: int) -> None:
        loader: Any = evaluator.data_loader
        self.evaluator, dataset = evaluator, loader.dataset
        evaluator.state.epoch_length = 1
        evaluator.logger = logging.Logger("bench", logging.CRITICAL)  # Ignite would tell each error twice besides
        self.loaders = [DataLoader(Subset(dataset, [n]), batch_size=1) for n in range(min(most, len(dataset)))]
        self.turn = cycle(range(len(self.loaders)))

    def __call__(self) -> dict[str, Any]:
        return self.segment(next(self.turn))

    def segment(self, number: int) -> dict[str, Any]:
        """Read, prepare and segment a case; the evaluator does not keep what it gave, which would count as memory."""
        state = self.evaluator.state
        self.evaluator.data_loader = self.loaders[number]
        self.evaluator.run()
        (item,), (output,) = state.batch, state.output
        state.batch, state.output = [], []
        if item["error"]:
            raise UserError(f"dataset_dir: {item['error']}")
        return output


def _evaluator(bundle: str | Path, overlays: Sequence[str], options: Mapping[str, Any]) -> Any:
    """The evaluator of ``inference.json`` with its weights, and without handlers, which write."""
    parser = read_bundle(bundle, "inference.json", overlays)
    if "checkpoints" in parser and ("checkpoint" in options or not parser["checkpoints"]):
        example = '{"checkpoints": ["a.pt", "b.pt"]}'
        raise UserError(f"checkpoint: this overlay takes several; lay a file with {example} over it, and name no other")
    for name, value in {**options, "skip_existing": False, "evaluator::val_handlers": []}.items():
        parser[name] = value
    run_entries(parser, PREPARING)
    return content_of(parser, "evaluator")
