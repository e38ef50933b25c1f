"""No file of a data set, of weights or of a cache runs code when it is read."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from running import ROOT

from shared.deploy.nested_unet import release_nested_unet
from shared.errors import UserError
from shared.runs import Weights, load_checkpoint, load_pretrained

UNSAFE = {"pickle", "dill", "joblib", "marshal", "shelve", "cloudpickle"}
NAMES = r"\b(PersistentDataset|CacheNTransDataset|LMDBDataset|CheckpointLoader|NumpyReader|load_net_with_metadata)\b"


class Payload:
    """What pickle makes of it runs code."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.trace,)


@pytest.mark.parametrize(
    "read",
    [
        lambda file: load_checkpoint(file, torch.nn.Linear(1, 1)),
        lambda file: load_pretrained(file, torch.nn.Linear(1, 1)),
        lambda file: Weights(file, "a/inference"),
        lambda file: release_nested_unet(file, file.with_name("new.pt")),
    ],
)
def test_weights_run_nothing(tmp_path: Path, read: Callable[[Path], object]) -> None:
    file, trace = tmp_path / "model.pt", tmp_path / "trace"
    for content in (
        Payload(trace),
        {"weight": Payload(trace)},
        {"model": {"weight": torch.ones(1)}, "x": Payload(trace)},
    ):
        torch.save(content, file)
        with pytest.raises(UserError, match="model.pt"):
            read(file)
    assert not trace.exists()
    torch.load(file, weights_only=False)
    assert trace.exists()


def test_nothing_in_the_package_reads_pickles() -> None:
    for file in sorted((ROOT / "shared").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [name.name for name in node.names]
                assert UNSAFE.isdisjoint(name.partition(".")[0] for name in names), file
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("torch.load", "np.load", "numpy.load"):
                words = {word.arg: ast.unparse(word.value) for word in node.keywords}
                assert words.get("weights_only") == "True", f"{file}:{node.lineno}"


def test_no_configuration_asks_for_a_component_that_does() -> None:
    for file in sorted((ROOT / "bundles").rglob("configs/*.json")):
        assert not re.search(NAMES, json.dumps(json.loads(file.read_text(encoding="utf-8")))), file
