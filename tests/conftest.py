"""What all tests share: small synthetic data, a cache of engines, and which of them are run."""

from __future__ import annotations

import os
import shutil
import signal

import pytest
from filelock import FileLock

os.environ["MONAI_FAIL_ON_DUPLICATE_CONFIG"] = "1"
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # in the background, where no command that tests start may be
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser):
    parser.addoption("--all", action="store_true", help="slow tests too, real starts of Python, and no tool missing")


def pytest_configure(config):
    if config.getoption("--all"):
        config.option.markexpr = ""
        os.environ["FRESH_STARTS"] = "1"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    """With --all a tool that is not there is a failure that says how to install it; data or hardware may be missing."""
    report = yield
    if report.skipped and item.config.getoption("--all") and "install" in (reason := report.longrepr[2]):
        report.outcome, report.longrepr = "failed", reason
    return report


@pytest.fixture(scope="session")
def once(tmp_path_factory):
    """Call it with a name and what makes a folder of that name: one is made for the workers of a session together."""
    root = tmp_path_factory.getbasetemp()
    root = root.parent if "PYTEST_XDIST_WORKER" in os.environ else root

    def made(name, make):
        folder, done = root / name, root / f"{name}.done"
        with FileLock(f"{folder}.lock"):
            if not done.exists():
                shutil.rmtree(folder, ignore_errors=True)  # of a worker that failed
                folder.mkdir()
                make(folder)
                done.touch()
        return folder

    return made


@pytest.fixture(scope="session", autouse=True)
def engine_cache(once):
    """Converted networks of tests, and of the commands they start, stay out of the user's cache."""
    os.environ["SEGMENTATION_BUNDLES_CACHE"] = str(once("cache", lambda folder: None))


@pytest.fixture(scope="session")
def nuclei(once):
    """Twelve synthetic pictures as a prepared data set of three folds."""
    from shared.datasets import dsb
    from shared.synthetic import dsb as synthetic

    def make(folder):
        synthetic.synthesize(folder / "raw", cases=12, seed=3, size="71x53")
        dsb.prepare(folder / "raw", folder / "data", num_folds=3, num_workers=1)

    return once("nuclei", make) / "data"


@pytest.fixture(scope="session")
def nuclei_raw(nuclei):
    """The same in Kaggle's layout."""
    return nuclei.parent / "raw"


@pytest.fixture(scope="session")
def defects(once):
    """Synthetic surfaces in the official layout as a prepared data set of three folds and a test part."""
    from shared.datasets import dagm
    from shared.synthetic import dagm as synthetic

    def make(folder):
        synthetic.synthesize(folder / "raw", cases=32, seed=3, size="96x80")
        dagm.prepare(folder / "raw", folder / "data", num_folds=3, num_workers=1)

    return once("defects", make) / "data"


@pytest.fixture(scope="session")
def heads(once):
    """Six synthetic heads with tumours in the layout of BraTS 2019 as a prepared data set of three folds."""
    from shared.datasets import brats
    from shared.synthetic import brats as synthetic

    def make(folder):
        synthetic.synthesize(folder / "raw", cases=6, seed=3, size="44x40x36")
        brats.prepare(folder / "raw", folder / "data", num_folds=3, num_workers=1)

    return once("heads", make) / "data"
