import json
import re
import shutil
from contextlib import nullcontext
from threading import Barrier, Thread

import pytest

from shared.errors import UserError
from shared.runs import new_folder, record, record_run
from shared.runs.origin import check_origin


@pytest.fixture
def folders(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "datalist.json").write_text("{}")
    return {"output_dir": tmp_path / "out", "dataset_dir": tmp_path / "data", "cases": [1, 2], "seed": 7}


@pytest.fixture
def command_line(monkeypatch):
    """Call it with the configuration that a command line would have given."""

    def given(config):
        monkeypatch.setattr(record, "is_command_line", lambda: True)
        monkeypatch.setattr(record, "config_at_work", lambda: config)

    return given


def test_the_record_says_what_the_run_was_and_a_resumed_run_adds_to_it(folders):
    record_run(**folders, resume=False)
    record_run(**folders, resume=True)
    content = json.loads((folders["output_dir"] / "run.json").read_text())
    assert content["seed"] == 7
    assert content["data"]["cases"] == 2
    assert len(content["data"]["datalist_sha256"]) == 64
    assert len(content["starts"]) == 2
    assert content["starts"][0]["versions"]["monai"]


def test_a_folder_in_use_is_refused_and_left_alone(folders):
    folders["output_dir"].mkdir()
    (folders["output_dir"] / "mine.txt").write_text("mine")
    for options, way_on in (({"resume": False}, "resume"), ({"skip_existing": False}, "skip_existing")):
        with pytest.raises(UserError, match=f"is not empty; name another folder, or go on in it with --{way_on} True"):
            record_run(**folders, **options)
    with pytest.raises(UserError, match="out is not empty; name another folder$"):
        record_run(**folders)
    assert [f.name for f in folders["output_dir"].iterdir()] == ["mine.txt"]


def test_nothing_to_resume_is_told(folders):
    with pytest.raises(UserError, match="resume: there is no run in .*out; name its folder with --output_dir"):
        record_run(**folders, resume=True)
    assert not folders["output_dir"].exists()


def test_a_file_where_the_folder_should_be(folders):
    folders["output_dir"].write_text("")
    with pytest.raises(UserError, match="out cannot be written"):
        record_run(**folders)


