import csv
import os
import signal

import numpy as np
import pytest
import torch
from ignite.engine import Engine
from monai.data import DataLoader
from monai.engines import SupervisedEvaluator
from PIL import Image

from shared.errors import UserError
from shared.handlers import SaveInstances, check_findings
from shared.handlers.save_instances import measure


def segment(tmp_path, labels, errors, names="01234", **options):
    """Pass label maps, as inference would give them, through the handler; where they are negative, it gave NaN."""

    def step(engine, item):
        name, instances, error = item
        picture = torch.full((3, *instances.shape), 7.0)
        engine.state.batch = [
            {
                "id": name,
                "file": str(tmp_path / "in" / f"{name}.tif"),
                "image": picture / 10,
                "raw": picture,
                "error": error,
            }
        ]
        probability = (instances[None] > 0).float().masked_fill(instances[None] < 0, torch.nan)
        engine.state.output = [{"pred": instances, "probability": probability}]
        return engine.state.output

    engine = Engine(step)
    SaveInstances(tmp_path / "in", tmp_path / "out", **options).attach(engine)
    engine.run(list(zip([f"s/{name}" for name in names[: len(labels)]], labels, errors, strict=True)))


def rows(tmp_path):
    with (tmp_path / "out" / "findings.csv").open() as file:
        return list(csv.DictReader(file))


def test_measurements_by_hand():
    labels = np.zeros((5, 7), int)
    labels[1:3, 2:6] = 1
    labels[4, 0] = 3
    raw = np.zeros((2, 5, 7))
    raw[0, 1:3, 2:6], raw[:, 4, 0] = 8, 6
    probability = np.stack([labels == 1, labels == 3]).astype(float)
    count, first, second = measure(labels, raw, probability)
    assert count == {"count": 2}
    box = {"box_x": 2, "box_y": 1, "box_w": 4, "box_h": 2}
    centroid = {"centroid_x": "3.50", "centroid_y": "1.50"}
    assert first == {"id": 1, "class": 1, "area_px": 8, **centroid, **box, "mean_intensity": "4"}
    assert second["class"] == 2
    assert (second["id"], second["area_px"], second["box_x"], second["box_y"]) == (3, 1, 0, 4)
    assert second["mean_intensity"] == "6"


@pytest.mark.parametrize("scale", [1e-7, 1, 1e7])
def test_brightness_has_six_digits_whatever_the_scale(scale):
    raw = scale * np.array([[[0.00123456, 0.00123458, 0.0]]])
    (_, row) = measure(np.array([[1, 1, 0]]), raw, np.ones((1, 1, 3)))
    assert float(row["mean_intensity"]) == pytest.approx(0.00123457 * scale, rel=1e-6)


def test_the_map_has_the_picture_s_orientation_and_16_bit(tmp_path):
    labels = torch.zeros(7, 5, dtype=torch.int32)  # width 7, height 5
    labels[6, 0] = 300
    segment(tmp_path, [labels], [""], save_probability=True, save_overlay=True)
    with Image.open(tmp_path / "out" / "s" / "0_seg.png") as written:
        pixels = np.asarray(written)
    assert (pixels.shape, pixels.dtype, pixels[0, 6], pixels.sum()) == ((5, 7), np.uint16, 300, 300)
    with Image.open(tmp_path / "out" / "s" / "0_prob.png") as written:
        assert np.asarray(written)[0, 6] == 65535
    assert (tmp_path / "out" / "s" / "0_overlay.png").is_file()
    assert [(r["picture"], r["count"], r["id"]) for r in rows(tmp_path)] == [
        ("s/0.tif", "1", ""),
        ("s/0.tif", "", "300"),
    ]


def test_a_picture_that_cannot_be_segmented_is_a_row_and_an_error_at_the_end(tmp_path):
    empty, many = torch.zeros(2, 3, dtype=torch.int32), torch.full((1, 1), 65536, dtype=torch.int32)
    segment(tmp_path, [empty, empty, many, empty, -many], ["", "1.tif: cut short", "", "", ""])
    found = [(r["picture"], r["count"], r["error"]) for r in rows(tmp_path)]
    assert found[0] == ("s/0.tif", "0", "")
    assert found[1] == ("s/1.tif", "", "1.tif: cut short")
    assert "65536 instances do not fit into 16 bit; cut the picture" in found[2][2]
    assert found[3] == ("s/3.tif", "0", "")
    assert found[4][2].endswith("4.tif: the network gave NaN; try --amp False, or check its weights")
    assert sorted(p.name for p in (tmp_path / "out" / "s").iterdir()) == ["0_seg.png", "3_seg.png"]
    with pytest.raises(UserError, match="3 of 5 pictures could not be segmented, the others are done"):
        check_findings(tmp_path / "out")


