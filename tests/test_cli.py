import errno

import numpy as np
import pytest
import torch
from PIL import Image

from shared.cli import COMMANDS, main
from shared.command_line import options_of
from shared.errors import message_behind


def error_of(capsys, *words):
    code = main(words)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    return code, err


def test_help_at_every_level_names_what_is_below(capsys):
    def help_of(*words):
        assert main([*words, "--help"]) == 0
        return capsys.readouterr().out

    assert all(verb in help_of() for verb in COMMANDS)
    assert main(["help"]) == 0
    assert capsys.readouterr().out == help_of()
    for verb, known in COMMANDS.items():
        sets = {(): known} if callable(known) else {(name,): command for name, command in known.items()}
        assert callable(known) or all(name in help_of(verb) for name in known)
        for name, command in sets.items():
            options = help_of(verb, *name).split("Options:")[1]
            assert all(f"--{option}" in options for option in options_of(command))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["prepair", "dsb"], "no command 'prepair'; did you mean prepare?"),
        (["prepare"], "prepare what? One of: brats, dagm, dsb, folder"),
        (["prepare", "dbs"], "no data set 'dbs'; did you mean dsb?"),
        (["prepare", "dsb", "--sorce", "x", "--output", "y"], "no option --sorce; did you mean --source?"),
        (["prepare", "dsb", "--output", "y"], "--source is missing"),
        (["prepare", "dsb", "--source", "x", "--output"], "--output needs a value"),
        (
            ["prepare", "dsb", "--source", "x", "--output", "y", "--seed", str(10**40)],
            "--seed takes a whole number up to 2147483647, got '1000",
        ),
        (["bench", "unet_dsb", "--size", f"{5000 * '9'}x9"], "--size takes HEIGHTxWIDTH"),
        (
            ["prepare", "dsb", "--source", "x", "--output", "y", "--num_folds", "five"],
            "--num_folds takes a whole number",
        ),
        (
            ["prepare", "folder", "--images", "x", "--masks", "y", "--output", "z", "--threshold", "high"],
            "--threshold takes",
        ),
        (["prepare", "dsb", "stage1_train.zip"], "'stage1_train.zip' stands without an option"),
        (
            ["release", "model.pth", "--from", "nested_unet", "--output", "y", "--version", "1.0.0"],
            "--version goes with --from run",
        ),
    ],
)
def test_a_wrong_command_line_is_one_line_and_exit_code_2(capsys, words, message):
    code, err = error_of(capsys, *words)
    assert code == 2
    assert err.startswith(f"error: {message}")


def test_a_mistake_in_the_data_is_one_line_and_exit_code_1(capsys, tmp_path):
    code, err = error_of(
        capsys, "prepare", "dsb", "--source", str(tmp_path / "2018"), "--output", str(tmp_path / "out")
    )
    assert code == 1
    assert "2018 does not exist" in err
    (tmp_path / "file").touch()
    code, err = error_of(capsys, "pack", "bundles/unet_dsb", "--output", str(tmp_path / "file" / "dist"))
    assert code == 1
    assert err.startswith(f"error: {tmp_path / 'file'}")


def test_a_full_disk_is_one_line_and_exit_code_1(capsys, tmp_path):
    resource = pytest.importorskip("resource", reason="a limit for files stands in for a full disk")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        code, err = error_of(capsys, "pack", "bundles/unet_dsb", "--output", str(tmp_path))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert code == 1
    assert err.startswith(f"error: {tmp_path / 'unet_dsb.zip'}: File too large; free some space, or name a place on an")
    assert not [*tmp_path.iterdir()]


