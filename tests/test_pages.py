"""The commands of the pages that lead through a task exist, with all their options."""

import inspect
import re
import shlex

import pytest
from running import ROOT

from shared.cli import COMMANDS
from shared.command_line import options_of
from shared.runs.options import check_options, parse_options

NAMES = ("nuclei", "defects", "own_defects", "brats2019", "speed")
PAGES = {name: (ROOT / "docs" / f"{name}.md").read_text() for name in NAMES}
LINES = [
    line.strip().replace("$fold", "0")
    for page in PAGES.values()
    for block in re.findall(r"```\n(.*?)```", page, flags=re.DOTALL)
    for line in block.splitlines()
    if not re.fullmatch(r"for fold in .*; do|done", line)
]
KNOBS = [row.replace("`, `", " ") for row in re.findall(r"^\| `(--.*?)` \|", PAGES["own_defects"], flags=re.MULTILINE)]


@pytest.mark.parametrize("line", [line for line in LINES if "monai.bundle" in line])
def test_a_command_of_monai_has_these_options(monkeypatch, line):
    monkeypatch.chdir(ROOT)
    words = shlex.split(line)
    assert words[:4] == ["python", "-m", "monai.bundle", "run"]
    check_options(parse_options(words[4:]))


@pytest.mark.parametrize("row", KNOBS)
def test_a_knob_of_the_table_is_the_bundle_s(row):
    config = str(ROOT / "bundles" / "unet_industrial" / "configs" / "train.json")
    check_options(parse_options(["--config_file", config, *shlex.split(row)]))


@pytest.mark.parametrize("line", [line for line in LINES if "shared" in shlex.split(line)])
def test_a_command_of_ours_has_these_options(line):
    words = shlex.split(line)[3:]
    command = COMMANDS[words[0]] if callable(COMMANDS[words[0]]) else COMMANDS[words[0]][words[1]]
    given = {word.removeprefix("--") for word in words if word.startswith("--")}
    assert given <= set(options_of(command))
    needed = {name for name, option in options_of(command).items() if option.default is inspect.Parameter.empty}
    assert len(needed - given) == (0 if "prepare" in words else 1)  # one may stand without its name


def test_every_command_of_the_pages_is_tested():
    assert (len(LINES), len(KNOBS)) == (35, 5)
    assert all(line.startswith(("python -m shared", "python -m monai.bundle")) for line in LINES)
