import json
from pathlib import Path

import pytest

from shared.errors import UserError
from shared.runs.options import check_options, merged_config, parse_options


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "train.json"
    trainer = {"_target_": "X", "max_epochs": "@epochs", "lr": "@learning_rate"}
    content = {"learning_rate": 0.1, "epochs": 2, "train": {"trainer": trainer}, "run": ["$@train::trainer.run()"]}
    path.write_text(json.dumps(content))
    return str(path)


def refuse(options):
    folders = [Path(options["config_file"]).parent] if isinstance(options["config_file"], str) else []
    check_options(merged_config(options), folders, options)


def test_values_are_read_as_fire_reads_them():
    options = parse_options(["run", "--config_file", "['a.json','b.json']", "--epochs=3", "--resume", "--fold", "-1"])
    assert options == {"config_file": ["a.json", "b.json"], "epochs": 3, "resume": True, "fold": -1}


def test_an_args_file_counts_and_the_command_line_wins(tmp_path):
    path = tmp_path / "args.json"
    path.write_text(json.dumps({"epochs": 9, "seed": 4}))
    options = parse_options(["--args_file", str(path), "--epochs", "3"])
    assert (options["epochs"], options["seed"]) == (3, 4)


def test_a_misspelt_option_is_named_with_the_nearest(config):
    with pytest.raises(UserError, match="--leanring_rate: no such option; did you mean --learning_rate?"):
        refuse({"config_file": config, "leanring_rate": 3})


def test_a_component_may_get_a_new_argument_and_a_plain_section_may_not(config):
    refuse({"config_file": config, "train::trainer::decollate": False, "train#trainer#amp": False})
    with pytest.raises(UserError, match="--train::trainr: no such option; did you mean --train::trainer?"):
        refuse({"config_file": config, "train#trainr": 1})


def test_knobs_nested_ids_and_monai_s_own_options_pass(config):
    refuse({"config_file": config, "epochs": 1, "train::trainer::max_epochs": 3, "train#trainer": {}, "run_id": "x"})


def test_the_merged_config_holds_the_options(config, tmp_path):
    overlay = tmp_path / "overlay.json"
    overlay.write_text(json.dumps({"epochs": 5, "train::trainer::extra": 1}))
    merged = merged_config({"config_file": [config, str(overlay)], "learning_rate": 0.2})
    assert merged["epochs"] == 5
    assert merged["learning_rate"] == 0.2
    assert merged["train"]["trainer"] == {"_target_": "X", "max_epochs": "@epochs", "lr": "@learning_rate", "extra": 1}


def test_paths_are_read_as_they_are_given():
    words = ["run", "--dataset_dir", "set#2", "--output_dir=2018", "--checkpoint", "'a#b.pt'", "--pretrained", "None"]
    assert parse_options([*words, "--bundle_root"]) == {
        "dataset_dir": "set#2",
        "output_dir": "2018",
        "checkpoint": "a#b.pt",
        "pretrained": None,
        "bundle_root": True,
    }
    assert parse_options(["--checkpoints", "['a#b.pt', 'c.pt']"]) == {"checkpoints": ["a#b.pt", "c.pt"]}


@pytest.mark.parametrize(
    ("overlay", "name", "near"),
    [
        ({"leanring_rate": 3}, "leanring_rate", "learning_rate"),
        ({"train::trainr": {"_target_": "X"}}, "train::trainr", "train::trainer"),
        ({"pretraned": "a.pt"}, "pretraned", "pretrained"),
        ({"post_procesing": {"_target_": "X"}}, "post_procesing", "postprocessing"),
    ],
)
def test_a_misspelt_option_in_a_file_of_ones_own_is_named(config, tmp_path, overlay, name, near):
    (tmp_path / "inference.json").write_text(json.dumps({"x": ["@pretrained", "@postprocessing"]}))  # of an overlay
    mine = tmp_path / "mine" / "mine.json"
    mine.parent.mkdir()
    mine.write_text(json.dumps(overlay))
    with pytest.raises(UserError, match=f"^{name}: no such option; did you mean {near}?"):
        check_options(merged_config({"config_file": [config, str(mine)]}), [tmp_path, mine.parent])


def test_what_is_new_in_a_file_and_used_passes(config, tmp_path):
    mine = tmp_path / "mine.json"
    content = {"warm": 3, "train::extra": [1], "train::trainer::steps": "$@warm + len(@train::extra)", "_note": "mine"}
    content |= {"my_program": ["@run", "$print(1)"], "copied": 5, "epochs": "%copied"}
    mine.write_text(json.dumps(content))
    check_options(merged_config({"config_file": [config, str(mine)]}), [tmp_path])
    mine.write_text(json.dumps(content | {"train::trainer::steps": 3}))
    with pytest.raises(UserError, match="^(warm|train::extra): no such option"):
        check_options(merged_config({"config_file": [config, str(mine)]}), [tmp_path])
