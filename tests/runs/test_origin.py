import json
import shutil

import pytest

from shared.errors import UserError
from shared.runs.origin import check_origin
from shared.runs.record import sha256_of

WIDE, FINE = {"spacing": [2.0, 2.0, 2.0]}, {"spacing": [1.0, 1.0, 1.0]}


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "datalist.json").write_text("{}")
    return folder


@pytest.fixture
def weights(tmp_path, data):
    """Of a run that held out fold 2."""
    (tmp_path / "run").mkdir()
    start = {"command": "python -m monai.bundle run", "working_directory": str(tmp_path)}
    digest = sha256_of(data / "datalist.json")
    record = {"data": {"dataset_dir": str(data), "datalist_sha256": digest}, "starts": [start]}
    record["config"] = {**FINE, "fold": 2, "train": {"cases": {"part": "training"}}}
    (tmp_path / "run" / "run.json").write_text(json.dumps(record))
    return tmp_path / "run" / "model.pt"


def scored(data, fold, split="fold"):
    return {"dataset_dir": str(data), "split": split, "fold": fold}


def test_the_knobs_are_those_of_the_training_wherever_in_a_run_the_weights_lie(weights, tmp_path, monkeypatch, caplog):
    folder = weights.parent
    monkeypatch.chdir(folder)
    for file in (weights, folder / "checkpoints" / "epoch_00001.pt", folder / "release_1" / "model.pt"):
        for name in (file, file.relative_to(folder)):
            check_origin("checkpoint", name, {"spacing": (1, 1, 1)})  # as a command line may give it
            with pytest.raises(UserError, match=r"spacing \[1.0, 1.0, 1.0\], not .*; give --spacing '\[1.0, 1.0, 1"):
                check_origin("checkpoint", name, WIDE)
    assert not caplog.text


def test_what_nothing_tells_is_said_to_be_assumed(tmp_path, caplog):
    for file in (tmp_path / "models" / "mine.pt", tmp_path / "model.pt"):
        caplog.clear()
        check_origin("checkpoint", file, FINE)
        assert f"only assumed, that {file} was trained with spacing [1.0, 1.0, 1.0]" in caplog.text
        assert len(caplog.records) == 1


def test_what_a_network_has_learned_from_is_not_scored(weights, data, caplog):
    for fold, split in ((2, "fold"), (2, "validation"), (0, "training"), (0, "others"), (0, "test")):
        check_origin("checkpoint", weights, {}, scored(data, fold, split))
    for fold, split in ((0, "fold"), (0, "validation"), (-1, "validation")):
        with pytest.raises(UserError, match=f"with fold 2 held out .* scored with --fold {fold}; give --fold 2, or --"):
            check_origin("checkpoint", weights, {}, scored(data, fold, split))
    record = json.loads((weights.parent / "run.json").read_text())
    record["config"]["fold"] = -1
    (weights.parent / "run.json").write_text(json.dumps(record))
    with pytest.raises(UserError, match="with no fold held out .*; give --fold -1 --split validation, or"):
        check_origin("checkpoint", weights, {}, scored(data, 0))
    assert not caplog.text


def test_what_it_has_learned_from_is_not_known(weights, data, tmp_path, caplog):
    other = tmp_path / "other"
    shutil.copytree(data, other)
    check_origin("checkpoint", weights, {}, scored(other, 2))  # the same datalist in another place
    assert not caplog.text
    (other / "datalist.json").write_text("{ }")
    check_origin("checkpoint", weights, {}, scored(other, 0))
    assert f"only assumed, that {weights} was trained with fold 0 of {other} held out" in caplog.text
    caplog.clear()
    check_origin("checkpoint", tmp_path / "x.pt", WIDE, scored(data, 0, "validation"))
    assert f"with spacing [2.0, 2.0, 2.0] and the validation cases of {data} held out" in caplog.text
    assert len(caplog.records) == 1


@pytest.mark.parametrize(
    ("change", "split", "doubt"),
    [
        ({"train": {"cases": {"part": "others"}}}, "validation", "the validation cases held out, for its recipe chose"),
        ({"train": {"cases": "$[1]"}}, "validation", "the validation cases held out, for its recipe chose"),
        ({"train": {"cases": {"part": "others"}}}, "fold", None),
        ({"pretrained": "first.pt"}, "fold", "weights to begin with (first.pt) that held out the same"),
    ],
)
def test_what_the_same_fold_does_not_vouch_for_is_told(weights, data, caplog, change, split, doubt):
    record = json.loads((weights.parent / "run.json").read_text())
    record["config"] |= change
    (weights.parent / "run.json").write_text(json.dumps(record))
    check_origin("checkpoint", weights, {}, scored(data, 2, split))
    assert (doubt in caplog.text) if doubt else not caplog.text


@pytest.mark.parametrize("text", ["[]", "{", '{"config": {"fold": 0}}'])
def test_a_file_of_another_program_tells_nothing(weights, data, caplog, text):
    (weights.parent / "run.json").write_text(text)
    check_origin("checkpoint", weights, FINE, scored(data, 0))
    assert len(caplog.records) == 1
