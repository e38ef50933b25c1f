import csv

import numpy as np
import pytest
import torch
from ignite.engine import Engine
from PIL import Image, ImageDraw, ImageFont
from skimage.measure import label, regionprops

from shared.datasets import list_pictures
from shared.errors import UserError
from shared.handlers import SaveDefects, check_defects
from shared.handlers.defect_regions import Regions
from shared.handlers.save_defects import measure_defects, write_verdict


def inspect(tmp_path, pictures, **options):
    """Pass probabilities (H, W), as inference would give them by picture, or errors through the handler."""

    def step(engine, item):
        name, found = item
        error = found if isinstance(found, str) else ""
        rows_first = torch.zeros(1, 1) if error else torch.as_tensor(found, dtype=torch.float32)
        probability = rows_first.T[None]  # MONAI's order (C, W, H)
        engine.state.batch = [
            {
                "id": name.rpartition(".")[0],
                "file": str(tmp_path / "in" / name),
                "image": 200 * probability + 3,
                "error": error,
            }
        ]
        engine.state.output = [{"probability": probability}]
        return engine.state.output

    engine = Engine(step)
    SaveDefects(tmp_path / "in", tmp_path / "out", **options).attach(engine)
    engine.run(list(pictures.items()))
    with (tmp_path / "out" / "findings.csv").open() as file:
        return list(csv.DictReader(file))


def pixels(path):
    with Image.open(path) as picture:
        return np.asarray(picture)


def test_two_defects_by_hand(tmp_path):
    found = np.zeros((5, 7))
    found[1:3, 3:7] = 0.75
    found[1, 3] = 1
    found[4, 0] = found[3, 1] = 0.625  # diagonal neighbours: one defect
    found[0, 0] = 0.9  # too small
    found[4, 6] = 0.5  # not above the threshold
    first, second = inspect(tmp_path, {"line/a.PNG": found}, min_area=2, save_probability=True)
    picture = {"picture": "line/a.PNG", "decision": "NG", "score": "1", "threshold": "0.5", "error": ""}
    assert first == picture | {
        "id": "1", "box_x": "3", "box_y": "1", "box_w": "4", "box_h": "2", "area_px": "8", "centroid_x": "4.50",
        "centroid_y": "1.50", "mean_probability": "0.78125", "max_probability": "1",
    }  # fmt: skip
    assert second == picture | {
        "id": "2", "box_x": "0", "box_y": "3", "box_w": "2", "box_h": "2", "area_px": "2", "centroid_x": "0.50",
        "centroid_y": "3.50", "mean_probability": "0.625", "max_probability": "0.625",
    }  # fmt: skip
    mask = pixels(tmp_path / "out" / "line" / "a_seg.png")
    expected = np.zeros((5, 7), np.uint8)
    expected[1:3, 3:7] = expected[4, 0] = expected[3, 1] = 255
    assert mask.dtype == np.uint8 and np.array_equal(mask, expected)
    probability = pixels(tmp_path / "out" / "line" / "a_prob.png")
    assert (probability.dtype, probability.shape) == (np.uint16, (5, 7))
    assert (probability[1, 3], probability[1, 4], probability[4, 6], probability[0, 1]) == (65535, 49151, 32768, 0)
    assert not (tmp_path / "out" / "line" / "a_overlay.png").exists()


