"""What is no file, or holds other than it promises, is named; nothing waits, and nothing takes the memory."""

from __future__ import annotations

import os
import signal
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from raw_files import png, unpacked, zipped
from tiny_heads import case_2019

from shared.datasets import brats, dagm, dsb, files, folder, list_brats_cases, list_pictures
from shared.datasets.picture import read_label, read_picture
from shared.datasets.volume import read_volume
from shared.errors import UserError

PICTURE = png(np.full((8, 8), 9, np.uint8))
MASK = png(np.eye(8, dtype=np.uint8) * 255)
NUCLEI = {f"{name}/{room}/{name}.png": data for name in "ab" for room, data in (("images", PICTURE), ("masks", MASK))}
TABLE = b"1\n0001\t1\t0001.PNG\t0\t0001_label.PNG\n0002\t0\t0002.PNG\t0\t0\n"
SURFACES = {f"Class1/Train/{name}": PICTURE for name in ("0001.PNG", "0002.PNG")}
SURFACES |= {"Class1/Train/Label/0001_label.PNG": MASK, "Class1/Train/Label/Labels.txt": TABLE}


@pytest.fixture(autouse=True)
def impatient() -> Iterator[None]:
    """Opening a pipe into which nobody writes would last for ever."""

    def end(*_: object) -> None:
        raise TimeoutError("waits for a pipe")

    before = signal.signal(signal.SIGALRM, end)
    signal.alarm(60)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def pipe(path: Path) -> str:
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    return "a named pipe and no file -> move it away"


def device(path: Path) -> str:
    path.unlink(missing_ok=True)
    path.symlink_to("/dev/zero")
    return "a device and no file -> move it away"


EACH = pytest.mark.parametrize("put", [pipe, device])


@EACH
@pytest.mark.parametrize("read", [read_picture, read_label, read_volume, files.read_small])
def test_no_reader_opens_it(tmp_path: Path, put: Callable[[Path], str], read: Callable[[Path], object]) -> None:
    path = tmp_path / ("a.nii.gz" if read is read_volume else "a.png")
    wrong = put(path)
    with pytest.raises((UserError, files.Fault), match=f"{path.name}: {wrong}"):
        read(path)


@EACH
def test_inference_lists_it_so_that_it_becomes_a_row(tmp_path: Path, put: Callable[[Path], str]) -> None:
    unpacked(tmp_path / "in", {"a.png": PICTURE, "b.png": b"", "notes": b""})
    put(tmp_path / "in" / "b.png"), put(tmp_path / "in" / "notes")
    assert [case["id"] for case in list_pictures(tmp_path / "in", tmp_path / "out")] == ["a", "b"]
    case = case_2019(tmp_path / "heads", 1)
    put(case / f"{case.name}_t2.nii.gz"), put(tmp_path / "heads" / "scan.nii.gz")
    found = list_brats_cases(tmp_path / "heads", tmp_path / "out")
    assert [case["id"] for case in found] == [case.name, "scan"]


@EACH
def test_prepare_names_it(tmp_path: Path, put: Callable[[Path], str]) -> None:
    output = tmp_path / "out"
    unpacked(tmp_path / "dsb", NUCLEI), unpacked(tmp_path / "dagm", SURFACES)
    unpacked(tmp_path / "own", {f"{room}/{name}.png": PICTURE for room in ("images", "masks") for name in "ab"})
    heads = [case_2019(tmp_path / "brats", number) for number in (1, 2)]
    for file in ("dsb/a/masks/a.png", "dagm/Class1/Train/0002.PNG", "dagm/Class1/Train/Label/0001_label.PNG"):
        wrong = put(tmp_path / file)
    put(tmp_path / "own/images/a.png"), put(tmp_path / "own/masks/b.png"), put(heads[0] / f"{heads[0].name}_seg.nii.gz")
    for prepare, count in (
        (lambda: dsb.prepare(tmp_path / "dsb", output, num_folds=2, num_workers=1), 1),
        (lambda: dagm.prepare(tmp_path / "dagm", output, num_folds=2, num_workers=1), 2),
        (lambda: folder.prepare(tmp_path / "own" / "images", tmp_path / "own" / "masks", output, num_folds=2), 2),
        (lambda: brats.prepare(tmp_path / "brats", output, num_folds=2, num_workers=1), 1),
    ):
        with pytest.raises(UserError, match="nothing was written") as caught:
            prepare()
        assert str(caught.value).count(wrong) == count
    put(tmp_path / "Class1.zip")
    with pytest.raises(UserError, match=r"^source: .* is a (named pipe|device) and no file; give ClassN.zip"):
        dagm.prepare(tmp_path / "Class1.zip", output)


def test_a_member_of_a_zip_is_no_larger_than_a_mask_can_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.datasets.archive.LARGEST", 2**20)
    bomb = zipped(tmp_path / "bomb.zip", NUCLEI | {"a/masks/a.png": bytes(2**24)})
    tracemalloc.start()
    with pytest.raises(UserError, match=r"a/masks/a.png: unpacks to 17 MB, more than the 1 MB of any file of the data"):
        dsb.prepare(bomb, tmp_path / "out", num_folds=2, num_workers=1)
    assert tracemalloc.get_traced_memory()[1] < 2**23
    tracemalloc.stop()
    with zipfile.ZipFile(bomb) as archive:
        assert len(archive.read("a/masks/a.png")) == 2**24


def test_a_large_file_is_not_read_as_a_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "LARGEST", 1000)
    (tmp_path / "a").write_bytes(bytes(1000))
    assert len(files.read_small(tmp_path / "a")) == 1000
    (tmp_path / "a").write_bytes(bytes(1001))
    with pytest.raises(files.Fault, match="a: larger than 0 MB"):
        files.read_small(tmp_path / "a")
