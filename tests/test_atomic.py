import csv
import errno
import json
import os
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from shared.atomic import atomic_folder, atomic_path, atomic_write_json, atomic_write_table, part_name, remove_parts
from shared.errors import UserError


def test_a_table_has_empty_cells_for_what_is_missing_and_refuses_what_is_no_column(tmp_path):
    target = tmp_path / "new" / "a.csv"
    atomic_write_table(target, ("id", "area, px"), [{"id": "ä\n1", "area, px": 3}, {"id": 2}])
    with target.open(newline="", encoding="utf-8") as file:
        assert list(csv.DictReader(file)) == [{"id": "ä\n1", "area, px": "3"}, {"id": "2", "area, px": ""}]
    before = target.read_bytes()
    with pytest.raises(ValueError, match="'arae'"):
        atomic_write_table(target, ("id",), [{"arae": 3}])
    assert target.read_bytes() == before and [file.name for file in target.parent.iterdir()] == ["a.csv"]


def test_json_keeps_letters_and_stays_whole(tmp_path):
    target = tmp_path / "a.json"
    atomic_write_json(target, {"name": "Zürich", "path": tmp_path}, default=str)
    assert "Zürich" in target.read_text(encoding="utf-8")
    with pytest.raises(TypeError, match="not JSON serializable"):
        atomic_write_json(target, {"path": tmp_path})
    assert json.loads(target.read_text(encoding="utf-8")) == {"name": "Zürich", "path": str(tmp_path)}


def test_the_longest_name_that_a_disk_takes_is_written_and_a_longer_one_is_named(tmp_path):
    longest = tmp_path / f"{'ä' * 125}.json"  # 255 bytes
    atomic_write_json(longest, 1)
    too_long = tmp_path / f"{'ä' * 126}.json"
    with pytest.raises(OSError, match=f"'{too_long}'") as raised:
        atomic_write_json(too_long, 1)
    assert raised.value.errno == errno.ENAMETOOLONG
    assert [*tmp_path.iterdir()] == [longest]


def test_an_error_of_writing_names_the_file_also_behind_that_of_a_library(tmp_path):
    with pytest.raises(RuntimeError) as raised, atomic_path(tmp_path / "a.pt"):
        try:
            raise OSError(errno.ENOSPC, "No space left on device")
        finally:
            raise RuntimeError("unexpected pos 576 vs 534")
    assert raised.value.__context__.filename == str(tmp_path / "a.pt")


def test_what_killed_processes_have_left_goes_and_what_others_write_stays(tmp_path):
    mine, node = part_name(".csv"), part_name()[1:9]
    dead, other = f".{node}-4194305-00000000.part.csv", ".00000000-4194305-00000000.part"  # of another machine
    old, folder = ".0123456789abcdef.part.pt", f".{node}-4194305-00000000.part"
    kept = [mine, other, ".name.part", "a.part.csv"]
    for name in (*kept, dead, old):
        (tmp_path / name).touch()
    (tmp_path / "deep" / folder).mkdir(parents=True)
    os.utime(tmp_path / old, (0, 0))
    remove_parts(tmp_path)
    assert sorted(path.name for path in tmp_path.rglob("*")) == sorted([*kept, "deep"])
    os.utime(tmp_path / other, (0, 0))
    remove_parts(tmp_path)
    assert not (tmp_path / other).exists()


def test_a_number_that_another_process_has_by_now_keeps_nothing(tmp_path):
    part = tmp_path / part_name()
    part.touch()
    os.utime(part, (0, 0))
    remove_parts(tmp_path)
    assert not part.exists()


def test_of_several_that_make_a_folder_at_once_one_does(tmp_path):
    together = Barrier(4)

    def make(number):
        together.wait()
        try:
            with atomic_folder(tmp_path / "made") as part:
                (part / str(number)).touch()
                return number
        except UserError as error:
            return str(error)

    with ThreadPoolExecutor(4) as pool:
        made = [*pool.map(make, range(4))]
    (winner,) = [number for number in made if isinstance(number, int)]
    assert [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")] == ["made", f"made/{winner}"]
    assert all("another process is making" in each or "exists and is not" in each for each in {*made} - {winner})


def test_a_second_that_makes_a_folder_is_told_at_once(tmp_path):
    with (
        atomic_folder(tmp_path / "made"),
        pytest.raises(UserError, match="output: another process is making .*made; w"),
    ):
        atomic_folder(tmp_path / "made").__enter__()
    assert [path.name for path in tmp_path.iterdir()] == ["made"]