def test_what_is_wrong_with_a_place_is_told_and_what_is_a_bug_is_not():
    full, barred = OSError(errno.ENOSPC, "No space left on device"), OSError(errno.EROFS, "Read-only", "a.pt")
    assert message_behind(full) == "the disk: No space left on device; free some space, or name a place on another disk"
    assert message_behind(barred) == "a.pt: Read-only; name a place that can be written and read"
    try:
        try:
            raise full
        except OSError as error:
            raise RuntimeError("Failed to evaluate $@trainer.run()") from error
    except RuntimeError as error:
        assert message_behind(error) == message_behind(full)
    assert message_behind(OSError(errno.EPERM, "Operation not permitted")) is None  # of no file
    assert message_behind(FileNotFoundError(errno.ENOENT, "No such file", "a.pt")) is None
    full = torch.OutOfMemoryError("Tried to allocate 20 GiB")
    assert message_behind(full).startswith(
        "device: out of memory (Tried to allocate 20 GiB); take a smaller --batch_si"
    )


def test_pictures_and_masks_of_one_s_own(capsys, tmp_path):
    for number in range(4):
        for folder, pixels in (("in", np.full((5, 7, 3), number)), ("masks", 90 * np.eye(5, 7))):
            (tmp_path / folder).mkdir(exist_ok=True)
            Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / folder / f"{number}.png")
    words = ["--images", str(tmp_path / "in"), "--masks", str(tmp_path / "masks"), "--output", str(tmp_path / "data")]
    assert main(["prepare", "folder", *words, "--num_folds", "2", "--threshold", "50"]) == 0
    assert "masks      binary" in capsys.readouterr().out
    with Image.open(tmp_path / "data" / "labels" / "3.png") as label:
        assert np.array_equal(np.asarray(label), np.eye(5, 7))


def test_synthesize_then_prepare(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    raw, data = "./~raw#1", "set #2"  # names are taken as they are given
    assert main(["synthesize", "dsb", "--output", raw, "--cases=4", "--size", "32x48"]) == 0
    assert "prepare dsb --source" in capsys.readouterr().out
    assert main(["prepare", "dsb", "--source", raw, "--output", data, "--num_folds", "2", "--num_workers", "1"]) == 0
    assert "pictures   4 in 4 groups" in capsys.readouterr().out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["set #2", "~raw#1"]


def test_synthesize_then_prepare_surfaces(capsys, tmp_path):
    raw, data = str(tmp_path / "raw"), str(tmp_path / "data")
    assert main(["synthesize", "dagm", "--output", raw, "--cases=9", "--size", "48x32", "--class_id", "10"]) == 0
    assert "9 pictures in" in capsys.readouterr().out
    assert main(["prepare", "dagm", "--source", raw, "--output", data, "--num_folds", "2", "--class_id=10"]) == 0
    assert "pictures   9 of class 10, 3 of them defective" in capsys.readouterr().out
    code, err = error_of(capsys, "prepare", "dagm", "--source", raw, "--output", str(tmp_path / "b"), "--class_id", "2")
    assert (code, err) == (1, f"error: class_id: {raw} does not hold class 2 but 10\n")


def test_synthesize_then_prepare_heads(capsys, tmp_path):
    raw, data = str(tmp_path / "raw"), str(tmp_path / "data")
    assert main(["synthesize", "brats", "--output", raw, "--cases=4", "--size", "24x20x16"]) == 0
    assert "4 heads in" in capsys.readouterr().out
    for file in (tmp_path / "raw" / "LGG").rglob("*_t2.nii.gz"):
        file.unlink()
    words = ["prepare", "brats", "--source", raw, "--output", data, "--num_folds", "2", "--num_workers=1"]
    code, err = main(words), capsys.readouterr().err
    assert code == 1
    assert "no t2 -> add it, or give --allow_missing" in err
    code, err = error_of(capsys, *words, "--allow_missing=yes")
    assert (code, "--allow_missing takes True or False, or stands alone" in err) == (2, True)
    assert main([*words, "--allow_missing", "False"]) == 1
    assert main([*words[:2], "--allow_missing", *words[2:]]) == 0
    out = capsys.readouterr().out
    assert "cases      4 of 4 patients; HGG: 3, LGG: 1" in out
    assert "note       1 cases without t2" in out
