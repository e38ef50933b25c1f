import os
from pathlib import Path

from shared.inferers import model_cache
from shared.inferers.model_cache import cache_folder, store


def test_the_folder_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.delenv("SEGMENTATION_BUNDLES_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "segmentation-bundles"
    for value in ("relative", ""):
        monkeypatch.setenv("XDG_CACHE_HOME", value)
        assert cache_folder() == Path.home() / ".cache" / "segmentation-bundles"
    monkeypatch.setenv("SEGMENTATION_BUNDLES_CACHE", str(tmp_path / "own"))
    assert cache_folder() == tmp_path / "own"


def test_the_oldest_entries_go_and_an_entry_that_is_there_stays(tmp_path, monkeypatch):
    monkeypatch.setattr(model_cache, "KEPT", 2)
    made, cache = tmp_path / "made", tmp_path / "cache"
    made.mkdir()
    for number in range(4):
        (made / "model.xml").write_text(str(number))
        store(made, cache / f"entry{number}")
        os.utime(cache / f"entry{number}", (number, number))
    assert sorted(path.name for path in cache.iterdir()) == ["entry2", "entry3"]
    store(made, cache / "entry2")
    assert (cache / "entry2" / "model.xml").read_text() == "2"


def test_what_a_killed_process_left_goes_and_what_another_writes_stays(tmp_path):
    made, cache = tmp_path / "made", tmp_path / "cache"
    for folder in (made, cache / ".part-old", cache / ".part-new"):
        folder.mkdir(parents=True)
    os.utime(cache / ".part-old", (0, 0))
    store(made, cache / "entry")
    assert sorted(path.name for path in cache.iterdir()) == [".part-new", "entry"]