def test_measurements_are_those_of_scikit_image():
    generator = np.random.default_rng(0)
    for shape in [(1, 1), (1, 90), (83, 1), (61, 47), (47, 128)]:
        probability = generator.random(shape).astype(np.float32)
        kept = [r for r in regionprops(label(probability > np.float32(0.7)), probability) if r.area >= 3]
        for order, strip in [("C", 10**6), ("F", 10**6), ("F", 1), ("C", 3 * shape[1]), ("F", 7 * shape[1])]:
            found = Regions(np.asarray(probability, order=order), threshold=0.7, min_area=3, strip=strip)
            rows = measure_defects(found.regions)
            assert [r["id"] for r in rows] == list(range(1, len(kept) + 1))
            for row, region in zip(rows, kept, strict=True):
                x, y, w, h = (row[f"box_{key}"] for key in "xywh")
                assert (y, x, y + h, x + w) == region.bbox and row["area_px"] == region.area
                measured = [row[key] for key in ("centroid_y", "centroid_x", "mean_probability", "max_probability")]
                expected = [*region.centroid, region.intensity_mean, region.intensity_max]
                np.testing.assert_allclose(np.array(measured, float), expected, rtol=0, atol=0.0051)
                np.testing.assert_allclose(np.array(measured[2:], float), expected[2:], rtol=0, atol=1e-6)
            mask = np.zeros(shape, bool)
            for region in kept:
                mask[tuple(region.coords.T)] = True
            assert np.array_equal(np.concatenate(list(found.mask())), mask)


def test_probabilities_near_0_keep_their_digits(tmp_path):
    found = np.array([[0, 1.23456e-5, 2.46912e-5]])
    (row,) = inspect(tmp_path, {"a.png": found}, threshold=1e-6)
    assert (row["score"], row["mean_probability"], row["max_probability"]) == (
        "2.46912e-05",
        "1.85184e-05",
        "2.46912e-05",
    )


def test_what_touches_across_strips_only_there_is_one_defect():
    comb = np.zeros((9, 7), np.float32)
    comb[:, ::2] = 0.8  # four teeth
    comb[-1] = 0.9  # joined at their ends
    comb[0, 0] = 1.0
    for strip in (7, 14, 63):
        (region,) = Regions(comb, 0.5, 1, strip).regions
        assert (region.area, region.first, region.peak) == (39, (0, 0), 1.0)
        assert (region.top, region.left, region.bottom, region.right) == (0, 0, 9, 7)
    diagonal = np.fliplr(np.eye(5, dtype=np.float32))
    (region,) = Regions(diagonal, 0.5, 5, strip=5).regions
    assert (region.area, region.first, region.rows, region.columns) == (5, (0, 4), 10, 10)