def test_of_runs_that_claim_a_folder_at_once_one_gets_it(folders):
    start, won = Barrier(8), []

    def claim():
        start.wait()
        try:
            record_run(**folders)
        except UserError as error:
            assert str(error).endswith("out is not empty; name another folder")
        else:
            won.append(1)

    for _ in range(20):
        threads = [Thread(target=claim) for _ in range(start.parties)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert json.loads((folders["output_dir"] / "run.json").read_text())["seed"] == 7
        shutil.rmtree(folders["output_dir"])
    assert len(won) == 20


def test_a_resumed_run_keeps_its_knobs_and_its_data(folders, command_line):
    command_line({"fold": 3, "num_workers": 0, "train": {"a": 1}})
    record_run(**folders, resume=False)
    command_line({"fold": 3, "num_workers": 2, "train": {"a": 1}})
    record_run(**folders, resume=True)
    for change, message in (
        ({"fold": 0}, "resume: fold was 3, now is 0"),
        ({"train": {"a": 2}}, "train is not what it was"),
    ):
        command_line({"fold": 3, "train": {"a": 1}} | change)
        with pytest.raises(UserError, match=message):
            record_run(**folders, resume=True)
    (folders["dataset_dir"] / "datalist.json").write_text("{ }")
    with pytest.raises(UserError, match="resume: dataset_dir holds other data"):
        record_run(**folders, resume=True)
    content = json.loads((folders["output_dir"] / "run.json").read_text())
    assert (content["config"]["fold"], len(content["starts"])) == (3, 2)


def test_results_of_other_settings_do_not_join_those_that_are_there(folders, command_line):
    command_line({"threshold": 0.5, "engine": "auto", "batch_size": 1})
    record_run(**folders, skip_existing=False)
    command_line({"threshold": 0.5, "engine": "eager", "batch_size": 8})
    record_run(**folders, skip_existing=True)
    command_line({"threshold": 0.2, "engine": "eager", "batch_size": 8})
    with pytest.raises(UserError, match=r"skip_existing: threshold was 0.5, now is 0.2; .* another --output_dir"):
        record_run(**folders, skip_existing=True)
    content = json.loads((folders["output_dir"] / "run.json").read_text())
    assert (content["config"]["threshold"], len(content["starts"])) == (0.5, 2)


def test_results_of_other_pictures_do_not_join_those_that_are_there(folders, tmp_path, monkeypatch):
    record_run(**folders, skip_existing=False)
    monkeypatch.chdir(folders["dataset_dir"])  # another name of the same folder, from another place
    record_run(**folders | {"dataset_dir": "."}, skip_existing=True)
    monkeypatch.chdir(tmp_path)
    record_run(**folders | {"dataset_dir": "data"}, skip_existing=True)
    (tmp_path / "today").mkdir()
    with pytest.raises(UserError, match=r"dataset_dir was .*/data, now is .*/today; .* another --output_dir"):
        record_run(**folders | {"dataset_dir": "today"}, skip_existing=True)


def test_a_number_is_what_it_was_as_a_text(folders, command_line):
    command_line({"label_convention": "2019", "spacing": [1, 1, 1], "checkpoint": "model.pt"})
    record_run(**folders, skip_existing=False)
    command_line({"label_convention": 2019, "spacing": [1.0, 1.0, 1.0], "checkpoint": "../model.pt"})
    record_run(**folders, skip_existing=True)
    command_line({"label_convention": 2023, "spacing": [1, 1, 1]})
    with pytest.raises(UserError, match="label_convention was 2019, now is 2023"):
        record_run(**folders, skip_existing=True)


@pytest.mark.parametrize("several", [False, True])
def test_results_of_other_weights_do_not_join_those_that_are_there(folders, tmp_path, several):
    weights, another = tmp_path / "model.pt", tmp_path / "another.pt"
    another.write_bytes(b"another")
    for number, content in enumerate((b"one", b"one", b"other")):
        weights.write_bytes(content)
        with pytest.raises(UserError, match="checkpoint holds other weights") if number == 2 else nullcontext():
            record_run(**folders, skip_existing=number > 0, checkpoint=[another, weights] if several else weights)


def test_the_command_of_several_processes_can_be_repeated(folders, command_line, monkeypatch):
    command_line({"fold": 3})
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    for world, machines in (("2", "--standalone"), ("6", "--nnodes=3")):
        monkeypatch.setenv("WORLD_SIZE", world)
        record_run(**folders, resume=folders["output_dir"].exists())
        start = json.loads((folders["output_dir"] / "run.json").read_text())["starts"][-1]
        assert start["command"].startswith(f"torchrun {machines} --nproc_per_node=2 -m monai.bundle")


def test_runs_without_a_name_are_named_by_the_time_and_are_never_one(tmp_path):
    names = [new_folder(tmp_path / "runs" / "x") for _ in range(3)]
    assert all(re.fullmatch(r".*/runs/x/\d{8}-\d{6}-\d{6}", name) for name in names)
    assert len(set(names)) == 3


@pytest.mark.parametrize("knob", ["resume", "skip_existing"])
def test_one_that_was_killed_as_it_claimed_its_folder_goes_on(folders, knob):
    folders["output_dir"].mkdir()
    (folders["output_dir"] / "run.json").touch()
    with pytest.raises(UserError, match=f"is not empty; name another folder, or go on in it with --{knob} True"):
        record_run(**folders, **{knob: False})
    record_run(**folders, **{knob: True})
    assert len(json.loads((folders["output_dir"] / "run.json").read_text())["starts"]) == 1


@pytest.mark.parametrize(
    "content",
    [
        '{"starts": 5}', '{"starts": []}', '{"starts": [5], "data": {"dataset_dir": "x"}}', "[]", 100_000 * "[",
        '{"starts": [{"command": "x", "working_directory": "y"}], "data": 5}',
        '{"starts": [{"command": "x", "working_directory": "y"}], "data": {"dataset_dir": "x"}, "config": 5}',
    ],
)  # fmt: skip
def test_what_is_no_record_is_told(folders, content):
    folders["output_dir"].mkdir()
    (folders["output_dir"] / "run.json").write_text(content)
    for options in ({"resume": True}, {"skip_existing": True}):
        with pytest.raises(UserError, match=r"run.json: no (record of a run|valid JSON .*it is no record of a run)"):
            record_run(**folders, **options)
    check_origin("checkpoint", folders["output_dir"] / "model.pt", {})
    assert (folders["output_dir"] / "run.json").read_text() == content
