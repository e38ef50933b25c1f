"""Small synthetic data."""

from __future__ import annotations

import os

import pytest

os.environ["MONAI_FAIL_ON_DUPLICATE_CONFIG"] = "1"


@pytest.fixture(scope="session", autouse=True)
def engine_cache(tmp_path_factory):
    """Converted networks of tests, and of the commands they start, stay out of the user's cache."""
    os.environ["SEGMENTATION_BUNDLES_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def nuclei_raw(tmp_path_factory):
    """Twelve synthetic pictures in Kaggle's layout."""
    from shared.synthetic import dsb

    folder = tmp_path_factory.mktemp("nuclei") / "raw"
    dsb.synthesize(folder, cases=12, seed=3, size="71x53")
    return folder


@pytest.fixture(scope="session")
def nuclei(nuclei_raw):
    """The same as a prepared data set of three folds."""
    from shared.datasets import dsb

    folder = nuclei_raw.parent / "data"
    dsb.prepare(nuclei_raw, folder, num_folds=3, num_workers=1)
    return folder


@pytest.fixture(scope="session")
def defects(tmp_path_factory):
    """Synthetic surfaces in the official layout as a prepared data set of three folds and a test part."""
    from shared.datasets import dagm
    from shared.synthetic import dagm as synthetic

    folder = tmp_path_factory.mktemp("defects")
    synthetic.synthesize(folder / "raw", cases=32, seed=3, size="96x80")
    dagm.prepare(folder / "raw", folder / "data", num_folds=3, num_workers=1)
    return folder / "data"


@pytest.fixture(scope="session")
def heads(tmp_path_factory):
    """Six synthetic heads with tumours in the layout of BraTS 2019 as a prepared data set of three folds."""
    from shared.datasets import brats
    from shared.synthetic import brats as synthetic

    folder = tmp_path_factory.mktemp("heads")
    synthetic.synthesize(folder / "raw", cases=6, seed=3, size="44x40x36")
    brats.prepare(folder / "raw", folder / "data", num_folds=3, num_workers=1)
    return folder / "data"
