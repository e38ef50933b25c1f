"""From a training run to the weights that a bundle ships, with the figures that belong to exactly these weights."""

from __future__ import annotations

import json
import math
import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from monai.bundle import ConfigParser

from ..atomic import atomic_write_json, atomic_write_text, part_name, remove_parts
from ..atomic_save import atomic_save
from ..errors import UserError
from ..networks import definition_of
from ..runs import Weights, describe, load_networks
from ..runs.origin import WORKPLACE
from ..staged import JOURNAL, complete_release, replace_together
from .calibrate import read_calibration
from .card import read_card
from .knob import set_knob
from .trained_run import TrainedRun, evaluate_run, read_run, refuse_learned

__all__ = ["half_precision", "release_run"]

LARGEST_MB = 25.0
TRAINED_FOR = (
    "channels",
    "num_classes",
    "spacing",
    "patch_size",
    "min_area",
)  # knobs of a run that its weights are used with
UNCALIBRATED = 0.5  # threshold of weights that nobody has chosen one for
VERSION = re.compile(r"(\d+)\.(\d+)\.\d+")
PROSE = "docs/README.md, docs/data_license.txt and the texts in configs/metadata.json"


def half_precision(network: torch.nn.Module) -> dict[str, torch.Tensor]:
    """State dict of ``network`` with its parameters in half precision.

    Buffers, such as the running mean and variance of batch norm, keep float32: a variance may lie beyond what half
    precision holds.

    Args:
        network: the trained network.

    Returns:
        Names and tensors on the CPU.

    Raises:
        UserError: a weight is not finite, or too large for half precision.
    """
    parameters = dict(network.named_parameters())
    state = {}
    for name, value in network.state_dict().items():
        tensor = value.detach().cpu().contiguous()
        state[name] = tensor.half() if name in parameters else tensor
        if not torch.isfinite(state[name]).all():
            raise UserError(f"release: {name} holds a value that half precision does not; train anew, or --amp False")
    return state


def release_run(
    run: str | Path, results: str | Path = "results", version: str | None = None, max_mb: float = LARGEST_MB
) -> str:
    """Make the weights of ``run`` those of its bundle.

    Writes ``models/model.pt`` in half precision, evaluates exactly that file with the bundle's ``evaluate.json`` on the
    fold that the run held out, and writes what came out to ``results/<bundle>/shipped``, to ``metadata.json`` (figures,
    version, changelog) and between the marks of the model card ``docs/README.md``, see ``Card``. The file tells the
    network of the run and its knobs, and its threshold, with the curve if it has been calibrated; ``train.json`` and
    ``inference.json`` follow where they say something else, and nothing else in them changes. All of it becomes new
    together: what a process that is killed has left to do, the next start with the bundle does.

    Args:
        run: folder of a finished training.
        results: folder of the committed figures.
        version: of the bundle; by default the second number of its version is raised by one.
        max_mb: size that the file may have, in megabytes.

    Returns:
        Lines that say what was written.

    Raises:
        UserError: the version is none, the run is not finished or not the bundle's, it has learned from what would be
            scored, nothing tells where its threshold comes from, its calibration is of other weights, the
            weights are too large, the evaluation failed, or the card names a figure that it has not.
    """
    trained = read_run(run)
    run, _, config, bundle = trained
    _tidy(bundle, Path(results) / bundle.resolve().name)
    configs = bundle / "configs"
    metadata_file, card_file = configs / "metadata.json", bundle / "docs" / "README.md"
    metadata = json.loads(metadata_file.read_text(encoding="utf-8"))
    card = read_card(card_file.read_text(encoding="utf-8"), str(card_file))
    if version is not None and not VERSION.fullmatch(version):
        raise UserError(f"version: {version!r} is not of the form 1.2.3; name one that is")
    version = version or _next_version(metadata["version"])
    network, facts = _network_and_facts(trained)
    changed = _changed_configs(configs, network, facts)
    name = bundle.resolve().name  # of an unpacked bundle the folder is `.`
    shipped = Path(results) / name / "shipped"
    split = "fold" if config["fold"] >= 0 else "validation"
    refuse_learned(trained, split, "hold a fold out in training (--fold 0), or leave the bundle's weights as they are")

    with tempfile.TemporaryDirectory(dir=run, prefix=WORKPLACE) as workplace:
        model, scores = Path(workplace) / "model.pt", Path(workplace) / "scores"
        atomic_save(model, describe(network, half_precision(network), facts))
        if (size := model.stat().st_size / 1e6) > max_mb:
            raise UserError(
                f"release: {run}/model.pt takes {size:.1f} MB in half precision, more than {max_mb:g}; train a "
                f"narrower network, or allow it by --max_mb {math.ceil(size)}"
            )
        options = {"split": split, "checkpoint": model}
        folder = evaluate_run(trained, [configs / "train.json", configs / "evaluate.json"], scores, options)
        summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
        summary["checkpoint"] = f"{name}/models/model.pt, version {version}"
        figures = card.figures(summary)
        told = ", ".join(f"{figure} {value:.3f}" for figure, value in figures.items())
        held_out = f"fold {config['fold']} held out" if config["fold"] >= 0 else "no fold held out"
        changelog = {version: f"weights trained with {held_out}: {told}"} | {
            earlier: text for earlier, text in metadata.get("changelog", {}).items() if earlier != version
        }
        if "channels" in facts:
            metadata["network_data_format"]["inputs"]["image"]["num_channels"] = facts["channels"]
        metadata |= {"version": version, "eval_metrics": figures, "changelog": changelog}
        targets = (shipped, bundle / "models" / "model.pt", *changed, metadata_file, card_file)
        new = {target: target.with_name(part_name(target.suffix)) for target in targets}
        try:
            _keep(new[shipped], trained, folder, summary)
            shutil.copy(model, new[bundle / "models" / "model.pt"])
            for file, text in changed.items():
                atomic_write_text(new[file], text)
            atomic_write_json(new[metadata_file], metadata, indent=2)
            atomic_write_text(new[card_file], card.filled(summary))
            replace_together(bundle, new)
        except OSError:  # such as of a full disk
            for part in () if (bundle / JOURNAL).exists() else new.values():
                shutil.rmtree(part) if part.is_dir() else part.unlink(missing_ok=True)
            raise
    lines = [f"{bundle}/models/model.pt  {size:.1f} MB, version {version}", told, str(shipped)]
    if changed:
        lines.append(f"network and knobs as of the run in {' and '.join(str(file) for file in changed)}")
    lines.append(f"evaluated with {configs}/train.json and evaluate.json, --fold {config['fold']} --split {split}")
    lines.append(f"left as they were, and now yours to look over: {PROSE}")
    return "\n".join(lines)


