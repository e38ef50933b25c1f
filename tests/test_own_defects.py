"""The figures of the page on defects of one's own are those of the runs recorded, and its arithmetic is right."""

import json
import re

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


def steps(run):
    return run["config"]["epochs"] * -(-run["data"]["cases"] // run["config"]["batch_size"])


def minutes(folder):
    return sum(float(row["seconds"]) for row in table(folder / "curves.csv")) / 60


def called_defective(folder, threshold):
    """How many of the defective pictures, and how many of the sound ones."""
    rows = [(float(row["defective"]), float(row["defect_score"]) > threshold) for row in table(folder / "metrics.csv")]
    return [sum(found for defective, found in rows if defective == kind) for kind in (1, 0)]


def row(folder, knobs, and_found=""):
    """A run's row of the page's table."""
    run, summary = read(folder / "run.json"), read(folder / "summary.json")
    found, alarms = called_defective(folder, summary["threshold"])
    defective, sound = called_defective(folder, -1)
    cells = [
        f"| {knobs}--epochs {run['config']['epochs']}`",
        f"{steps(run)}, {minutes(folder):.0f} minutes",
        f"{summary['dice_defective']:.3f}",
        f"{summary['image_auroc']:.2f}",
        f"{found} of {defective}{and_found}",
        f"{alarms} of {sound} |",
    ]
    return " | ".join(cells)


def test_the_run_with_these_knobs_is_the_one_recorded():
    config, summary = ConfigParser(read(ONE / "run.json")["config"]), read(ONE / "summary.json")
    for name, value in THREE.items():
        assert f"| `--{name} {value}`" in PAGE
        assert config[name] == value
    assert (config["learning_rate"], config["patch_size"]) == (2e-3, [640, 640])
    defective, _ = called_defective(ONE, -1)
    assert f" Of {summary['cases']} pictures held out, {defective} of them defective" in PAGE
    assert row(ONE, "the three, `--learning_rate 2e-3 ", ", at a threshold of 0.05 all") in PAGE
    assert called_defective(ONE, 0.05) == [defective, called_defective(ONE, summary["threshold"])[1]]


def test_the_run_without_these_knobs_is_the_one_recorded():
    config = ConfigParser(read(PLAIN / "run.json")["config"])
    assert not {"prior", "downscale"} & set(config["network_def"])
    assert config["train::loss::batch"] is True
    assert row(PLAIN, "none of the three, `") in PAGE


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


def test_the_steps_and_minutes_of_the_weights_shipped_are_those_of_the_experiments():
    version = read(ROOT / "bundles" / "unet_industrial" / "configs" / "metadata.json")["version"]
    runs = {row["run"]: row for row in table(RESULTS / "experiments.csv")}
    (run,) = (row for row in runs.values() if f"shipped as {version}" in row["remark"])
    stages = [run]
    while continued := re.match(r"from (\w+);", stages[0]["change"]):
        stages.insert(0, runs[continued[1]])
    assert f"the weights shipped took about {round(sum(int(row['steps']) for row in stages), -3):,} steps" in PAGE
    spent = " + ".join(row["minutes"] for row in stages)
    assert f"| {spent} minutes of one core (AVX2) |" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_arithmetic_is_right():
    """None of n missed: with a miss rate above 1 - 0.05 ** (1 / n) that has a chance below 5 %."""
    rows = re.findall(r"\| (\d+) \| (\d+) \| ([\d.]+) % missed \|", PAGE)
    assert len(rows) == 4
    for defective, in_all, missed in rows:
        assert missed == f"{100 * (1 - 0.05 ** (1 / int(defective))):.2g}"
        assert int(in_all) == 10 * int(defective)
    q, p = 1 / 7, 1 / 700
    factor = p * (1 - q) / (q * (1 - p))
    assert f"For one in seven in the set and one in 700 on the line, 20 becomes {20 * factor:.2f}." in PAGE
