import sys

import pytest

from shared.errors import UserError
from shared.runs.start import _one_line, start_run


@pytest.fixture
def folders(tmp_path):
    (tmp_path / "bundle" / "configs").mkdir(parents=True)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "datalist.json").write_text("{}")
    return {
        "bundle_root": str(tmp_path / "bundle"),
        "dataset_dir": str(tmp_path / "data"),
        "device": "cpu",
        "knobs": {},
    }


def test_all_is_well(folders):
    start_run(**folders)


def test_knobs_are_checked(folders):
    with pytest.raises(UserError, match="epochs: 0 will not do; take a whole number of 1 or more"):
        start_run(**folders | {"knobs": {"epochs": 0}})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bundle_root": "nowhere"}, "bundle_root: nowhere has no folder configs"),
        ({"dataset_dir": "nowhere"}, "dataset_dir: nowhere does not exist"),
        ({"device": "cuda:99"}, "device: cuda:99 cannot be used"),
        ({"device": "gpu"}, "device: gpu cannot be used"),
        ({"device": 7.5}, "device: 7.5 cannot be used"),
        ({"dataset_dir": 2018}, "dataset_dir: 2018 will not do; take a path; one that reads as a number needs ./"),
    ],
)
def test_wrong_values_name_the_option(folders, change, message):
    with pytest.raises(UserError, match=message):
        start_run(**folders | change)


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
