"""Preparing the nuclei: exact label maps, every fault named, nothing half-made."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import pickle
import shutil
import zipfile
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from raw_files import Files, png, unpacked, zipped

from shared.datasets.dsb import format_summary, prepare
from shared.datasets.groups import PUBLIC, public_groups
from shared.errors import UserError
from shared.tables import read_table

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "dsb2018"


def picture(height: int = 3, width: int = 5, colour: tuple[int, int, int, int] = (9, 9, 9, 255)) -> bytes:
    return png(np.full((height, width, 4), colour, np.uint8))


def mask(*rows: str) -> bytes:
    """Draw a mask: ``#`` is 255."""
    return png(np.array([[255 if letter == "#" else 0 for letter in row] for row in rows], np.uint8))


LEFT, RIGHT = mask("##...", "##...", "....."), mask("...##", "...##", "...##")


def raw(cases: str = "abcdef") -> Files:
    """A sound data set: each case with two nuclei."""
    files: Files = {}
    for case in cases:
        grey = ord(case) - ord("a")  # each of its own, since equal pictures are one group
        own = picture(colour=(grey, grey, grey, 255))
        files |= {f"{case}/images/{case}.png": own, f"{case}/masks/1.png": LEFT, f"{case}/masks/2.png": RIGHT}
    return files


def label(output: Path, case: str) -> np.ndarray:
    with Image.open(output / "labels" / f"{case}.png") as file:
        return np.asarray(file)


def datalist(output: Path) -> dict:
    return json.loads((output / "datalist.json").read_text(encoding="utf-8"))


def faults_of(tmp_path: Path, files: Mapping[str, bytes], **options: object) -> list[str]:
    """Prepare a zip that is not sound; return the lines of faults and make sure that nothing is left behind."""
    source = zipped(tmp_path / "raw.zip", files)
    before = sorted(path.name for path in tmp_path.iterdir())
    with pytest.raises(UserError) as caught:
        prepare(source, tmp_path / "out", num_folds=2, num_workers=1, **options)  # type: ignore[arg-type]
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    first, *lines = str(caught.value).split("\n  ")
    assert first == f"{source}: {'1 fault' if len(lines) == 1 else f'{len(lines)} faults'}; nothing was written:"
    return lines


# What is written


def test_label_map_datalist_and_summary(tmp_path: Path) -> None:
    files = raw("ab")
    files["b/images/b.png"] = picture(colour=(200, 200, 201, 255))
    files |= {"b/masks/0.png": mask(".....", ".....", "#...."), "b/masks/3.png": mask("..#..", "#....", ".....")}
    files |= {"b/masks/4.png": LEFT}
    summary = prepare(zipped(tmp_path / "raw.zip", files), tmp_path / "out", num_folds=2, num_workers=1)

    assert label(tmp_path / "out", "a").dtype == np.uint16
    np.testing.assert_array_equal(label(tmp_path / "out", "a"), [[1, 1, 0, 2, 2], [1, 1, 0, 2, 2], [0, 0, 0, 2, 2]])
    np.testing.assert_array_equal(label(tmp_path / "out", "b"), [[2, 2, 4, 3, 3], [4, 2, 0, 3, 3], [1, 0, 0, 3, 3]])
    assert (tmp_path / "out" / "images" / "a.png").read_bytes() == files["a/images/a.png"]

    content = datalist(tmp_path / "out")
    assert list(content) == ["name", "description", "licence", "labels", "num_folds", "seed", "training", "test"]
    assert content["labels"] == {"0": "background", "1": "nucleus"}
    assert content["test"] == []
    assert sorted(case.pop("fold") for case in content["training"]) == [0, 1]
    common = {"id": "a", "image": "images/a.png", "label": "labels/a.png", "group": "a", "type": "3x5-grey-dark"}
    assert content["training"][0] == common
    assert content["training"][1]["type"] == "3x5-colour-bright"

    written = sum(file.stat().st_size for file in (tmp_path / "out").rglob("*.*"))
    assert summary == {
        "pictures": 2,
        "sizes": {"3x5": 2},
        "types": {"3x5-colour-bright": 1, "3x5-grey-dark": 1},
        "nuclei": {"total": 6, "min": 2, "median": 3, "max": 4},
        "foreground": 22 / 30,
        "overlap_pixels": 4,
        "overlap_pictures": 1,
        "vanished": ["b/masks/4.png"],
        "groups": 2,
        "extra_group_ids": 0,
        "unknown": ["a", "b"],
        "twins": {},
        "folds": [1, 1],
        "bytes": written,
        "datalist": str(tmp_path / "out" / "datalist.json"),
    }
    assert format_summary(summary).split("\n") == [
        "pictures   2 in 2 groups",
        "per fold   1, 1",
        "sizes      3x5: 2 (height x width)",
        "type       3x5-colour-bright: 1",
        "type       3x5-grey-dark: 1",
        "nuclei     6; per picture min 2, median 3, max 4",
        "overlaps   4 pixels of 1 pictures, each given to the smallest nucleus that claims it",
        f"written    0.0 MB, {tmp_path / 'out' / 'datalist.json'}",
        "note       2 pictures are not in the table of the public set's groups and stand alone; if some are tiles of "
        "one picture, give --groups: a, b",
        "WARNING    73% of all pixels are foreground; are black and white of the masks swapped?",
        "WARNING    1 nuclei vanished, wholly covered by smaller ones or by an equal mask:",
        "           b/masks/4.png",
    ]


