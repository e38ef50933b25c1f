"""The shipped bundles, packed."""

import zipfile

import pytest
from packing import BUNDLES
from running import ROOT

from shared.cli import main


@pytest.fixture(scope="session")
def packed(tmp_path_factory):
    """A folder of the archives of all bundles that have weights, each also unpacked."""
    folder = tmp_path_factory.mktemp("packed")
    for name in BUNDLES:
        assert main(["pack", str(ROOT / "bundles" / name), "--output", str(folder)]) == 0
        with zipfile.ZipFile(folder / f"{name}.zip") as archive:
            archive.extractall(folder)
    return folder