def test_a_name_too_long_for_a_result_is_a_row_and_leaves_nothing_behind(tmp_path):
    empty, names = torch.zeros(2, 3, dtype=torch.int32), ["a" * 247, "b" * 243, "c"]  # which .tif fits
    segment(tmp_path, [empty] * 3, [""] * 3, names, save_overlay=True, save_probability=True)
    errors = [row["error"] for row in rows(tmp_path)]
    remedy = "the name of a result would be too long; give it a shorter one"
    assert errors == [f"{tmp_path}/in/s/{'a' * 247}.tif: {remedy}", "", ""]
    assert {path.name[0] for path in (tmp_path / "out" / "s").iterdir()} == {"b", "c"}


def test_rows_of_an_earlier_run_stay_but_for_errors_and_pictures_that_are_gone(tmp_path):
    empty = torch.zeros(2, 3, dtype=torch.int32)
    (tmp_path / "in" / "s").mkdir(parents=True)
    for name in ("0.tif", "3.tif"):
        (tmp_path / "in" / "s" / name).touch()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "findings.csv").write_text(
        "picture,count,id,error\ns/3.tif,1,,\ns/3.tif,,1,\ns/4.tif,2,,\ns/0.tif,,,cut short\n"
    )
    segment(tmp_path, [empty], [""], skip_existing=True)
    assert [(r["picture"], r["count"], r["id"]) for r in rows(tmp_path)] == [
        ("s/0.tif", "0", ""),
        ("s/3.tif", "1", ""),
        ("s/3.tif", "", "1"),
    ]
    check_findings(tmp_path / "out")


def test_a_picture_that_is_gone_leaves_the_table_even_if_nothing_is_left_to_do(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.tif").touch()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "findings.csv").write_bytes(  # as a spreadsheet saves it
        "\ufeffpicture,count,id,error\r\na.tif,0,,\r\nbroken.tif,,,cut short\r\n".encode()
    )
    handler = SaveInstances(tmp_path / "in", tmp_path / "out", skip_existing=True)
    loader = DataLoader([])
    SupervisedEvaluator(torch.device("cpu"), loader, torch.nn.Identity(), val_handlers=[handler])
    assert [row["picture"] for row in rows(tmp_path)] == ["a.tif"]
    check_findings(tmp_path / "out")


@pytest.mark.parametrize(
    ("stop", "kind", "code"),
    [
        (lambda: os.kill(os.getpid(), signal.SIGTERM), SystemExit, 143),
        (lambda: os.kill(os.getpid(), signal.SIGINT), KeyboardInterrupt, None),
        (lambda: torch.empty(2**60), RuntimeError, None),
    ],
)
def test_a_run_that_is_stopped_keeps_its_rows_and_says_how_to_go_on(tmp_path, caplog, stop, kind, code):
    caplog.set_level("INFO")
    before = signal.signal(signal.SIGINT, signal.default_int_handler), signal.getsignal(signal.SIGTERM)

    class Stops(str):
        """The error of an item, at which the run is stopped."""

        def __bool__(self):
            stop()
            return False

    labels = [torch.ones(2, 2, dtype=torch.int64)] * 3
    with pytest.raises(kind) as raised:
        segment(tmp_path, labels, ["", "", Stops()])
    assert code is None or raised.value.code == code
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == (
        signal.default_int_handler,
        before[1],
    )
    signal.signal(signal.SIGINT, before[0])
    assert {row["picture"] for row in rows(tmp_path)} == {"s/0.tif", "s/1.tif"}
    (told,) = [message for message in caplog.messages if message.startswith("stopped")]
    assert told.startswith("stopped with 2 done, see ") and told.endswith("/out --skip_existing True")


def test_a_run_that_cannot_start_leaves_the_table_as_it_is(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "findings.csv").write_text("other\n1\n")
    with pytest.raises(UserError, match="of another bundle or of an older version"):
        segment(tmp_path, [torch.ones(2, 2, dtype=torch.int64)], [""], skip_existing=True)
    assert (tmp_path / "out" / "findings.csv").read_text() == "other\n1\n"