def test_tiles_of_the_public_set_and_equal_pictures_share_a_fold(tmp_path: Path) -> None:
    tiles = [row["id"] for _, row in read_table(PUBLIC)[1] if row["group"] == "8"]
    files = raw("abc")
    files["c/images/c.png"] = files["a/images/a.png"]
    for number, id_ in enumerate(tiles):
        renamed = {name.replace("d", id_): data for name, data in raw("d").items() if name.startswith("d/masks")}
        files |= renamed | {f"{id_}/images/{id_}.png": picture(colour=(50 + number, 50, 50, 255))}
    summary = prepare(zipped(tmp_path / "raw.zip", files), tmp_path / "out", num_folds=3, num_workers=1)
    cases = {case["id"]: case for case in datalist(tmp_path / "out")["training"]}
    assert len(tiles) > 1 and {(cases[id_]["group"], cases[id_]["fold"]) for id_ in tiles} == {
        ("8", cases[tiles[0]]["fold"])
    }
    assert cases["a"]["fold"] == cases["c"]["fold"] != cases["b"]["fold"] and cases["c"]["group"] == "a"
    text = format_summary(summary)
    assert "note       3 pictures are not in the table of the public set's groups and stand alone" in text
    assert "WARNING    1 pictures repeat others pixel by pixel: c (a), so that these are in one fold" in text
    with pytest.raises(UserError, match=r"num_folds: 4 folds .* of 3 groups.*; 1 pictures repeat .*: c \(a\)"):
        prepare(tmp_path / "raw.zip", tmp_path / "more", num_folds=4, num_workers=1)


def test_no_group_is_split_by_the_fold_behind_the_figures() -> None:
    with (ROOT / "results/unet_dsb/shipped/metrics.csv").open(newline="") as file:
        held_out = {row["id"] for row in csv.DictReader(file)}
    groups, unknown = public_groups(sorted(held_out))
    assert not unknown and len(held_out) == 120
    others, _ = public_groups([row["id"] for _, row in read_table(PUBLIC)[1]])
    assert len(others) == 600
    assert {group for id_, group in others.items() if id_ not in held_out}.isdisjoint(groups.values())


# Where it comes from


