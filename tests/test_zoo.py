"""What the MONAI model zoo and the tools that load its bundles ask of each bundle."""

import ast
import csv
import json
import logging
import logging.handlers
import re
import sys
from configparser import RawConfigParser
from importlib.metadata import packages_distributions

import jsonschema
import pytest
import torch
from monai.bundle import ConfigParser, ConfigWorkflow, verify_net_in_out
from monai.bundle.properties import InferProperties, MetaProperties, TrainProperties
from monai.utils import BundleProperty, BundlePropertyConfig
from running import DATA, ROOT

from shared.errors import UserError, user_error_behind
from shared.runs.record import sha256_of

BUNDLES = sorted(folder.name for folder in (ROOT / "bundles").iterdir())
LARGEST = 25 * 2**20  # bytes; the zoo keeps larger files elsewhere

TEXT, OBJECT = {"type": "string", "minLength": 1}, {"type": "object", "minProperties": 1}
TENSOR = {
    "type": "object",
    "required": [
        "type",
        "format",
        "num_channels",
        "spatial_shape",
        "dtype",
        "value_range",
        "is_patch_data",
        "channel_def",
    ],
    "properties": {
        "type": TEXT,
        "format": TEXT,
        "dtype": TEXT,
        "modality": TEXT,
        "num_channels": {"type": "integer", "minimum": 1},
        "spatial_shape": {"type": "array", "items": {"type": ["integer", "string"]}},
        "value_range": {"type": "array", "items": {"type": "number"}},
        "is_patch_data": {"type": "boolean"},
        "channel_def": OBJECT,
    },
}
TEXTS = """
    schema version monai_version pytorch_version numpy_version name task description authors copyright data_source
    data_type image_classes label_classes pred_classes intended_use
""".split()
METADATA = {
    "type": "object",
    "required": [*TEXTS, "changelog", "required_packages_version", "network_data_format", "references", "eval_metrics"],
    "properties": {
        **dict.fromkeys(TEXTS, TEXT),
        "changelog": {**OBJECT, "additionalProperties": TEXT},
        "required_packages_version": {**OBJECT, "additionalProperties": TEXT},
        "eval_metrics": {"type": "object", "additionalProperties": {"type": "number"}},
        "references": {"type": "array", "minItems": 1, "items": TEXT},
        "network_data_format": {
            "type": "object",
            "required": ["inputs", "outputs"],
            "properties": {
                "inputs": {
                    "type": "object",
                    "required": ["image"],
                    "additionalProperties": {**TENSOR, "required": [*TENSOR["required"], "modality"]},
                },
                "outputs": {"type": "object", "required": ["pred"], "additionalProperties": TENSOR},
            },
        },
    },
}


@pytest.fixture(params=BUNDLES)
def bundle(request):
    return ROOT / "bundles" / request.param


def read(bundle, *names):
    parser = ConfigParser()
    parser.read_config([str(bundle / "configs" / f"{name}.json") for name in names])
    parser.read_meta(str(bundle / "configs" / "metadata.json"))
    return parser


def test_the_metadata_keep_the_published_rules(bundle):
    metadata = json.loads((bundle / "configs" / "metadata.json").read_text())
    jsonschema.validate(metadata, METADATA)
    assert metadata["version"] == next(iter(metadata["changelog"]))  # the newest stands first
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in metadata["changelog"])
    for tensors in metadata["network_data_format"].values():
        for tensor in tensors.values():
            assert sorted(tensor["channel_def"]) == [str(number) for number in range(tensor["num_channels"])]


def test_the_versions_are_those_of_the_requirements(bundle):
    pins = dict(re.findall(r"^([a-z-]+)==(\S+)$", (ROOT / "requirements.txt").read_text(), flags=re.MULTILINE))
    metadata = json.loads((bundle / "configs" / "metadata.json").read_text())
    assert metadata["monai_version"] == pins["monai"]
    assert metadata["pytorch_version"] == pins["torch"]
    assert metadata["numpy_version"] == pins["numpy"]
    needed = metadata["required_packages_version"]
    assert needed == {name: pins[name] for name in needed}


def test_the_packages_that_the_code_imports_are_named(bundle):
    """All of it: a bundle carries the whole package, which is imported room by room."""
    trees = [ast.parse(file.read_text()) for file in (ROOT / "shared").rglob("*.py")]
    statements = [node for tree in trees for node in tree.body]  # what a function imports is for its own command
    names = {alias.name for node in statements if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in statements if isinstance(node, ast.ImportFrom) and node.level == 0}
    modules = {name.partition(".")[0] for name in names} - sys.stdlib_module_names - {"monai", "torch", "numpy"}
    needed = json.loads((bundle / "configs" / "metadata.json").read_text())["required_packages_version"]
    assert "tifffile" in modules
    assert {name for module in modules for name in packages_distributions()[module]} <= needed.keys()


def test_a_prediction_of_logits_has_no_range(bundle):
    pred = json.loads((bundle / "configs" / "metadata.json").read_text())["network_data_format"]["outputs"]["pred"]
    assert pred["value_range"] == []  # the specification's word for one that is not known


def test_the_figures_published_are_of_the_weights_shipped(bundle):
    record = json.loads((ROOT / "results" / bundle.name / "shipped" / "run.json").read_text())
    assert record["evaluation"].get("checkpoint_sha256") == sha256_of(bundle / "models" / "model.pt")


