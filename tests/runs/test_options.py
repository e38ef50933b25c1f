import json

import pytest

from shared.errors import UserError
from shared.runs.options import check_options, merged_config, parse_options


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "train.json"
    path.write_text(
        json.dumps(
            {"learning_rate": 0.1, "epochs": 2, "train": {"trainer": {"_target_": "X", "max_epochs": "@epochs"}}}
        )
    )
    return str(path)


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
        check_options({"config_file": config, "leanring_rate": 3})


def test_a_component_may_get_a_new_argument_and_a_plain_section_may_not(config):
    check_options({"config_file": config, "train::trainer::decollate": False, "train#trainer#amp": False})
    with pytest.raises(UserError, match="--train::trainr"):
        check_options({"config_file": config, "train::trainr": 1})


def test_knobs_nested_ids_and_monai_s_own_options_pass(config):
    check_options(
        {"config_file": config, "epochs": 1, "train::trainer::max_epochs": 3, "train#trainer": {}, "run_id": "x"}
    )


def test_the_merged_config_holds_the_options(config, tmp_path):
    overlay = tmp_path / "overlay.json"
    overlay.write_text(json.dumps({"epochs": 5, "train::trainer::extra": 1}))
    merged = merged_config({"config_file": [config, str(overlay)], "learning_rate": 0.2})
    assert merged["epochs"] == 5
    assert merged["learning_rate"] == 0.2
    assert merged["train"]["trainer"] == {"_target_": "X", "max_epochs": "@epochs", "extra": 1}
