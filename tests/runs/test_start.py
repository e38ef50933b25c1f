import json
import re
import sys

import pytest
import torch

from shared.errors import UserError
from shared.runs import load_checkpoint, new_folder
from shared.runs.start import _one_line, start_run


@pytest.fixture
def folders(tmp_path):
    (tmp_path / "bundle" / "configs").mkdir(parents=True)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "datalist.json").write_text("{}")
    return {
        "bundle_root": tmp_path / "bundle",
        "dataset_dir": tmp_path / "data",
        "output_dir": tmp_path / "out",
        "device": "cpu",
    }


def test_the_record_says_what_the_run_was_and_a_resumed_run_adds_to_it(folders):
    start_run(**folders, seed=7)
    start_run(**folders, seed=7, may_exist=True)
    record = json.loads((folders["output_dir"] / "run.json").read_text())
    assert record["seed"] == 7
    assert len(record["data"]["datalist_sha256"]) == 64
    assert len(record["starts"]) == 2
    assert record["starts"][0]["versions"]["monai"]


def test_a_folder_in_use_is_refused_and_left_alone(folders):
    folders["output_dir"].mkdir()
    (folders["output_dir"] / "mine.txt").write_text("mine")
    with pytest.raises(UserError, match="out is not empty; name another folder, or go on in it with --resume True"):
        start_run(**folders)
    assert [f.name for f in folders["output_dir"].iterdir()] == ["mine.txt"]


def test_an_unnamed_run_is_named_by_the_time_of_day(tmp_path):
    assert re.fullmatch(r".*/runs/x/\d{8}-\d{6}", new_folder(tmp_path / "runs" / "x"))


@pytest.mark.parametrize("value", [0, -1, 1.5, True])
def test_what_is_counted_is_a_whole_number_from_one_on(folders, value):
    start_run(**folders, at_least_one={"epochs": 1, "epoch_length": None}, may_exist=True)
    with pytest.raises(UserError, match=f"epochs: {value} will not do; take a whole number of 1 or more"):
        start_run(**folders, at_least_one={"epochs": value}, may_exist=True)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bundle_root": "nowhere"}, "bundle_root: nowhere has no folder configs"),
        ({"dataset_dir": "nowhere"}, "dataset_dir: nowhere does not exist"),
        ({"device": "cuda:99"}, "device: cuda:99 cannot be used"),
        ({"device": "gpu"}, "device: gpu cannot be used"),
    ],
)
def test_wrong_values_name_the_option(folders, change, message):
    with pytest.raises(UserError, match=message):
        start_run(**folders | change)
    assert not folders["output_dir"].exists()


def test_a_file_where_the_folder_should_be(folders):
    folders["output_dir"].write_text("")
    with pytest.raises(UserError, match="out cannot be written"):
        start_run(**folders)


def test_a_wrapped_mistake_is_one_line(capsys):
    try:
        try:
            raise UserError("fold: 9 is not there")
        except UserError as cause:
            raise RuntimeError("Failed to instantiate component") from cause
    except RuntimeError as error:
        _one_line(RuntimeError, error, None)
    assert capsys.readouterr().err == "error: fold: 9 is not there\n"


def test_any_other_error_keeps_its_traceback(capsys):
    try:
        raise RuntimeError("a bug")
    except RuntimeError as error:
        _one_line(*sys.exc_info()) if error else None
    assert "Traceback" in capsys.readouterr().err


def test_weights(tmp_path):
    torch.manual_seed(0)
    network = torch.nn.Linear(3, 2)
    with pytest.raises(UserError, match=r"checkpoint: .*none.pt does not exist"):
        load_checkpoint(tmp_path / "none.pt", network)

    (tmp_path / "broken.pt").write_bytes(b"PK\x03\x04 cut short")
    with pytest.raises(UserError, match=r"broken.pt is no readable checkpoint"):
        load_checkpoint(tmp_path / "broken.pt", network)

    torch.save(torch.nn.Linear(5, 2).state_dict(), tmp_path / "other.pt")
    with pytest.raises(UserError, match=r"other.pt belongs to another network .*size mismatch for weight"):
        load_checkpoint(tmp_path / "other.pt", network)

    half = {name: value.half() for name, value in torch.nn.Linear(3, 2).state_dict().items()}
    torch.save({"model": half}, tmp_path / "good.pt")
    load_checkpoint(tmp_path / "good.pt", network)
    assert network.weight.dtype == torch.float32
    assert torch.equal(network.weight, half["weight"].float())
