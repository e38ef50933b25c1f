"""What memory a machine or a container has left."""

import pytest

from shared import machine


@pytest.mark.parametrize(("stat", "free"), [("anon 5\ninactive_file 300\n", 700), ("anon 5\n", 400)])
def test_a_container_has_what_its_limit_leaves_and_the_files_it_need_not_keep(tmp_path, monkeypatch, stat, free):
    for name, text in {
        "memory.max": "1000\n",
        "memory.current": "600\n",
        "memory.stat": stat,
        "none.max": "max",
    }.items():
        (tmp_path / name).write_text(text)
    limited = (tmp_path / "memory.max", tmp_path / "memory.current", "inactive_file")
    boundless = (tmp_path / "none.max", tmp_path / "memory.current", "inactive_file")
    monkeypatch.setattr(machine, "CONTAINERS", [limited, boundless, (tmp_path / "absent", tmp_path, "")])
    assert machine.free_memory() == free
    monkeypatch.setattr(machine, "CONTAINERS", [boundless])
    assert machine.free_memory() > 10**6
