"""A release is one step, wherever it is cut."""

import os
from pathlib import Path

import pytest

from shared import staged
from shared.errors import UserError
from shared.runs import start_run
from shared.staged import JOURNAL, complete_release, replace_together


def put(folder, text, names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


@pytest.mark.parametrize("cut", range(4))
def test_what_is_cut_short_is_completed_at_the_next_start(tmp_path, monkeypatch, cut):
    bundle, results = tmp_path / "bundle", tmp_path / "results" / "shipped"
    names = ("models/model.pt", "configs/train.json")
    put(bundle, "old", names), put(results, "old", ["summary.json", "gone.csv"])
    put(bundle, "new", [f"{name}.part" for name in names]), put(results.with_name(".part"), "new", ["summary.json"])
    new = {results: results.with_name(".part")} | {bundle / name: bundle / f"{name}.part" for name in names}
    moved = []

    def move(source, target, replace=os.replace):
        if len(moved) == cut + 1:  # the first is that of the journal
            raise KeyboardInterrupt
        moved.append(target)
        replace(source, target)

    monkeypatch.setattr(Path, "replace", move)
    if cut < 3:
        with pytest.raises(KeyboardInterrupt):
            replace_together(bundle, new)
        monkeypatch.undo()
        assert (bundle / JOURNAL).is_file()
        with pytest.raises(UserError, match="had been cut short, and is complete now; repeat the command"):
            start_run(str(bundle), str(tmp_path), "cpu", {})
    else:
        replace_together(bundle, new)
    assert not complete_release(bundle)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert sorted(path.name for path in files) == ["model.pt", "summary.json", "train.json"]
    assert {path.read_text() for path in files} == {"new"}
    assert staged.JOURNAL not in {path.name for path in files}
