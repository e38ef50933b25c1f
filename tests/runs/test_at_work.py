import json
import sys
from pathlib import Path

import pytest
from monai.bundle import ConfigWorkflow
from running import ROOT

from shared.errors import user_error_behind
from shared.runs import start
from shared.runs.at_work import config_at_work, workflow_at_work

NAMES = ["set#2", "a@b#2", "it's #1", 'say "#"', "2018", "./@x", "./$x", "./%x", "./~x", "a::b#", "ä #\\n"]


@pytest.fixture
def made(tmp_path):
    """A workflow whose run takes paths as they were given and keeps what it was, with its record."""
    config = {
        "bundle_root": str(tmp_path),
        "dataset_dir": "data",
        "output_dir": {"_target_": "shared.runs.new_folder", "root": "runs"},
        "checkpoint": "$@bundle_root + '/model.pt'",
        "run": [
            {"_target_": "shared.runs.read_options"},
            {"data": "@dataset_dir", "results": "$@output_dir + '/x'", "weights": "@checkpoint"},
            {"_target_": "shared.runs.at_work.config_at_work"},
        ],
    }
    path = tmp_path / "configs" / "train.json"
    path.parent.mkdir()
    path.write_text(json.dumps(config))

    def make(**options):
        workflow = ConfigWorkflow(str(path), meta_file=[], logging_file=False, **options)
        workflow.initialize()
        return workflow

    return make


@pytest.mark.parametrize("name", NAMES)
def test_a_path_from_python_is_taken_as_it_is_given(made, name):
    names = dict.fromkeys(("dataset_dir", "output_dir", "checkpoint"), name if "#" not in name else Path(name))
    _, taken, recorded = made(**names).run()
    assert taken == {"data": name, "results": name + "/x", "weights": name}
    assert [recorded[knob] for knob in names] == [name] * 3


def test_a_text_from_python_in_which_monai_has_replaced_something_is_refused(made):
    with pytest.raises(Exception) as raised:
        made(dataset_dir="set#2").run()
    assert str(user_error_behind(raised.value)).startswith("dataset_dir: MONAI reads # as ::, so what 'set::2' was is")


@pytest.mark.parametrize("name", NAMES)
def test_a_path_on_the_command_line_is_taken_as_it_is_given(made, name, tmp_path, monkeypatch):
    monkeypatch.setattr(start, "is_command_line", lambda: True)
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    words = ["--dataset_dir", name, f"--output_dir={name}", "--config_file", str(tmp_path / "configs" / "train.json")]
    monkeypatch.setattr(sys, "argv", ["monai.bundle", "run", *words])
    _, taken, recorded = made(dataset_dir=name.partition("#")[0], output_dir=2018).run()  # what Fire makes of them
    assert (taken["data"], taken["results"]) == (name, name + "/x")
    assert (recorded["dataset_dir"], recorded["output_dir"]) == (name, name)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("@x", "@x reads as a reference of MONAI's, and it leads nowhere"),
        ("$x", "$x reads as an expression of MONAI's, and it leads nowhere (name 'x' is not defined)"),
        ("~x", "~x reads as somebody's home"),
    ],
)
def test_a_path_that_reads_as_something_else_is_refused_with_the_way(made, name, reason):
    for knob in ("dataset_dir", "checkpoint", "output_dir"):
        with pytest.raises(Exception) as raised:
            made(**{knob: name}).run()
        assert f"write ./{name}" in (told := str(user_error_behind(raised.value)))
        assert told.startswith(f"{knob}: {reason}; ")


def test_references_and_expressions_that_lead_somewhere_are_followed(made):
    _, taken, _ = made(dataset_dir="@bundle_root", checkpoint="$@dataset_dir + '/a.pt'").run()
    assert taken["weights"] == taken["data"] + "/a.pt"


def test_a_misspelt_argument_from_python_is_named(made):
    with pytest.raises(Exception) as raised:
        made(datset_dir="data").run()
    assert str(user_error_behind(raised.value)).startswith("datset_dir: no such option; did you mean dataset_dir?")


def test_there_is_none_at_work_outside_of_a_workflow():
    assert workflow_at_work() is None
    assert config_at_work() is None


def test_what_is_recorded_can_be_written(made):
    *_, recorded = made(dataset_dir="a", _place=ROOT).run()
    assert recorded["_place"] == str(ROOT)
    assert "_meta_" not in recorded