def test_pictures_that_are_ok_and_pictures_without_a_decision(tmp_path):
    small, broken = np.zeros((3, 2)), np.full((2, 2), np.nan)
    small[2, 1] = 0.8
    pictures = {"a.png": np.zeros((1, 1)), "b.png": small, "c.png": "c.png: cut short", "d.png": broken}
    rows = inspect(tmp_path, pictures, min_area=2)
    assert [(r["picture"], r["decision"], r["score"], r["id"], r["error"]) for r in rows[:3]] == [
        ("a.png", "OK", "0", "", ""),
        ("b.png", "OK", "0.8", "", ""),
        ("c.png", "", "", "", "c.png: cut short"),
    ]
    assert rows[3]["decision"] == "" and "d.png: the network gave NaN" in rows[3]["error"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a_seg.png", "b_seg.png", "findings.csv"]
    assert pixels(tmp_path / "out" / "b_seg.png").sum() == 0
    with pytest.raises(UserError, match="2 of 4 pictures could not be segmented, the others are done"):
        check_defects(tmp_path / "out")


def test_what_is_done_is_not_done_again(tmp_path, caplog):
    two = np.array([[0.9, 0, 0.9]])
    (tmp_path / "in" / "s").mkdir(parents=True)
    for name in ("s/a.png", "b.png", "c.png"):
        (tmp_path / "in" / name).touch()
    inspect(tmp_path, {"s/a.png": two, "b.png": "cut short", "gone.png": two})
    left = list_pictures(tmp_path / "in", tmp_path / "out", skip_existing=True)
    assert [case["id"] for case in left] == ["b", "c"]
    rows = inspect(tmp_path, {"b.png": two[:, :1], "c.png": two[:, 1:2]}, skip_existing=True)
    expected = [("b.png", "NG", "1"), ("c.png", "OK", ""), ("s/a.png", "NG", "1"), ("s/a.png", "NG", "2")]
    assert [(r["picture"], r["decision"], r["id"]) for r in rows] == expected
    with caplog.at_level("INFO"):
        check_defects(tmp_path / "out")
    assert "2 NG, 1 OK" in caplog.text
    older = (tmp_path / "out" / "findings.csv").read_text().replace("picture", "image", 1)
    (tmp_path / "out" / "findings.csv").write_text(older)
    with pytest.raises(UserError, match="findings.csv is of another bundle or of an older version"):
        inspect(tmp_path, {"b.png": two}, skip_existing=True)
    with pytest.raises(UserError, match="findings.csv is of another bundle or of an older version"):
        check_defects(tmp_path / "out")
    with pytest.raises(UserError, match="has no columns picture and error; give another --output_dir"):
        list_pictures(tmp_path / "in", tmp_path / "out", skip_existing=True)
    assert (tmp_path / "out" / "findings.csv").read_text() == older


def test_the_overlay_shows_the_outline_and_the_verdict(tmp_path):
    found = np.zeros((100, 130))
    found[60:90, 50:80] = 0.9
    inspect(tmp_path, {"ng.png": found, "ok.png": 0 * found}, save_overlay=True)
    bad, good = (pixels(tmp_path / "out" / f"{name}_overlay.png") for name in ("ng", "ok"))
    assert bad.shape == good.shape == (700, 910, 3)  # enlarged seven times

    def where(picture, colour):
        return np.argwhere((picture == colour).all(axis=-1))

    orange = where(bad, (255, 96, 0))
    contour = orange[orange[:, 0] > 200]
    assert (contour.min(axis=0).tolist(), contour.max(axis=0).tolist()) == ([420, 350], [629, 559])
    assert 0 < len(orange) - len(contour) and (orange[:, 0] < 40).any()
    assert where(good, (0, 255, 0)).max() < 200 and not len(where(good, (255, 96, 0)))


@pytest.mark.parametrize("shape", [(9, 4), (30, 500), (700, 1000)])
def test_the_verdict_s_corner_is_as_if_written_on_the_whole(shape):
    picture = np.random.default_rng(0).integers(0, 255, (*shape, 3), dtype=np.uint8)
    whole, size = Image.fromarray(picture), max(12, max(shape) // 40)
    place, outline = (size // 2, size // 2), {"stroke_width": max(1, size // 12), "stroke_fill": (0, 0, 0)}
    ImageDraw.Draw(whole).text(place, "NG  1.00", (255, 96, 0), ImageFont.load_default(size), **outline)
    write_verdict(picture, "NG", 1.0)
    assert np.array_equal(picture, np.asarray(whole))


def test_a_picture_is_let_go_of_before_the_next_is_read(tmp_path):
    engine = Engine(lambda engine, item: None)
    engine.state.batch = [{"id": "a", "file": str(tmp_path / "a.png"), "error": "broken"}]
    engine.state.output = [{"probability": torch.zeros(1, 1, 1)}]
    SaveDefects(tmp_path, tmp_path / "out").save(engine)
    assert engine.state.batch == engine.state.output == []


@pytest.mark.parametrize("wrong", [{"threshold": 1}, {"threshold": -0.1}, {"min_area": 0}, {"min_area": 1.5}])
def test_wrong_arguments(tmp_path, wrong):
    with pytest.raises(ValueError, match=f"{next(iter(wrong))} must be .*, got {next(iter(wrong.values()))}"):
        SaveDefects(tmp_path, tmp_path, **wrong)


def test_several_channels_are_refused(tmp_path):
    engine = Engine(lambda engine, item: None)
    engine.state.batch = [{"id": "a", "file": str(tmp_path / "a.png"), "error": ""}]
    engine.state.output = [{"probability": torch.zeros(2, 1, 1)}]
    with pytest.raises(ValueError, match="probability must have one channel, got 2"):
        SaveDefects(tmp_path, tmp_path / "out").save(engine)
