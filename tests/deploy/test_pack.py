"""Packed bundles, most of all where the project is not installed."""

import ast
import hashlib
import importlib
import inspect
import json
import os
import re
import runpy
import shutil
import sys
import zipfile
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser
from monai.bundle.utils import load_bundle_config
from PIL import Image
from running import ROOT, run_python

from shared.cli import main
from shared.deploy import pack_bundle
from shared.errors import UserError

BUNDLES = sorted(file.parts[-3] for file in ROOT.glob("bundles/*/models/model.pt"))
NAME = "unet_dsb"

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
    return run_python(folder, "-c", WITHOUT + script, packages, *words, env=environment)


def package_of(name):
    version = json.loads((ROOT / "bundles" / name / "configs" / "metadata.json").read_text())["version"]
    return f"{name}_shared_{version.replace('.', '_')}"


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    """A folder of the archives of all bundles that have weights, each also unpacked."""
    folder = tmp_path_factory.mktemp("packed")
    for name in BUNDLES:
        assert main(["pack", str(ROOT / "bundles" / name), "--output", str(folder)]) == 0
        with zipfile.ZipFile(folder / f"{name}.zip") as archive:
            archive.extractall(folder)
    return folder


def contents(archive):
    with zipfile.ZipFile(archive) as opened:
        return {entry.filename: opened.read(entry) for entry in opened.infolist()}


@pytest.mark.parametrize("name", BUNDLES)
def test_the_archive_is_whole_and_says_so_itself(packed, name):
    found = contents(packed / f"{name}.zip")
    listed = dict(line.split("  ")[::-1] for line in found.pop(f"{name}/SHA256SUMS").decode().splitlines())
    assert listed == {n.removeprefix(f"{name}/"): hashlib.sha256(c).hexdigest() for n, c in found.items()}
    source = {file.relative_to(ROOT / "bundles" / name).as_posix() for file in (ROOT / "bundles" / name).rglob("*.*")}
    code = {
        f"{package_of(name)}/{file.relative_to(ROOT / 'shared').as_posix()}" for file in ROOT.glob("shared/**/*.py")
    }
    assert set(listed) == source | code | {"LICENSE"}
    assert found[f"{name}/LICENSE"] == (ROOT / "LICENSE").read_bytes()
    for same in ("models/model.pt", "docs/data_license.txt"):
        assert found[f"{name}/{same}"] == (ROOT / "bundles" / name / same).read_bytes()
    parser = load_bundle_config(str(packed / f"{name}.zip"), "train.json", "inference.json")
    assert parser["bundle_root"] == "."
    assert parser["network_def::_target_"].startswith(f"{package_of(name)}.networks.")


@pytest.mark.parametrize("name", BUNDLES)
def test_nothing_in_it_means_the_project_s_package(packed, name):
    code, texts = 0, 0
    for path, content in contents(packed / f"{name}.zip").items():
        if path.endswith(".pt"):
            continue
        texts += package_of(name).encode() in content
        assert not re.search(rb"(?<![\w.])shared\.[a-z]\w*|python -m shared\b", content), path
        for node in ast.walk(ast.parse(content)) if path.endswith(".py") else ():
            code += 1
            if isinstance(node, ast.ImportFrom) and node.level == 0:
                assert node.module.partition(".")[0] != "shared", path
            if isinstance(node, ast.Import):
                assert not [alias for alias in node.names if alias.name.partition(".")[0] == "shared"], path
    assert code > 1000
    assert texts > 5


def test_the_same_files_give_the_same_bytes(packed, tmp_path):
    """Whatever their dates, and whatever has been left beside them."""
    bundle = tmp_path / NAME
    shutil.copytree(ROOT / "bundles" / NAME, bundle, copy_function=shutil.copyfile)
    (bundle / "configs" / "__pycache__").mkdir()
    (bundle / "configs" / "__pycache__" / "a.pyc").touch()
    (bundle / "docs" / ".DS_Store").touch()
    (bundle / "runs").mkdir()
    (bundle / "configs" / "train.json").chmod(0o600)
    assert "left out  runs" in pack_bundle(bundle, tmp_path / "dist")
    archive = tmp_path / "dist" / f"{NAME}.zip"
    assert archive.read_bytes() == (packed / f"{NAME}.zip").read_bytes()
    with zipfile.ZipFile(archive) as opened:
        entries = opened.infolist()
    assert [entry.filename for entry in entries] == sorted(entry.filename for entry in entries)
    facts = {(e.date_time, e.external_attr >> 16, e.create_system, e.compress_type) for e in entries}
    assert facts == {((1980, 1, 1, 0, 0, 0), 0o100644, 3, zipfile.ZIP_STORED)}

    before = archive.stat().st_mtime_ns
    pack_bundle(bundle, tmp_path / "dist")
    assert archive.stat().st_mtime_ns == before
    (bundle / "docs" / "README.md").write_text("changed")
    with pytest.raises(UserError, match="unet_dsb.zip exists and is another; give --overwrite"):
        pack_bundle(bundle, tmp_path / "dist")
    pack_bundle(bundle, tmp_path / "dist", overwrite=True)
    assert contents(archive)[f"{NAME}/docs/README.md"] == b"changed"


