import os
from pathlib import Path

from shared.atomic import part_name
from shared.inferers import model_cache
from shared.inferers.model_cache import cache_folder, store, workplace


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
    new = part_name()
    left = new.replace(str(os.getpid()), "4194305")  # no process has so large a number
    for folder in (made, cache / left, cache / new):
        folder.mkdir(parents=True)
    store(made, cache / "entry")
    assert sorted(path.name for path in cache.iterdir()) == [new, "entry"]


def test_networks_are_converted_beside_the_entry_where_that_can_be(tmp_path):
    with workplace(tmp_path / "cache" / "entry") as made:
        assert made.is_dir() and made.parent == tmp_path / "cache"
    assert not made.exists()
    (tmp_path / "file").touch()
    with workplace(tmp_path / "file" / "entry") as made:
        assert made.is_dir() and tmp_path not in made.parents
    assert not made.exists()
