"""The shipped bundles, packed; evaluations that deploy starts."""

import subprocess
import sys
import types
import zipfile

import pytest
from packing import BUNDLES
from running import ROOT
from starting import Command

from shared.cli import main
from shared.deploy import trained_run


@pytest.fixture(scope="session")
def packed(tmp_path_factory):
    """A folder of the archives of all bundles that have weights, each also unpacked."""
    folder = tmp_path_factory.mktemp("packed")
    for name in BUNDLES:
        assert main(["pack", str(ROOT / "bundles" / name), "--output", str(folder)]) == 0
        with zipfile.ZipFile(folder / f"{name}.zip") as archive:
            archive.extractall(folder)
    return folder


@pytest.fixture(autouse=True)
def warm_evaluations(monkeypatch):
    """An evaluation in a process of its own need not import MONAI in it."""

    def run(words, check):
        assert words[0] == sys.executable and not check
        command = Command(*words[1:])
        out, err = command.communicate()
        sys.stdout.write(out)
        sys.stderr.write(err)
        return subprocess.CompletedProcess(words, command.returncode)

    monkeypatch.setattr(trained_run, "subprocess", types.SimpleNamespace(run=run))