def test_a_bundle_that_is_not_complete_is_refused(tmp_path):
    bundle = tmp_path / NAME
    shutil.copytree(ROOT / "bundles" / NAME, bundle, ignore=shutil.ignore_patterns("models", "data_license.txt"))
    with pytest.raises(UserError, match=r"output: a\.zip is to be a folder; the archive in it will be unet_dsb\.zip"):
        pack_bundle(bundle, "a.zip")
    with pytest.raises(UserError, match="unet_dsb has no docs/data_license.txt, models/model.pt; name a bundle"):
        pack_bundle(bundle)
    for missing in ("docs/data_license.txt", "models/model.pt"):
        (bundle / missing).parent.mkdir(exist_ok=True)
        (bundle / missing).touch()
    (bundle / "configs" / "tta.json").write_text("{,}")
    with pytest.raises(UserError, match=r"configs/tta.json: no valid JSON \(.*\); mend the file"):
        pack_bundle(bundle, tmp_path / "dist")
    (bundle / "configs" / "metadata.json").write_text("{}")
    with pytest.raises(UserError, match="metadata.json is no JSON with a version"):
        pack_bundle(bundle, tmp_path / "dist")
    shutil.copytree(ROOT / "bundles" / NAME, tmp_path / "3d")
    with pytest.raises(UserError, match="its code would be called 3d_shared_.*, which Python cannot import; rename 3d"):
        pack_bundle(tmp_path / "3d", tmp_path / "dist")
    assert not (tmp_path / "dist").exists()


@pytest.fixture
def importable(packed, monkeypatch):
    """Both packed bundles beside the installed project."""
    for name in BUNDLES:
        monkeypatch.syspath_prepend(packed / name)
    yield
    for module in [module for module in sys.modules if module.startswith(tuple(map(package_of, BUNDLES)))]:
        del sys.modules[module]


@pytest.mark.usefixtures("importable")
def test_packed_bundles_and_the_project_run_their_own_code_in_one_process(packed):
    files = {}
    for place in [ROOT / "bundles" / NAME, *(packed / name for name in BUNDLES)]:
        parser = ConfigParser(json.loads((place / "configs" / "inference.json").read_text()))
        files[place] = Path(inspect.getfile(type(parser.get_parsed_content("network_def"))))
    assert [file.parents[1] for file in files.values()] == [
        ROOT / "shared",
        *(packed / name / package_of(name) for name in BUNDLES),
    ]


@pytest.mark.usefixtures("importable")
def test_its_commands_go_by_its_own_name_and_pack_it_again(packed, tmp_path, capsys, monkeypatch):
    package = package_of(NAME)
    monkeypatch.setattr(sys, "argv", ["", "prepare", "--help"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_module(package, run_name="__main__", alter_sys=True)
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: python -m {package} prepare DATA_SET")
    datasets, deploy = (importlib.import_module(f"{package}.{room}") for room in ("datasets", "deploy"))
    with pytest.raises(ValueError, match=f"make one with `python -m {package} prepare`"):
        datasets.select_cases(str(tmp_path), "training", 0)
    assert "left out" not in deploy.pack_bundle(packed / NAME, tmp_path)
    assert (tmp_path / f"{NAME}.zip").read_bytes() == (packed / f"{NAME}.zip").read_bytes()


def test_they_train_evaluate_and_segment_where_the_project_is_not(packed, nuclei, defects, heads, tmp_path):
    (tmp_path / "pictures").mkdir()
    pixels = np.random.default_rng(0).integers(0, 255, (37, 50), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "pictures" / "a.png")
    script = """
root, data, head = words

def run(name, *words, configs):
    files = str([f"{root}/{name}/configs/{config}.json" for config in configs])
    bundle("run", *words, "--config_file", files, "--bundle_root", f"{root}/{name}", "--device", "cpu")

tiny = ["--network_def::features", "[4,4,8,8,8]", "--dataset_dir", data]
options = ["--output_dir", "run", "--epochs", "1", "--batch_size", "4"]
run("unet_dsb", "training", *tiny, *options, configs=["train"])
run("unet_dsb", *tiny, "--output_dir", "scores", "--checkpoint", "run/model.pt", configs=["train", "evaluate"])
for name, source in {"unet_dsb": "pictures", "unet_industrial": "pictures", "unet3d_brats": head}.items():
    run(name, "--dataset_dir", source, "--output_dir", f"found_{name}", configs=["inference"])
print(*{module.__file__ for name, module in sys.modules.items() if "_shared_" in name}, sep="\\n")
"""
    (head, *_) = sorted((heads.parent / "raw").glob("*/*"))
    out = run_without(OPTIONAL, script, tmp_path, packed, nuclei, head)
    scores = [(tmp_path / folder / "metrics.csv").read_text() for folder in ("run", "scores/fold_0")]
    assert scores[0] == scores[1]
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