def test_every_source_gives_the_same(tmp_path: Path) -> None:
    files = raw() | {"c/masks/3.PNG": mask("..#..", ".....", ".....")}
    noise = {
        "__MACOSX/a/masks/._1.png": b"x",
        "a/.DS_Store": b"x",
        "a/masks/._1.png": b"x",
        "stage1_train_labels.csv": b"ImageId",
    }
    below = {f"stage1_train/{name}": data for name, data in (files | noise).items()}
    sources = {
        "plain": zipped(tmp_path / "plain.zip", files),
        "noisy": zipped(tmp_path / "noisy.zip", files | noise),
        "below": zipped(tmp_path / "below.zip", below | {"stage1_test/z/images/z.png": picture()}),
        "folder": unpacked(tmp_path / "folder", files | noise),
        "parent": unpacked(tmp_path / "parent", below | {"stage1_test/z/images/z.png": picture()}),
    }
    sources["nested"] = zipped(
        tmp_path / "nested.zip", {"stage1_train.zip": sources["below"].read_bytes(), "stage1_test.zip": b"x"}
    )
    for name, source in sources.items():
        prepare(source, tmp_path / "out" / name, seed=3, num_workers=1)

    wanted = tmp_path / "out" / "plain"
    for name in sources:
        output = tmp_path / "out" / name
        for file in sorted(wanted.rglob("labels/*.png")):
            assert file.read_bytes() == (output / file.relative_to(wanted)).read_bytes()
        content = datalist(output)
        for case in content["training"]:
            assert (output / case["image"]).read_bytes() == files[f"{case['id']}/images/{case['id']}.png"]
            assert not Path(case["image"]).is_absolute()
            if name in ("folder", "parent"):
                assert case["image"].startswith(f"../../{name}/")
                case["image"] = f"images/{case['id']}.png"
        assert content == datalist(wanted)
        names = {path.name for path in output.iterdir()}
        assert names == {"datalist.json", "labels"} | (set() if name in ("folder", "parent") else {"images"})


def test_seed_groups_and_processes(tmp_path: Path) -> None:
    source = zipped(tmp_path / "raw.zip", raw("abcdefghijk"))
    table = tmp_path / "groups.csv"
    rows = [f"{case},,{'first' if case in 'abc' else case}" for case in "abcdefghijkz"]
    table.write_text("\n".join(["\ufeffid,note,group", *rows]), encoding="utf-8")
    runs = {
        "one": prepare(source, tmp_path / "one", table, seed=0, num_workers=1),
        "two": prepare(source, tmp_path / "two", table, seed=0, num_workers=2),
        "other": prepare(source, tmp_path / "other", table, seed=1, num_workers=1),
    }
    assert (runs["one"]["groups"], runs["one"]["extra_group_ids"]) == (9, 1)
    assert "the groups file has 1 ids more than the data" in format_summary(runs["one"])
    one, two, other = ((tmp_path / name / "datalist.json").read_bytes() for name in runs)
    assert one == two
    assert one != other
    for name in runs:
        fold_of = {case["id"]: case["fold"] for case in datalist(tmp_path / name)["training"]}
        assert fold_of["a"] == fold_of["b"] == fold_of["c"]
        assert set(fold_of.values()) == {0, 1, 2, 3, 4}


