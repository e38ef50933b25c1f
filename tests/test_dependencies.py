"""What pyproject.toml asks for is what requirements.txt pins and the tests are run with."""

import tomllib

from packaging.requirements import Requirement
from running import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def pins(name):
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    pairs = (line.split("==") for line in lines if "==" in line)
    return dict(pairs)


def ranges(lines):
    return {requirement.name: requirement.specifier for requirement in map(Requirement, lines)}


def test_the_exact_versions_lie_in_the_ranges():
    needed, exact = ranges(PROJECT["dependencies"]), pins("requirements.txt")
    assert needed.keys() == exact.keys()
    assert all(version in needed[name] for name, version in exact.items())
    onnx, exact = ranges(PROJECT["optional-dependencies"]["onnx"]), pins("requirements-dev.txt")
    assert all(exact[name] in versions for name, versions in onnx.items())


def test_the_extras_are_those_that_errors_name():
    known = {"onnx", "formats", "microscopy", "dicom", "int8", "tracking", "cluster", "report"}
    assert PROJECT["optional-dependencies"].keys() == known


def test_the_console_script_is_the_package_s_command_line():
    assert PROJECT["scripts"] == {"segmentation-bundles": "shared.cli:main"}
