"""The runs that the page on defects of one's own tells of are those recorded; tests/figures.py has its numbers."""

import json

import pytest
from monai.bundle import ConfigParser
from running import ROOT, table

RESULTS = ROOT / "results" / "unet_industrial"
ONE = RESULTS / "surfaces"
PLAIN = ONE / "plain"
PAGE = " ".join((ROOT / "docs" / "own_defects.md").read_text(encoding="utf-8").split())
THREE = {"network_def::prior": 0.01, "train::loss::batch": False, "network_def::downscale": 4}


def read(file):
    return json.loads(file.read_text())


def test_the_runs_with_and_without_these_knobs_are_those_recorded():
    config = ConfigParser(read(ONE / "run.json")["config"])
    for name, value in THREE.items():
        assert f"`--{name} {value}`" in PAGE
        assert config[name] == value
    assert (config["learning_rate"], config["patch_size"]) == (2e-3, [640, 640])
    config = ConfigParser(read(PLAIN / "run.json")["config"])
    assert not {"prior", "downscale"} & set(config["network_def"])
    assert config["train::loss::batch"] is True


@pytest.mark.parametrize("folder", [PLAIN, ONE])
def test_the_summary_of_a_run_is_that_of_its_pictures(folder):
    summary, rows = read(folder / "summary.json"), table(folder / "metrics.csv")
    assert len(rows) == summary["cases"]
    values = [float(row["dice_defective"]) for row in rows if row["dice_defective"]]
    assert sum(values) / len(values) == pytest.approx(summary["dice_defective"], abs=1e-5)
    defective, sound = (
        [float(row["defect_score"]) for row in rows if float(row["defective"]) == kind] for kind in (1, 0)
    )
    pairs = [(score > other) + (score == other) / 2 for score in defective for other in sound]
    assert sum(pairs) / len(pairs) == pytest.approx(summary["image_auroc"], abs=1e-6)