def test_what_is_sent_to_processes_can_be_pickled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Spawned processes get everything that way, forked ones do not; to spawn them here would take too long."""

    class PicklingPool(ThreadPoolExecutor):
        def submit(self, function: Callable, /, *arguments: object) -> Future:  # type: ignore[override]
            function, arguments = pickle.loads(pickle.dumps((function, arguments)))
            return super().submit(lambda: pickle.loads(pickle.dumps(function(*arguments))))

    def pool(workers: int, initializer: object) -> PicklingPool:
        pickle.dumps(initializer)
        return PicklingPool(workers)

    monkeypatch.setattr("shared.datasets.processes.ProcessPoolExecutor", pool)
    summary = prepare(zipped(tmp_path / "raw.zip", raw()), tmp_path / "out", num_folds=2, num_workers=2)
    assert summary["nuclei"]["total"] == 12


# What is refused


def test_all_faults_come_at_once(tmp_path: Path) -> None:
    """Of the layout, of the files, of the groups and of the folds."""
    table = tmp_path / "groups.csv"
    table.write_text("id,group\na,1\nb,1\na,2\n")
    files = raw("ab") | {"b/images/second.png": picture(), "a/masks/1.png": b"", "b/masks/2.png": b"", "../x.png": b"x"}
    assert faults_of(tmp_path, files, groups=table) == [
        "../x.png: would be written outside the output -> do not trust this zip, download it again",
        "b/images: 2 pictures in one case -> keep one of them",
        f"{table}, line 4: id a occurs twice -> keep one of the lines",
        "num_folds: 2 folds cannot be made of 1 groups, which are never split; give fewer folds or more cases",
        "a/masks/1.png: empty file -> download or unpack it again",
        "b/masks/2.png: empty file -> download or unpack it again",
    ]


def test_damaged_member(tmp_path: Path) -> None:
    source = zipped(tmp_path / "raw.zip", raw("ab"))
    with zipfile.ZipFile(source) as archive:
        start = archive.getinfo("b/masks/2.png").header_offset + 30 + len("b/masks/2.png")
    data = bytearray(source.read_bytes())
    data[start + 20] ^= 0xFF
    source.write_bytes(data)
    with pytest.raises(UserError, match=r"b/masks/2\.png: cannot be read \(.*\) -> download or unpack it again"):
        prepare(source, tmp_path / "out", num_folds=2, num_workers=1)


def test_unreadable_file_of_a_folder(tmp_path: Path) -> None:
    """A link that leads nowhere, as an unfinished download of a versioned data set leaves it."""
    folder = unpacked(tmp_path / "raw", raw("ab"))
    (folder / "a/masks/1.png").unlink()
    (folder / "a/masks/1.png").symlink_to("nowhere")
    with pytest.raises(UserError, match=r"a/masks/1\.png: cannot be read \(.*No such file.*\) -> download or unpack"):
        prepare(folder, tmp_path / "out", num_folds=2, num_workers=1)


def test_too_little_space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    free = 1_500_000
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    monkeypatch.setattr("shared.datasets.dsb.BLOCK", 1_000_000)
    assert faults_of(tmp_path, raw("ab")) == [
        "output: needs about 4.0 MB, the disk has 1.5 MB free -> free some space or choose another disk"
    ]
    free = 0
    inner = zipped(tmp_path / "inner.zip", raw("ab")).read_bytes()
    (line,) = faults_of(tmp_path, {"stage1_train.zip": inner})
    assert line.startswith("output: needs about 0.0 MB, the disk has 0.0 MB free")


def test_bad_source(tmp_path: Path) -> None:
    whole = zipped(tmp_path / "raw.zip", raw("ab")).read_bytes()
    (tmp_path / "cut.zip").write_bytes(whole[:-40])
    (tmp_path / "page.zip").write_text("<html>Sign in</html>")
    zipped(tmp_path / "nested.zip", {"stage1_train.zip": whole[:-40]})
    (tmp_path / "empty").mkdir()
    zipped(tmp_path / "other.zip", {"readme.txt": b"x"})
    for name, message in {
        "none.zip": "source: .*none.zip does not exist; give stage1_train.zip or the folder it was unpacked to",
        "cut.zip": r"source: .*cut.zip is not a zip, or a download that was cut short \(.*\); download it again",
        "page.zip": r"source: .*page.zip is not a zip, or a download that was cut short \(.*\); download it again",
        "nested.zip": r"source: stage1_train.zip in .*nested.zip is damaged \(.*\); download it again",
        "empty": r"source: no <id>/images/\*.png in .*empty; give stage1_train.zip or the folder",
        "other.zip": r"source: no <id>/images/\*.png in .*other.zip; give stage1_train.zip or the folder",
    }.items():
        with pytest.raises(UserError, match=message):
            prepare(tmp_path / name, tmp_path / "out", num_workers=1)
    assert not list(tmp_path.glob("*out*"))


def test_output_that_is_taken_stays_as_it_is(tmp_path: Path) -> None:
    source = zipped(tmp_path / "raw.zip", raw("ab"))
    taken = unpacked(tmp_path / "taken", {"thesis.txt": b"years"})
    for output in (taken, taken / "thesis.txt"):
        with pytest.raises(UserError, match=r"exists and is not an empty folder; choose another, or delete it"):
            prepare(source, output, num_folds=2, num_workers=1)
    assert [(file.name, file.read_bytes()) for file in taken.iterdir()] == [("thesis.txt", b"years")]
    with pytest.raises(UserError, match=r"output: cannot write .*; choose a folder you may write to"):
        prepare(source, taken / "thesis.txt" / "out", num_folds=2, num_workers=1)
    with pytest.raises(UserError, match="num_workers: 0 is too few; give 1 or more"):
        prepare(source, tmp_path / "out", num_folds=2, num_workers=0)
    for options in ({"num_folds": 10}, {"seed": 1}):
        with pytest.raises(UserError, match="split: reference is two folds, always the same; leave out num_folds and"):
            prepare(source, tmp_path / "out", split="reference", **options)


def test_an_interrupted_run_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("shared.datasets.dsb.convert_case", interrupt)
    with pytest.raises(KeyboardInterrupt):
        prepare(zipped(tmp_path / "raw.zip", raw("ab")), tmp_path / "out", num_folds=2, num_workers=1)
    assert [path.name for path in tmp_path.iterdir()] == ["raw.zip"]


# The real data


@pytest.mark.slow
@pytest.mark.skipif(not (DATA / "stage1_train.zip").is_file(), reason=f"no stage1_train.zip in {DATA}")
def test_anyone_rebuilds_the_fold_behind_the_figures(tmp_path: Path) -> None:
    prepare(DATA / "stage1_train.zip", tmp_path / "out")
    facts = json.loads((ROOT / "results/unet_dsb/shipped/run.json").read_text())["training"]["data"]
    written = hashlib.sha256((tmp_path / "out" / "datalist.json").read_bytes()).hexdigest()
    assert written == facts["datalist_sha256"]


@pytest.mark.skipif(not (DATA / "stage1_train.zip").is_file(), reason=f"no stage1_train.zip in {DATA}")
def test_real_label_maps_are_the_union_of_their_masks(tmp_path: Path) -> None:
    """A handful of the real cases, copied into a smaller zip; the oracle knows nothing of boxes and painting order."""
    with zipfile.ZipFile(DATA / "stage1_train.zip") as archive:
        names = archive.namelist()
        ids = sorted({name.split("/")[0] for name in names})[::97]
        files = {name: archive.read(name) for name in names if name.split("/")[0] in ids}
    with (DATA / "groups.csv").open(newline="") as table:
        group_of = {row["id"]: row["group"] for row in csv.DictReader(table)}
    summary = prepare(
        zipped(tmp_path / "raw.zip", files), tmp_path / "out", DATA / "groups.csv", num_folds=2, num_workers=1
    )
    assert summary["nuclei"]["total"] + len(summary["vanished"]) == sum("/masks/" in name for name in files)
    assert summary["pictures"] + summary["extra_group_ids"] == len(group_of)
    for id_ in ids:
        masks = [
            np.asarray(Image.open(io.BytesIO(data))) > 127 for name, data in files.items() if f"{id_}/masks/" in name
        ]
        instances = label(tmp_path / "out", id_)
        np.testing.assert_array_equal(instances > 0, np.any(masks, axis=0))
        assert np.unique(instances[instances > 0]).tolist() == list(range(1, len(masks) + 1))