def _tidy(bundle: Path, results: Path) -> None:
    """Complete a release that was killed, or delete what it left before it was certain; make room for weights."""
    complete_release(bundle)
    (bundle / "models").mkdir(exist_ok=True)
    for folder in (bundle, results):
        remove_parts(folder)


def _asked_threshold(run: TrainedRun, configs: Path) -> float:
    """That of the run's own command line; what stands in its configuration may be of weights released before."""
    asked: float = run.config.get("threshold", UNCALIBRATED)
    if re.search(r"(?<!\S)--?threshold[= ]", run.record["starts"][0]["command"]):
        return asked
    of_before = json.loads((configs / "train.json").read_text(encoding="utf-8")).get("threshold")
    if asked not in (UNCALIBRATED, of_before):  # of a file of arguments or an overlay
        raise UserError(
            f"release: {run.folder} was trained with a threshold of {asked}, which its command line does not have; run "
            f"`python -m shared calibrate {run.folder}`, or train with --threshold {asked}"
        )
    return UNCALIBRATED


def _keep(target: Path, run: TrainedRun, scores: Path, summary: Mapping[str, Any]) -> None:
    """Bring together in a new folder what is worth keeping of a training and of the evaluation in ``scores``."""
    workplace = scores.parents[1]
    target.mkdir(parents=True)
    atomic_write_json(target / "summary.json", summary)
    for source in (scores / "metrics.csv", run.folder / "curves.csv"):
        shutil.copy(source, target / source.name)
    if (run.folder / "calibration").is_dir():
        shutil.copytree(run.folder / "calibration", target / "calibration")
    evaluation = json.loads((scores / "run.json").read_text(encoding="utf-8"))
    for start in evaluation["starts"]:  # as a reader would repeat it
        own = start["command"].replace(str(workplace / "model.pt"), str(run.bundle / "models" / "model.pt"))
        start["command"] = own.replace(str(workplace / "scores"), "SCORES")
    for start in [*run.record["starts"], *evaluation["starts"]]:
        start.pop("working_directory", None)  # the place on somebody's disk is nobody else's concern
    atomic_write_json(target / "run.json", {"training": run.record, "evaluation": evaluation | {"config": None}})


def _changed_configs(configs: Path, network: torch.nn.Module, facts: Mapping[str, Any]) -> dict[Path, str]:
    """Text of those of the bundle's two complete configurations that do not say what ``network`` is and is used with.

    What reads a configuration without weights, such as a training that begins with them, needs it there.
    """
    changed, used = {}, json.loads((configs / "inference.json").read_text(encoding="utf-8"))
    for file in (configs / "train.json", configs / "inference.json"):
        text = before = file.read_text(encoding="utf-8")
        content = json.loads(text)
        for name in facts.keys() & used.keys():
            if name in content and not str(content[name]).startswith("$@weights"):
                text = set_knob(text, name, facts[name])
        definition = definition_of(network)
        if definition is not None and definition != definition_of(_network_of(text)):
            name = definition.pop("network")
            package = content["network_def"]["_target_"].rpartition(".")[0]
            text = set_knob(text, "network_def", {"_target_": f"{package}.{name}", **definition})
        if text != before:
            changed[file] = text
    return changed


def _network_of(configuration: str) -> torch.nn.Module:
    network: torch.nn.Module = ConfigParser(json.loads(configuration)).get_parsed_content("network_def")
    return network


def _network_and_facts(run: TrainedRun) -> tuple[torch.nn.Module, dict[str, Any]]:
    """The network of a run, and what is known of its use: the knobs of a run whose weights tell nothing."""
    inference = (run.bundle / "configs" / "inference.json").read_text(encoding="utf-8")
    recipe = json.loads(inference)["weights"]["recipe"]  # weights of another have overlays of their own
    weights, config = Weights(run.folder / "model.pt", recipe), run.config
    (network,), (description,) = load_networks(weights, _network_of(inference)), weights.descriptions
    facts = {name: value for name, value in description.items() if name != "definition"}
    facts = facts or {"recipe": recipe} | {name: config[name] for name in TRAINED_FOR if name in config}
    calibrated = read_calibration(run)
    if "threshold" in config:
        facts["threshold"] = _asked_threshold(run, run.bundle / "configs") if calibrated is None else calibrated
    return network, facts


def _next_version(version: str) -> str:
    """
    >>> _next_version("0.1.3")
    '0.2.0'
    """
    numbers = VERSION.fullmatch(version)
    if not numbers:
        raise UserError(f"release: the bundle's version {version!r} is not of the form 1.2.3; give --version")
    return f"{numbers[1]}.{int(numbers[2]) + 1}.0"