def test_the_tables_of_the_results_are_tables():
    for file in (ROOT / "results").rglob("*.csv"):
        with file.open(newline="") as rows:
            assert len({len(row) for row in csv.reader(rows)}) == 1, file


def test_the_files_are_those_that_the_zoo_expects(bundle):
    for name in ("LICENSE", "docs/README.md", "docs/data_license.txt", "configs/inference.json", "models/model.pt"):
        assert (bundle / name).stat().st_size, name
    for file in bundle.rglob("*"):
        assert file.is_dir() or file.stat().st_size <= LARGEST, file
    assert not [file for file in bundle.rglob("*") if file.suffix in (".py", ".pyc")]
    for file in bundle.glob("configs/*"):
        assert not re.search(r"/home/|/Users/|/root/|[A-Z]:\\", file.read_text()), file


def test_the_logging_is_made_of_the_standard_library_alone(bundle):
    settings = RawConfigParser()
    settings.read(bundle / "configs" / "logging.conf")
    assert {"loggers", "handlers", "formatters"} <= set(settings.sections())
    for section in settings.sections():
        if name := settings.get(section, "class", fallback=None):
            room = logging.handlers if name.startswith(("handlers.", "logging.handlers.")) else logging
            kind = getattr(room, name.rpartition(".")[2])
            assert issubclass(kind, logging.Handler | logging.Formatter), name


def test_every_configuration_is_run_by_a_test(bundle):
    text = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py") if bundle.name in path.read_text())
    for path in bundle.glob("configs/*.json"):
        assert f'"{path.stem}"' in text or path.stem == "metadata", path.name


@pytest.mark.parametrize("overlay", [(), ("ensemble",)])
def test_an_evaluation_tells_what_it_scores_and_with_what(bundle, overlay):
    _, load, *_, record = read(bundle, "train", "evaluate", *overlay)["begin"]
    assert load["scored"] == {"dataset_dir": "@dataset_dir", "split": "@split", "fold": "@fold"}
    assert (record["_target_"], record["checkpoint"]) == ("shared.runs.record_run", "@checkpoint")


@pytest.mark.parametrize(
    ("configs", "properties"),
    [
        (["inference"], InferProperties),
        (["train"], TrainProperties),
        (["train", "evaluate"], TrainProperties),
        (["train", "multi_gpu_train"], TrainProperties),
    ],
    ids="+".join,
)
def test_every_property_that_monai_asks_for_is_there_by_its_name(bundle, configs, properties):
    parser = read(bundle, *configs)
    asked = {**MetaProperties, **properties}
    needed = [facts[BundlePropertyConfig.ID] for facts in asked.values() if facts[BundleProperty.REQUIRED]]
    assert len(needed) > 5
    assert [name for name in needed if name not in parser] == []
    assert "run" in parser


def test_the_networks_are_the_same_and_fit_metadata_and_weights(bundle):
    inference = read(bundle, "inference")
    networks = [read(bundle, name).get_parsed_content("network_def") for name in ("train", "inference")]
    assert str(networks[0]) == str(networks[1])
    verify_net_in_out(
        net_id="network_def",
        meta_file=str(bundle / "configs" / "metadata.json"),
        config_file=str(bundle / "configs" / "inference.json"),
        device="cpu",
        bundle_root=str(bundle),
    )
    weights = torch.load(bundle / "models" / "model.pt", weights_only=True)
    assert inference.get_parsed_content("network_def").load_state_dict(weights, strict=True)
    assert all(torch.isfinite(value).all() for value in weights.values())


@pytest.mark.parametrize("configs", [["inference"], ["train"], ["train", "evaluate"]], ids="+".join)
def test_the_workflows_have_all_properties_once_they_are_built(bundle, configs, tmp_path, request):
    prepared = request.getfixturevalue(DATA[bundle.name])
    workflow = ConfigWorkflow(
        config_file=[str(bundle / "configs" / f"{name}.json") for name in configs],
        workflow_type="infer" if configs == ["inference"] else "train",
        meta_file=str(bundle / "configs" / "metadata.json"),
        logging_file=False,
        bundle_root=str(bundle),
        dataset_dir=str(prepared.parent / "raw" if configs == ["inference"] else prepared),
        output_dir=str(tmp_path / "run"),
        device="cpu",
    )
    workflow.initialize()
    assert workflow.check_properties() == []


def test_cases_that_were_learned_from_are_not_called_validation(bundle):
    """Of recipes that set no case aside to choose the checkpoint."""
    recipes = [p.stem for p in bundle.glob("configs/*.json") if '"train::cases::part": "others"' in p.read_text()]
    assert "reference" in recipes
    for recipe in recipes:
        for fold, part in ((0, "fold"), (-1, "others")):
            parser = read(bundle, "train", recipe)
            parser["fold"] = fold
            assert parser.get_parsed_content("evaluate::part") == part


def test_a_seed_that_is_none_is_a_mistake_of_one_line(bundle):
    configs, metadata = (str(bundle / "configs" / f"{name}.json") for name in ("train", "metadata"))
    workflow = ConfigWorkflow(configs, meta_file=metadata, logging_file=False, workflow_type="train", seed="abc")
    workflow.initialize()  # at which a packed bundle's own code cannot be imported yet
    with pytest.raises((RuntimeError, UserError)) as raised:
        workflow.parser.get_parsed_content("begin::0")
    assert "seed: 'abc' will not do" in str(user_error_behind(raised.value))
