"""The commands of the pages that lead through a task exist, with all their options."""

import inspect
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from running import ROOT

from shared.cli import COMMANDS
from shared.command_line import options_of
from shared.handlers import SaveDefects, SaveInstances, SaveTumours
from shared.runs.options import check_options, config_folders, merged_config, parse_options

NAMES = ("nuclei", "defects", "own_defects", "brats2019", "speed", "deploy", "many_devices")
PAGES = {ROOT / "docs" / f"{name}.md": ROOT for name in NAMES}  # and the folder in which one stands
PAGES |= {card: card.parents[1] for card in sorted(ROOT.glob("bundles/*/docs/README.md"))}
# Other programs: tests/test_monai_label.py has how the server was tried, tests/deploy/test_pack.py the archive.
OTHERS = r"(for fold in .*; do|done|pip|unzip|monailabel|cd .* && sha256sum) ?.*"


def commands(page):
    """Every line of the blocks of a page that is a command of ours or of MONAI's."""
    text = page.read_text(encoding="utf-8").replace("$fold", "0")
    lines = [
        line.strip() for block in re.findall(r"```\n(.*?)```", text, flags=re.DOTALL) for line in block.splitlines()
    ]
    return [line for line in lines if line and not re.fullmatch(OTHERS, line)]


FINDINGS = {"Defects": SaveDefects, "Nuclei": SaveInstances, "Tumours": SaveTumours}


@pytest.mark.parametrize(("title", "handler"), FINDINGS.items())
def test_the_columns_of_the_findings_are_those_written(title, handler):
    section = (ROOT / "docs" / "findings.md").read_text().partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (`.*?`) \|", section, flags=re.MULTILINE)
    assert tuple(name for row in rows for name in re.findall(r"`(\w+)`", row)) == handler.columns


def refuse_unknown(options):
    config = merged_config(options)
    check_options(config, {Path(config["bundle_root"]) / "configs", *config_folders(options)}, options)


LINES = [(folder, line) for page, folder in PAGES.items() for line in commands(page)]
OWN_DEFECTS = (ROOT / "docs" / "own_defects.md").read_text(encoding="utf-8")
KNOBS = [row.replace("`, `", " ") for row in re.findall(r"^\| `(--.*?)` \|", OWN_DEFECTS, flags=re.MULTILINE)]


@pytest.mark.parametrize(("folder", "line"), [(folder, line) for folder, line in LINES if "monai.bundle run" in line])
def test_a_command_of_monai_has_these_options(monkeypatch, folder, line):
    unpacked = folder == ROOT and "bundles/" not in line
    monkeypatch.chdir(ROOT / "bundles" if unpacked else folder)
    program, arguments = line.split("-m monai.bundle run", 1)
    assert re.fullmatch(r"python |torchrun --standalone --nproc_per_node=2 ", program)
    refuse_unknown(parse_options(shlex.split(arguments)))


@pytest.mark.parametrize("row", KNOBS)
def test_a_knob_of_the_table_is_the_bundle_s(row):
    config = str(ROOT / "bundles" / "unet_industrial" / "configs" / "train.json")
    refuse_unknown(parse_options(["--config_file", config, *shlex.split(row)]))


def has_these_options(line):
    words = shlex.split(line)[3:]
    of_a_bundle = callable(COMMANDS[words[0]])  # or a run; its name may stand first, without an option
    command = COMMANDS[words[0]] if of_a_bundle else COMMANDS[words[0]][words[1]]
    given = {word.removeprefix("--") for word in words if word.startswith("--")}
    assert given <= set(options_of(command))
    needed = {name for name, option in options_of(command).items() if option.default is inspect.Parameter.empty}
    assert len(needed - given) == of_a_bundle


@pytest.mark.parametrize("line", sorted({line for _, line in LINES if line.startswith("python -m shared")}))
def test_a_command_of_ours_has_these_options(line):
    has_these_options(line)


@pytest.mark.skipif(not shutil.which("make"), reason="apt-get install make")
def test_the_commands_of_make_demo_have_these_options(monkeypatch):
    monkeypatch.chdir(ROOT)
    shown = subprocess.run(["make", "-n", "demo"], capture_output=True, text=True, check=True).stdout
    lines = [line for line in shown.replace("\\\n", " ").splitlines() if "python -m " in line and "-m pip" not in line]
    ours, theirs = ([line for line in lines if f"-m {name} " in line] for name in ("shared", "monai.bundle"))
    assert (len(lines), len(ours), len(theirs)) == (6, 3, 3)
    for line in ours:
        has_these_options(line)
    for line in theirs:
        refuse_unknown(parse_options(shlex.split(line.partition("monai.bundle run")[2])))


def test_every_command_of_the_pages_is_tested():
    assert (len(LINES), len(KNOBS)) == (72, 7)
    assert all(re.match(r"python -m shared|(python|torchrun .*) -m monai.bundle", line) for _, line in LINES)
