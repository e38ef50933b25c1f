"""From a training run to the weights that a bundle ships, with the figures that belong to exactly these weights."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from monai.bundle import ConfigParser

from ..atomic import atomic_path, atomic_write_text
from ..errors import UserError
from ..runs import load_checkpoint

__all__ = ["half_precision", "release_run"]

LARGEST_MB = 25.0
CARD_BEGIN, CARD_END = "<!-- figures: written by python -m shared release -->", "<!-- end of figures -->"


def half_precision(network: torch.nn.Module) -> dict[str, torch.Tensor]:
    """State dict of ``network`` with its parameters in half precision.

    Buffers, such as the running mean and variance of batch norm, keep float32: a variance may lie beyond what half
    precision holds.

    Args:
        network: the trained network.

    Returns:
        Names and tensors on the CPU.

    Raises:
        ValueError: a weight is not finite, or too large for half precision.
    """
    parameters = dict(network.named_parameters())
    state = {}
    for name, value in network.state_dict().items():
        tensor = value.detach().cpu().contiguous()
        state[name] = tensor.half() if name in parameters else tensor
        if not torch.isfinite(state[name]).all():
            raise ValueError(f"{name} holds a value that half precision does not")
    return state


def release_run(run: str | Path, results: str | Path = "results", version: str | None = None) -> str:
    """Make the weights of ``run`` those of its bundle.

    Writes ``models/model.pt`` in half precision, evaluates exactly that file with the bundle's ``evaluate.json`` on the
    fold that the run held out, and writes what came out to ``results/<bundle>/shipped``, to ``metadata.json`` (figures,
    version, changelog) and between the marks of the model card ``docs/README.md``.

    Args:
        run: folder of a finished training.
        results: folder of the committed figures.
        version: of the bundle; by default the second number of its version is raised by one.

    Returns:
        Lines that say what was written.

    Raises:
        UserError: the run is not finished or not the bundle's, the weights are too large, or the evaluation failed.
    """
    run = Path(run)
    record, bundle = _read_run(run)
    config = record["config"]
    metadata_file, card_file = bundle / "configs" / "metadata.json", bundle / "docs" / "README.md"
    metadata, card = json.loads(metadata_file.read_text(encoding="utf-8")), card_file.read_text(encoding="utf-8")
    if CARD_BEGIN not in card or CARD_END not in card:
        raise UserError(f"{card_file} lacks the lines {CARD_BEGIN!r} and {CARD_END!r}; put them where figures belong")
    version = version or _next_version(metadata["version"])
    shipped = Path(results) / bundle.name / "shipped"

    with tempfile.TemporaryDirectory(dir=run) as workplace:
        model, scores = Path(workplace) / "model.pt", Path(workplace) / "scores"
        torch.save(half_precision(_network(bundle, run / "model.pt", config)), model)
        if (size := model.stat().st_size / 1e6) > LARGEST_MB:
            raise UserError(
                f"release: {run}/model.pt takes {size:.1f} MB in half precision, more than {LARGEST_MB:.0f}"
            )
        command = _evaluate(bundle, config, model, scores)
        folder = next(scores.iterdir())
        summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
        summary["checkpoint"] = f"{bundle.name}/models/model.pt, version {version}"
        shutil.rmtree(shipped, ignore_errors=True)
        shipped.mkdir(parents=True)
        atomic_write_text(shipped / "summary.json", json.dumps(summary, indent=1) + "\n")
        for source, name in ((folder / "metrics.csv", "metrics.csv"), (run / "curves.csv", "curves.csv")):
            shutil.copy(source, shipped / name)
        evaluation = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        both = {"training": record, "evaluation": evaluation | {"config": None}}
        atomic_write_text(shipped / "run.json", json.dumps(both, indent=1) + "\n")
        with atomic_path(bundle / "models" / "model.pt") as temporary:
            shutil.copy(model, temporary)

    figures = {name: value for name, value in summary.items() if isinstance(value, float)}
    told = ", ".join(f"{name} {value:.3f}" for name, value in figures.items())
    metadata |= {"version": version, "eval_metrics": figures}
    metadata["changelog"] = {version: f"weights trained with fold {config['fold']} held out: {told}"} | metadata[
        "changelog"
    ]
    atomic_write_text(metadata_file, json.dumps(metadata, indent=2, ensure_ascii=False) + "\n")
    before, rest = card.split(CARD_BEGIN, 1)
    after = rest.split(CARD_END, 1)[1]
    atomic_write_text(card_file, f"{before}{CARD_BEGIN}\n\n{_table(summary)}\n\n{CARD_END}{after}")
    return f"{bundle}/models/model.pt  {size:.1f} MB, version {version}\n{told}\n{shipped}\n{command}"


def _read_run(run: Path) -> tuple[dict[str, Any], Path]:
    for name in ("run.json", "model.pt", "summary.json"):
        if not (run / name).is_file():
            raise UserError(f"release: {run / name} does not exist; name the folder of a training that has ended")
    record = json.loads((run / "run.json").read_text(encoding="utf-8"))
    config = record.get("config") or {}
    if "bundle_root" not in config or "fold" not in config:
        raise UserError(f"release: {run} was not trained by `python -m monai.bundle run training`")
    bundle = Path(config["bundle_root"])
    if not (bundle / "configs" / "metadata.json").is_file():
        raise UserError(f"release: the run's bundle {bundle} is not here; run this where the training was started")
    return record, bundle


def _network(bundle: Path, checkpoint: Path, config: Mapping[str, Any]) -> torch.nn.Module:
    """The network of the bundle's inference, filled with the run's weights."""
    parser = ConfigParser()
    parser.read_config(bundle / "configs" / "inference.json")
    for knob in ("channels", "num_classes"):
        if knob in config:
            parser[knob] = config[knob]
    network: torch.nn.Module = parser.get_parsed_content("network_def")
    load_checkpoint(checkpoint, network)
    return network


def _evaluate(bundle: Path, config: Mapping[str, Any], model: Path, scores: Path) -> str:
    files = [f"{bundle}/configs/{name}.json" for name in ("train", "evaluate")]
    words = ["-m", "monai.bundle", "run", "--config_file", str(files), "--bundle_root", str(bundle)]
    words += ["--dataset_dir", str(config["dataset_dir"]), "--fold", str(config["fold"])]
    words += ["--split", "fold" if config["fold"] >= 0 else "validation"]
    words += ["--checkpoint", str(model), "--output_dir", str(scores)]
    if subprocess.run([sys.executable, *words], check=False).returncode:
        raise UserError("release: the evaluation of the half-precision weights failed, see above; nothing was changed")
    return f"evaluated with {files[0]} and {Path(files[1]).name}, --fold {config['fold']}"


def _next_version(version: str) -> str:
    """
    >>> _next_version("0.1.3")
    '0.2.0'
    """
    numbers = re.fullmatch(r"(\d+)\.(\d+)\.\d+", version)
    if not numbers:
        raise UserError(f"release: the bundle's version {version!r} is not of the form 1.2.3; give --version")
    return f"{numbers[1]}.{int(numbers[2]) + 1}.0"


def _table(summary: Mapping[str, Any]) -> str:
    """Figures of all pictures and of each type as a table in Markdown."""
    groups: dict[str, Mapping[str, Any]] = {"all": summary}
    for by, found in summary.items():
        if by.startswith("by_"):
            groups |= found
    names = [name for name in summary["undefined"] if not re.fullmatch(r".*_\d+", name)]
    lines = [f"| pictures | number | {' | '.join(names)} |", "|---" * (len(names) + 2) + "|"]
    for group, values in groups.items():
        cells = ["-" if values[name] is None else f"{values[name]:.3f}" for name in names]
        lines.append(f"| {group} | {values['cases']} | {' | '.join(cells)} |")
    return "\n".join(lines)
