"""Every command of the README is run, in its order, with paths of the test and small knobs."""

import csv
import itertools
import json
import re
import shlex
import shutil

import numpy as np
import pytest
from PIL import Image
from running import FEATURES, ROOT, run_python
from starting import Command

from shared.cli import main
from shared.deploy.card import read_card
from shared.runs.options import check_options, parse_options

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


def has_what_the_commands_of_monai_write(folder):
    for output, files in {"nuclei": 12, "nuclei_own": 12, "inspected": 16}.items():
        assert len(list((folder / output).glob("*_seg.png"))) == files
    assert len(list((folder / "tumours").glob("*_seg.nii.gz"))) == 6
    trained, evaluated = folder / "runs" / "nuclei", folder / "runs" / "scores" / "fold_0"
    assert (trained / "metrics.csv").read_bytes() == (evaluated / "metrics.csv").read_bytes()


def test_the_commands_of_the_readme(workplace):
    done = []
    for command in commands():
        if command.startswith(SETUP):
            continue
        run = Command(*made_small(command)[1:], folder=workplace)
        _, err = run.communicate()
        assert run.returncode == 0, f"{command}\n{err[-3000:]}"
        assert "Traceback" not in err
        done.append(command)
    assert len(done) == 8
    has_what_the_commands_of_monai_write(workplace)


def test_the_same_commands_from_a_foreign_folder(workplace, nuclei):
    """With the bundle named by its path, as the README says; one after the other in one process, which is quicker."""
    (workplace / "bundles").unlink()
    (workplace / "data").mkdir()
    (workplace / "data" / "dsb").symlink_to(nuclei)
    elsewhere = workplace / "elsewhere"
    elsewhere.mkdir()
    runs = []
    for command in (command for command in commands() if "monai.bundle" in command):
        _, _, module, *words = made_small(command)
        assert module == "monai.bundle"
        (bundle,) = set(re.findall(r"bundles/\w+", command))
        words = [word.replace("bundles/", f"{ROOT}/bundles/") for word in words]
        words[words.index("--dataset_dir") + 1] = f"../{words[words.index('--dataset_dir') + 1]}"
        runs.append([*words, "--bundle_root", str(ROOT / bundle)])
    assert len(runs) == 6
    script = """
import json, runpy, sys

for words in json.loads(sys.argv.pop()):
    sys.argv[1:] = words
    runpy.run_module("monai.bundle", run_name="__main__", alter_sys=True)
"""
    run_python(elsewhere, "-c", script, json.dumps(runs))
    has_what_the_commands_of_monai_write(elsewhere)
    assert {path.name for path in elsewhere.iterdir()} == {"nuclei", "inspected", "tumours", "runs", "nuclei_own"}


def test_the_commands_in_the_text_of_the_readme(workplace, monkeypatch, capsys):
    text = " ".join(re.sub(r"```.*?```", "", README, flags=re.DOTALL).split())
    drawn, packed, exported = (shlex.split(command) for command in re.findall("`python -m shared (.*?)`", text))
    assert "in the same layout, `synthesize dagm` and `brats` as well" in text
    assert "with `prepare dagm` and `prepare brats`" in text
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
    check_options(parse_options(["--config_file", f"{configs}/train.json", *itertools.chain(*knobs)]))
    check_options(parse_options([word.replace("...", configs) for word in overlay]))
    assert len(knobs) == 7


def test_every_knob_the_readme_names_exists():
    text = (ROOT / "README.md").read_text()
    configs = "".join(path.read_text() for path in ROOT.glob("bundles/*/configs/*.json"))
    cli = "".join(path.read_text() for path in ROOT.glob("shared/cli*.py"))
    for option in set(re.findall(r"--([a-z_]+)", text)) - {"bundle_root", "config_file"}:
        assert f'"{option}"' in configs or f"--{option}" in cli, option


def test_the_page_of_knobs_has_all_of_them_and_no_other():
    sections = """network_def network train validate evaluate initialize finalize run training monai_label dataset
        dataloader inferer preprocessing postprocessing handlers evaluator""".split()
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


FIGURES = {
    "unet_dsb": ("dice", "iou", "dsb_score", "ap50"),
    "unet_industrial": ("dice_defective", "IoU_THS_0.5", "true_positive_rate", "true_negative_rate"),
    "unet3d_brats": ("dice_wt", "dice_tc", "dice_et", "dice_mean"),
}


