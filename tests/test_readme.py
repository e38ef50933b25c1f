"""Every command of the README is run, in its order, with paths of the test and small knobs."""

import csv
import itertools
import json
import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from running import FEATURES, ROOT
from starting import Command

from shared.cli import main
from shared.deploy.card import read_card
from shared.runs.options import check_options, merged_config, parse_options

SETUP = ("make ", "python -m venv", "pip install")  # what makes the environment this test runs in
SMALL = ["--network_def::features", str(FEATURES), "--device", "cpu"]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def commands():
    blocks = re.findall(r"```\n(.*?)```", README, flags=re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    return [line for line in lines if line.startswith(("python", "git", "make", "pip"))]


@pytest.fixture
def workplace(tmp_path, nuclei_raw, nuclei, defects, heads):
    """A folder that has what the README takes for granted: a download, the bundles and pictures of one's own."""
    shutil.make_archive(str(tmp_path / "stage1_train"), "zip", nuclei_raw)
    (tmp_path / "bundles").symlink_to(ROOT / "bundles")
    (tmp_path / "my_cases").symlink_to(heads.parent / "raw")
    for folder in ("my_masks", "my_images", "my_surfaces"):
        (tmp_path / folder).mkdir()
    for label in (nuclei / "labels").iterdir():
        with Image.open(label) as instances:
            Image.fromarray((np.asarray(instances) > 0).astype(np.uint8) * 255).save(tmp_path / "my_masks" / label.name)
    for picture in nuclei_raw.glob("*/images/*.png"):
        shutil.copy(picture, tmp_path / "my_images")
    for picture in (defects.parent / "raw").glob("Class1/Test/*.PNG"):
        shutil.copy(picture, tmp_path / "my_surfaces")
    return tmp_path


def made_small(command):
    words = shlex.split(command)
    if "training" in words:
        words += ["--epochs", "1", "--val_interval", "1", "--batch_size", "4"]
    if "training" in words or "--checkpoint" in words:
        words += SMALL
    elif "monai.bundle" in words:  # the weights shipped
        words += ["--device", "cpu"]
    return words


def test_the_commands_of_the_readme(workplace):
    """Those with weights of one's own from another folder, with the bundle named by its path, as the README says."""
    done = []
    elsewhere = workplace / "elsewhere"
    elsewhere.mkdir()
    for command in commands():
        if command.startswith(SETUP):
            continue
        _, *words = made_small(command)
        own = "monai.bundle" in words and ("training" in words or "--checkpoint" in words)
        if own:
            (bundle,) = set(re.findall(r"bundles/\w+", command))
            words = [word.replace("bundles/", f"{ROOT}/bundles/") for word in words]
            words[words.index("--dataset_dir") + 1] = f"../{words[words.index('--dataset_dir') + 1]}"
            words += ["--bundle_root", str(ROOT / bundle)]
        run = Command(*words, folder=elsewhere if own else workplace)
        _, err = run.communicate()
        assert run.returncode == 0, f"{command}\n{err[-3000:]}"
        assert "Traceback" not in err
        done.append(own)
    assert (len(done), sum(done)) == (8, 3)
    for output, files in {"nuclei": 12, "elsewhere/nuclei_own": 12, "inspected": 16}.items():
        assert len(list((workplace / output).glob("*_seg.png"))) == files
    assert len(list((workplace / "tumours").glob("*_seg.nii.gz"))) == 6
    trained, evaluated = elsewhere / "runs" / "nuclei", elsewhere / "runs" / "scores" / "fold_0"
    assert (trained / "metrics.csv").read_bytes() == (evaluated / "metrics.csv").read_bytes()
    assert {path.name for path in elsewhere.iterdir()} == {"runs", "nuclei_own"}


@pytest.mark.parametrize(
    "config", sorted(ROOT.glob("bundles/*/configs/*.json")), ids=lambda path: f"{path.parts[-3]}/{path.stem}"
)
def test_a_bundle_is_found_from_the_root(config):
    bundle = config.parents[1]
    assert json.loads(config.read_text()).get("bundle_root", f"bundles/{bundle.name}") == f"bundles/{bundle.name}"


def test_the_commands_in_the_text_of_the_readme(workplace, monkeypatch, capsys):
    text = " ".join(re.sub(r"```.*?```", "", README, flags=re.DOTALL).split())
    drawn, packed, exported = (shlex.split(command) for command in re.findall("`python -m shared (.*?)`", text))
    monkeypatch.chdir(workplace)
    drawn[drawn.index("--cases") + 1] = "12"
    raw = drawn.index("--output") + 1
    for name, size in {"dsb": "16x16", "dagm": "32x32", "brats": "16x16x16"}.items():
        words = [word.replace("dsb", name) for word in drawn]
        assert main([*words, "--size", size]) == 0
        assert main(["prepare", name, "--source", words[raw], "--output", f"data/{name}", "--num_workers", "1"]) == 0
        assert "12" in capsys.readouterr().out
    assert main(packed) == main(exported) == 0
    for file in ("dist/unet_dsb.zip", "nuclei.onnx"):
        assert (workplace / file).stat().st_size > 1e6, file  # the weights are in it


@pytest.mark.parametrize("bundle", ["unet_dsb", "unet_industrial", "unet3d_brats"])
def test_the_knobs_shown_are_options_of_every_bundle(bundle):
    section = README.partition("\n## Knobs\n")[2].partition("\n## ")[0]
    *knobs, overlay = [shlex.split(words) for words in re.findall("`(--.*?)`", section)]
    configs = f"{ROOT}/bundles/{bundle}/configs"
    for words in (["--config_file", f"{configs}/train.json", *itertools.chain(*knobs)], overlay):
        options = parse_options([word.replace("...", configs) for word in words])
        check_options(merged_config(options), {Path(configs)}, options)
    assert len(knobs) == 7


def test_every_knob_the_readme_names_exists():
    text = (ROOT / "README.md").read_text()
    configs = "".join(path.read_text() for path in ROOT.glob("bundles/*/configs/*.json"))
    cli = "".join(path.read_text() for path in ROOT.glob("shared/cli*.py"))
    for option in set(re.findall(r"--([a-z_]+)", text)) - {"bundle_root", "config_file"}:
        assert f'"{option}"' in configs or f"--{option}" in cli, option


def test_the_page_of_knobs_has_all_of_them_and_no_other():
    sections = """network_def network train validate evaluate initialize finalize run training monai_label dataset
        begin imports save_execute_config plan configs handlers_id
        dataloader inferer preprocessing postprocessing handlers evaluator weights networks ensemble""".split()
    files = set(ROOT.glob("bundles/*/configs/*.json")) - set(ROOT.glob("bundles/*/configs/metadata.json"))
    knobs = {name for file in files for name in json.loads(file.read_text()) if "::" not in name} - set(sections)
    rows = re.findall(r"^\| (`.*?`) \|", (ROOT / "docs" / "knobs.md").read_text(), flags=re.MULTILINE)
    assert sorted(knobs) == sorted(name for row in rows for name in re.findall(r"`([a-z_]+)`", row))


def test_a_mistake_on_monai_s_command_line_is_one_line(workplace):
    config = str(ROOT / "bundles" / "unet_dsb" / "configs" / "train.json")
    words = ["-m", "monai.bundle", "run", "--config_file", config, "--leanring_rate", "3"]
    run = Command(*words, folder=workplace)
    _, err = run.communicate()
    assert run.returncode == 1
    assert "Traceback" not in err
    assert err.splitlines()[-1].startswith("error: --leanring_rate: no such option; did you mean --learning_rate?")
    assert not (workplace / "runs").exists()


@pytest.mark.parametrize(
    ("bundle", "name"), [("unet_dsb", "dice"), ("unet_industrial", "dice_defective"), ("unet3d_brats", "dice_wt")]
)
def test_the_figures_are_those_of_the_weights_shipped(bundle, name):
    results, folder = ROOT / "results" / bundle / "shipped", ROOT / "bundles" / bundle
    summary = json.loads((results / "summary.json").read_text())
    file = folder / "docs" / "README.md"
    card = read_card(file.read_text(), str(file))
    metadata = json.loads((folder / "configs" / "metadata.json").read_text())
    assert metadata["eval_metrics"] == card.figures(summary)
    assert summary["checkpoint"].endswith(f"version {metadata['version']}")
    with (results / "metrics.csv").open() as rows_file:
        rows = list(csv.DictReader(rows_file))
    assert len(rows) == summary["cases"]
    values = [float(row[name]) for row in rows if row[name]]
    assert sum(values) / len(values) == pytest.approx(summary[name], abs=1e-5)


def test_no_placeholder_is_left():
    for page in [ROOT / "README.md", *ROOT.glob("docs/*.md"), *ROOT.glob("bundles/*/docs/*.md")]:
        assert not re.search(r"@[A-Z0-9]+@|OWNER|TODO", page.read_text()), page
