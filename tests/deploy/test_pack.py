"""Archives of bundles, and what lies in them; tests/deploy/test_pack_alone.py runs it."""

import ast
import hashlib
import importlib
import inspect
import json
import re
import runpy
import shutil
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from monai.bundle import ConfigParser
from monai.bundle.utils import load_bundle_config
from packing import BUNDLES, package_of
from running import ROOT

from shared.deploy import pack_bundle
from shared.deploy.vendored import renamed
from shared.errors import UserError

NAME = "unet_dsb"
ENCODER = "networks/efficientnet_lite0"


def contents(archive):
    with zipfile.ZipFile(archive) as opened:
        return {entry.filename: opened.read(entry) for entry in opened.infolist()}


@pytest.mark.parametrize("name", BUNDLES)
def test_the_archive_is_whole_and_says_so_itself(packed, name):
    found = contents(packed / f"{name}.zip")
    listed = dict(line.split("  ")[::-1] for line in found.pop(f"{name}/SHA256SUMS").decode().splitlines())
    assert listed == {n.removeprefix(f"{name}/"): hashlib.sha256(c).hexdigest() for n, c in found.items()}
    source = {file.relative_to(ROOT / "bundles" / name).as_posix() for file in (ROOT / "bundles" / name).rglob("*.*")}
    files = [*ROOT.glob("shared/**/*.py"), *ROOT.glob(f"shared/{ENCODER}.*"), ROOT / "shared/datasets/dsb_groups.csv"]
    code = {f"{package_of(name)}/{file.relative_to(ROOT / 'shared').as_posix()}" for file in files}
    assert set(listed) == source | code | {"LICENSE", "requirements.txt"}
    encoder = found[f"{name}/{package_of(name)}/{ENCODER}.pt"]
    assert encoder == (ROOT / "shared" / f"{ENCODER}.pt").read_bytes()
    pinned = set((ROOT / "requirements.txt").read_text().splitlines())
    assert {"torch==2.13.0", "monai==1.6.1"} < set(found[f"{name}/requirements.txt"].decode().splitlines()) < pinned
    assert found[f"{name}/LICENSE"] == (ROOT / "LICENSE").read_bytes()
    for same in ("models/model.pt", "docs/data_license.txt"):
        assert found[f"{name}/{same}"] == (ROOT / "bundles" / name / same).read_bytes()
    parser = load_bundle_config(str(packed / f"{name}.zip"), "train.json", "inference.json")
    assert parser["bundle_root"] == "."
    assert parser["network_def::_target_"].startswith(f"{package_of(name)}.networks.")


def test_an_installation_brings_the_files_that_are_no_code_too():
    folders = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
    named = {(ROOT / folder.replace(".", "/"), pattern) for folder, patterns in folders.items() for pattern in patterns}
    found = {file for file in (ROOT / "shared").rglob("*") if file.is_file() and file.suffix not in (".py", ".pyc")}
    assert {file for folder, pattern in named for file in folder.glob(pattern)} == found


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


def test_only_the_package_is_renamed_and_not_what_ends_like_it():
    text = b"shared.errors, unshared.errors, other.shared.errors, shared.pictures, python -m shared prepare"
    renamed_text = b"own.errors, unshared.errors, other.shared.errors, shared.pictures, python -m own prepare"
    assert renamed("page.md", text, "own") == renamed_text


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
    (bundle / "configs" / "tta.json").unlink()
    (bundle / "docs" / "data_license.txt").write_bytes("Müller".encode("latin-1"))
    with pytest.raises(UserError, match=r"docs/data_license.txt: no text in UTF-8 \(.*\); save it as one"):
        pack_bundle(bundle, tmp_path / "dist")
    (bundle / "docs" / "data_license.txt").write_text("Müller", encoding="utf-8")
    (bundle / "configs" / "mine.yaml").write_text("amp: false\nbundle_root: bundles/unet_dsb\n")
    with pytest.raises(UserError, match=r"configs/mine.yaml: bundle_root is set in JSON alone; leave it out there, or"):
        pack_bundle(bundle, tmp_path / "dist")
    (bundle / "configs" / "metadata.json").write_text("{}")
    with pytest.raises(UserError, match="metadata.json: no 'version' in it; mend it"):
        pack_bundle(bundle, tmp_path / "dist")
    shutil.copytree(ROOT / "bundles" / NAME, tmp_path / "3d")
    with pytest.raises(UserError, match="its code would be called 3d_shared_.*, which Python cannot import; rename 3d"):
        pack_bundle(tmp_path / "3d", tmp_path / "dist")
    assert not (tmp_path / "dist").exists()


@pytest.mark.parametrize("suffix", ["yaml", "yml"])
def test_a_configuration_in_yaml_finds_the_copy_too(tmp_path, suffix):
    bundle = shutil.copytree(ROOT / "bundles" / NAME, tmp_path / NAME)
    (bundle / "configs" / f"mine.{suffix}").write_text(
        "network_def:\n  _target_: shared.networks.UNet\nrun:\n  bundle_root: x\n"
    )
    pack_bundle(bundle, tmp_path / "dist")
    found = contents(tmp_path / "dist" / f"{NAME}.zip")[f"{NAME}/configs/mine.{suffix}"].decode()
    assert found == f"network_def:\n  _target_: {package_of(NAME)}.networks.UNet\nrun:\n  bundle_root: x\n"


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