@pytest.mark.parametrize(("bundle", "names"), FIGURES.items())
def test_the_figures_are_those_of_the_weights_shipped(bundle, names):
    results, folder = ROOT / "results" / bundle / "shipped", ROOT / "bundles" / bundle
    summary = json.loads((results / "summary.json").read_text())
    row = ", ".join(f"{name} {summary[name]:.3f}" for name in names)
    assert re.search(rf"^\| `{bundle}` \| [^|]+ \| {re.escape(row)} \|", README, flags=re.MULTILINE)
    file = folder / "docs" / "README.md"
    card = read_card(file.read_text(), str(file))
    assert card.filled(summary) == file.read_text()
    metadata = json.loads((folder / "configs" / "metadata.json").read_text())
    assert metadata["eval_metrics"] == card.figures(summary)
    assert summary["checkpoint"].endswith(f"version {metadata['version']}")
    with (results / "metrics.csv").open() as rows_file:
        rows = list(csv.DictReader(rows_file))
    assert len(rows) == summary["cases"]
    values = [float(row[names[0]]) for row in rows if row[names[0]]]
    assert sum(values) / len(values) == pytest.approx(summary[names[0]], abs=1e-5)


def test_the_speeds_are_those_of_the_results():
    text = (ROOT / "docs" / "speed.md").read_text()
    folder = ROOT / "results" / "bench"
    newest, older = sorted(folder.glob("*.json")), sorted((folder / "avx2").glob("*.json"))
    assert (len(newest), len(older)) == (13, 7)
    ratios = {"train": [], "infer": []}
    for file in [*newest, *older]:
        result = json.loads(file.read_text())
        plain, shipped = result["variants"].values()
        slow, fast = (variant["pictures_per_second"] for variant in (plain, shipped))
        size = " x ".join(map(str, [result["batch_size"], *result["size"]]))
        name = ", ".join(f"`{part}`" for part in [result["bundle"], *result.get("overlays", [])])
        row = f"| {name} | {result['mode']} | {size} | {slow:.3g} | {fast:.3g} | {fast / slow:.2f} | "
        row += f"{shipped['latency_ms_p50']:.0f} | {shipped['peak_memory_mb']:.0f} |"
        assert row in text, row
        if file in newest and "overlays" not in result:
            ratios[result["mode"]].append(fast / slow)
    for mode, words in (("train", "times in training"), ("infer", "times at inference")):
        said = f"{min(ratios[mode]):.1f} to {max(ratios[mode]):.1f} {words}"
        assert said in (ROOT / "README.md").read_text(), said
    for file in (folder / "avx512_bf16").iterdir():
        slow, fast = (v["pictures_per_second"] for v in json.loads(file.read_text())["variants"].values())
        assert f"{fast / slow:.2f}" in text


def test_the_latencies_of_whole_cases_are_those_of_the_results():
    text = (ROOT / "docs" / "speed.md").read_text()
    folder = ROOT / "results" / "bench" / "avx2" / "cases"
    for bundle in FIGURES:
        alone, flipped = (json.loads((folder / f"{bundle}{end}.json").read_text()) for end in ("", "_tta"))
        assert (alone["mode"], flipped["overlays"]) == ("case", ["tta"])
        (plain, shipped), (_, flips) = ([*result["variants"].values()] for result in (alone, flipped))
        figures = [plain["latency_ms_p50"], shipped["latency_ms_p50"], shipped["latency_ms_p90"]]
        ratio = shipped["pictures_per_second"] / plain["pictures_per_second"]
        row = f"| `{bundle}` | {alone['cases']} | {' | '.join(f'{value:,.0f}' for value in figures)} | "
        row += f"{ratio:.2f} | {flips['latency_ms_p50']:,.0f} | "
        assert f"{row}{shipped['peak_memory_mb']:,.0f} |" in text, row


def test_no_placeholder_is_left():
    for page in [ROOT / "README.md", *ROOT.glob("docs/*.md"), *ROOT.glob("bundles/*/docs/*.md")]:
        assert not re.search(r"@[A-Z0-9]+@|OWNER|TODO", page.read_text()), page
