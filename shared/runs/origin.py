"""How weights were trained, as far as that is known, and whether they may be used as asked."""

from __future__ import annotations

import json
import logging
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..errors import UserError
from .record import read_record, sha256_of

__all__ = ["WORKPLACE", "check_origin"]

HELD_OUT = ("fold", "validation")  # parts of a data set from which a training with the same fold may not have learned
WORKPLACE = "release_"  # begins the name of the folder that ``release`` makes in a run


def check_origin(option: str, weights: Path, knobs: Mapping[str, Any], scored: Mapping[str, Any] | None = None) -> None:
    """Refuse weights whose training forbids what is asked of them, and log what of it is not known.

    A training tells of itself in the ``run.json`` beside its weights or above its ``checkpoints``.

    Args:
        option: what named the weights, for messages.
        weights: their file.
        knobs: those that must be what they were in training: with others the network would see what it has not
            learned from.
        scored: of an evaluation the ``dataset_dir``, ``split`` and ``fold``; None if nothing is scored.

    Raises:
        UserError: a knob was another in training, or the network has learned from what would be scored.
    """
    record = _record_of(weights)
    known, assumed = record.get("config") or {}, []
    for name, value in json.loads(json.dumps(dict(knobs))).items():  # as it is recorded
        if name not in known:
            assumed.append(f"{name} {value}")
        elif (was := known[name]) != value:
            remedy = f"give --{name} {shlex.quote(json.dumps(was))}, or weights that were trained with {value}"
            raise UserError(f"{option}: {weights} was trained with {name} {was}, not {value}; {remedy}")
    if scored is not None and (split := scored["split"]) in HELD_OUT:
        data, fold = scored["dataset_dir"], scored["fold"]
        if "fold" not in known or not _is_of(record, Path(data)):
            assumed.append(f"{f'fold {fold}' if split == 'fold' else 'the validation cases'} of {data} held out")
        elif (was := known["fold"]) != fold:
            held_out, remedy = (f"fold {was}", "") if was != -1 else ("no fold", " --split validation")
            raise UserError(
                f"{option}: {weights} was trained with {held_out} held out and has learned from what is scored with "
                f"--fold {fold}; give --fold {was}{remedy}, or --split test if the data have one"
            )
        else:
            assumed += _doubts(known, split)
    if assumed:
        message = "%s: it is not known, only assumed, that %s was trained with %s"
        logging.getLogger(__name__).warning(message, option, weights, " and ".join(assumed))


def _doubts(known: Mapping[str, Any], split: str) -> Iterator[str]:
    """What a training with the same fold may have seen all the same."""
    train = known.get("train")
    cases = train.get("cases") if isinstance(train, dict) else None
    if split == "validation" and not (isinstance(cases, dict) and cases.get("part") == "training"):
        yield "the validation cases held out, for its recipe chose its cases by itself"
    if known.get("pretrained"):
        yield f"weights to begin with ({known['pretrained']}) that held out the same"


def _record_of(weights: Path) -> dict[str, Any]:
    """What ``run.json`` tells of the training, empty if there is none that can be read."""
    folder = weights.absolute().parent
    above = folder.parent
    is_part = folder.name == "checkpoints" or folder.name.startswith(WORKPLACE)
    file = (above if is_part else folder) / "run.json"
    try:
        return read_record(file) if file.is_file() else {}
    except UserError:  # of another program, or damaged
        return {}


def _is_of(record: Mapping[str, Any], dataset_dir: Path) -> bool:
    """Whether the training had these data; in others a fold of the same number holds other cases."""
    datalist = dataset_dir / "datalist.json"
    return datalist.is_file() and record.get("data", {}).get("datalist_sha256") == sha256_of(datalist)
