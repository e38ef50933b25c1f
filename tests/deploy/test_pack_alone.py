"""Packed bundles where the project, and what it can do without, are not installed."""

import json
import os
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from packing import BUNDLES, package_of
from PIL import Image
from running import FEATURES, run_python

pytestmark = pytest.mark.slow

# Run with -c in front of a test's own lines: Python as if the packages named first had never been installed.
WITHOUT = """
import importlib.machinery, importlib.util, runpy, sys

missing = sys.argv.pop(1).split(",")

class Without(importlib.machinery.PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.partition(".")[0] in missing else super().find_spec(name, path, target)

sys.meta_path[:] = [importlib.machinery.BuiltinImporter, importlib.machinery.FrozenImporter, Without]
assert not any(importlib.util.find_spec(name) for name in missing)
words = sys.argv[1:]

def bundle(*words):
    sys.argv = ["", *words]
    runpy.run_module("monai.bundle", run_name="__main__", alter_sys=True)

"""
OPTIONAL = "shared,itk,openvino,onnx,onnxruntime,onnxscript"


def run_without(packages, script, folder, *words):
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return run_python(folder, "-c", WITHOUT + script, packages, *words, env=environment, fresh=True)


TINY = {
    "unet_dsb": {"network_def::features": FEATURES, "batch_size": 4, "patch_size": [96, 96]},
    "unet_industrial": {"network_def::features": FEATURES, "batch_size": 4, "patch_size": [96, 96]},
    "unet3d_brats": {"network_def::features": [4, 4, 8], "patch_size": [32, 32, 32]},
}


def test_they_train_evaluate_and_segment_where_the_project_is_not(packed, nuclei, defects, heads, tmp_path):
    """From a folder that is neither theirs nor the project's; all in one process, where none takes another's code."""
    (tmp_path / "pictures").mkdir()
    pixels = np.random.default_rng(0).integers(0, 255, (37, 50), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "pictures" / "a.png")
    (head, *_) = sorted((heads.parent / "raw").glob("*/*"))
    places = {
        "unet_dsb": (nuclei, "pictures"),
        "unet_industrial": (defects, "pictures"),
        "unet3d_brats": (heads, head),
    }
    script = """
import json

root, places, tiny = words[0], json.loads(words[1]), json.loads(words[2])
for name, (data, source) in places.items():
    def run(*words, output, configs):
        files = str([f"{root}/{name}/configs/{config}.json" for config in configs])
        place = ["--bundle_root", f"{root}/{name}", "--output_dir", f"{output}_{name}", "--device", "cpu"]
        bundle("run", *words, "--config_file", files, *place)

    small = [word for knob, value in tiny[name].items() for word in (f"--{knob}", str(value))]
    small += ["--dataset_dir", data]
    run("training", *small, "--epochs", "1", output="run", configs=["train"])
    run(*small, "--checkpoint", f"run_{name}/model.pt", output="scores", configs=["train", "evaluate"])
    run("--dataset_dir", source, output="found", configs=["inference"])
print(*{module.__file__ for name, module in sys.modules.items() if "_shared_" in name}, sep="\\n")
"""
    out = run_without(OPTIONAL, script, tmp_path, packed, json.dumps(places, default=str), json.dumps(TINY))
    for name in BUNDLES:
        runs = (f"run_{name}", f"scores_{name}/fold_0")
        trained, evaluated = ((tmp_path / place / "metrics.csv").read_text() for place in runs)
        assert trained == evaluated
        assert trained.count("\n") > 2
    for name in ("unet_dsb", "unet_industrial"):
        with Image.open(tmp_path / f"found_{name}" / "a_seg.png") as found:
            assert found.size == (50, 37)
    (found,) = (tmp_path / "found_unet3d_brats").glob(f"{head.name}_seg.nii.gz")
    assert nib.load(found).shape == (44, 40, 36)
    files = [Path(line) for line in out.splitlines() if line.endswith(".py")]
    for name in BUNDLES:
        assert sum(file.is_relative_to(packed / name / package_of(name)) for file in files) > 20
    assert all(file.is_relative_to(packed) for file in files)


# Batches and sides, others than those exported with; a trace knows one way with the last one of nuclei, which is odd.
SHAPES = {
    "unet_dsb": [(1, 3, 64, 64), (3, 3, 96, 160), (2, 3, 32, 64), (1, 3, 37, 91)],
    "unet_industrial": [(1, 1, 64, 96), (3, 1, 160, 32), (2, 1, 64, 64)],
    "unet3d_brats": [(2, 4, 64, 32, 64), (1, 4, 32, 96, 64)],
}


def test_torchscript_of_the_weights_shipped_needs_neither_monai_nor_this_project(packed, tmp_path):
    """MONAI's own tools, with the unpacked bundle as the working directory."""
    script = """
import json, os
import torch
from monai.bundle import load

root, out, shapes = words
configs = ["--meta_file", "configs/metadata.json", "--config_file", "configs/inference.json"]
for name, sizes in json.loads(shapes).items():
    os.chdir(f"{root}/{name}")
    bundle("verify_net_in_out", "network_def", *configs, "--device", "cpu")
    for kind, trace in (("script", "False"), ("trace", "True")):
        options = ["--filepath", f"{out}/{name}_{kind}.ts", "--ckpt_file", "models/model.pt", "--use_trace", trace]
        bundle("ckpt_export", "network_def", *options, *configs)
    network = load(name, bundle_dir="..", device="cpu").eval()
    pictures = [torch.rand(size) for size in sizes]
    with torch.inference_mode():
        torch.save([(x, network(x)) for x in pictures], f"{out}/{name}.pt")
"""
    run_without(OPTIONAL, script, packed, packed, tmp_path, json.dumps(SHAPES))
    script = """
import torch

assert "monai" not in sys.modules
for name in words:
    expected = torch.load(f"{name}.pt")
    for kind in ("script", "trace"):
        network = torch.jit.load(f"{name}_{kind}.ts")
        whole = [(x, y) for x, y in expected if kind == "script" or all(side % 16 == 0 for side in x.shape[2:])]
        with torch.inference_mode():
            print(name, kind, max((network(x) - y).abs().max().item() for x, y in whole))
"""
    told = [line.split() for line in run_without("monai,shared", script, tmp_path, *SHAPES).splitlines()]
    assert [words[:2] for words in told] == [[name, kind] for name in SHAPES for kind in ("script", "trace")]
    assert all(float(difference) <= 1e-5 for *_, difference in told), told
    assert sorted(SHAPES) == BUNDLES
    for name, sizes in SHAPES.items():
        expected = torch.load(tmp_path / f"{name}.pt")
        assert [(len(y), *y.shape[2:]) for _, y in expected] == [(shape[0], *shape[2:]) for shape in sizes]
        assert expected[0][1].std() > 0.01
