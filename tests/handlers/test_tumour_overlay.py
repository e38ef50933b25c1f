"""Which slices are drawn, which way up, and whose outlines are where."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from ignite.engine import Engine
from monai.data import MetaTensor
from PIL import Image
from scipy.ndimage import binary_erosion
from tiny_heads import OBLIQUE

from shared.handlers import TumourOverlays
from shared.handlers.contours import BOTH, PREDICTION, TRUTH
from shared.handlers.tumour_overlay import draw_tumour

SHAPE = (64, 48, 32)  # enlarged nine times
SCALE = 9
GAP = 4
SPOT = (slice(12, 18), slice(8, 14), slice(21, 27))
LPS = np.diag([-1.0, -1, 1, 1])


def image_of(values: np.ndarray, affine: np.ndarray = LPS) -> MetaTensor:
    return MetaTensor(torch.from_numpy(np.ascontiguousarray(values)), affine=torch.from_numpy(affine))


def head() -> np.ndarray:
    """Fills all of its grid; what is bright lies to the right, in front and above in LPS."""
    values = np.full((4, *SHAPE), 100, np.float32)
    values[:, *SPOT] = 900
    return values


def labels_of(*boxes: tuple[int, tuple[slice, ...]]) -> torch.Tensor:
    labels = torch.zeros((1, *SHAPE), dtype=torch.uint8)
    for number, box in boxes:
        labels[(0, *box)] = number
    return labels


def cube(first: int, last: int) -> tuple[slice, ...]:
    return (slice(first, last),) * 3


def panels(picture: np.ndarray) -> list[list[np.ndarray]]:
    """Cut the montage of a volume in LPS: three rows of four columns."""
    wide, deep, tall = (SCALE * side for side in SHAPE)
    assert picture.shape == (deep + 2 * tall + 2 * GAP, 4 * wide + 3 * GAP, 3)
    rows = zip((0, deep + GAP, deep + tall + 2 * GAP), (deep, tall, tall), (wide, wide, deep), strict=True)
    return [
        [picture[top : top + height, left : left + width] for left in range(0, 4 * (wide + GAP), wide + GAP)]
        for top, height, width in rows
    ]


def test_right_is_at_the_left_anterior_and_superior_at_the_top() -> None:
    rows = panels(draw_tumour(image_of(head()), labels_of((2, SPOT))))
    # From the right 12 to 17, from the front 8 to 13, from the top 5 to 10; the last pixel is one before the border.
    middles = [(15, 11), (15, 8), (11, 8)]
    for row, middle in zip(rows, middles, strict=True):
        for panel in row:
            y, x = (np.argwhere((panel == PREDICTION).all(axis=-1)).mean(axis=0) + 0.5) / SCALE
            assert (round(x, 6), round(y, 6)) == middle
            assert panel[round(y * SCALE), round(x * SCALE), 0] == 255


def test_however_the_voxels_are_stored_the_picture_is_the_same() -> None:
    random = np.random.default_rng(0)
    values = random.integers(1, 900, (4, *SHAPE)).astype(np.float32)
    truth, found = labels_of((2, cube(5, 20)), (3, cube(8, 15))), labels_of((1, cube(7, 22)))
    picture = draw_tumour(image_of(values), found, truth)
    grid = nib.orientations.io_orientation(LPS)
    for axes in ("RAS", "SLP", "AIR"):
        turn = nib.orientations.ornt_transform(grid, nib.orientations.axcodes2ornt(axes))
        affine = LPS @ nib.orientations.inv_ornt_aff(turn, SHAPE)
        assert "".join(nib.aff2axcodes(affine)) == axes

        def turned(array: np.ndarray, turn: np.ndarray = turn) -> np.ndarray:
            return np.stack([nib.orientations.apply_orientation(channel, turn) for channel in array])

        maps = [torch.from_numpy(turned(labels.numpy()).copy()) for labels in (found, truth)]
        np.testing.assert_array_equal(draw_tumour(image_of(turned(values), affine), *maps), picture)


def outline(labels: np.ndarray) -> np.ndarray:
    """Of all regions on a slice (W, H), by erosion."""
    contours = []
    for numbers in ((1, 2, 3), (1, 3), (3,)):
        region = np.kron(np.isin(labels, numbers).T, np.ones((SCALE, SCALE), bool))
        contours.append(region & ~binary_erosion(region, border_value=1))
    return np.any(contours, axis=0)


def test_colours_say_who_drew_an_outline() -> None:
    truth = labels_of((2, cube(6, 26)), (1, cube(10, 22)), (3, cube(12, 20)))
    found = labels_of((2, cube(4, 24)), (3, cube(12, 20)))
    for label in (truth, found):
        label[:, :, :, 15] = label[:, :, :, 14]
        label[:, 30, 30, 15] = 2  # makes this slice the one
    (axial, *_), *_ = panels(draw_tumour(image_of(head()), found, truth))
    true, predicted = (outline(label[0, :, :, 15].numpy()) for label in (truth, found))
    for colour, expected in (
        (TRUTH, true & ~predicted),
        (PREDICTION, predicted & ~true),
        (BOTH, true & predicted),
    ):
        assert expected.any()
        np.testing.assert_array_equal((axial == colour).all(axis=-1), expected)


def test_slices_are_those_of_the_truth_or_of_the_prediction_or_in_the_middle() -> None:
    values = np.ones((4, *SHAPE), np.float32) * np.arange(1, 33, dtype=np.float32)  # tells the axial slice
    nothing, truth, found = labels_of(), labels_of((2, cube(4, 9))), labels_of((1, cube(20, 29)))
    truth[:, 4:10, 4:10, 7] = found[:, 20:30, 20:30, 23] = 3

    def grey(*maps: torch.Tensor) -> int:
        return int(panels(draw_tumour(image_of(values), *maps))[0][0][-1, -1, 0])

    alone = [grey(labels_of((3, (slice(1), slice(1), slice(z, z + 1))))) for z in (7, 23, 15)]
    assert len(set(alone)) == 3
    assert [grey(found, truth), grey(found, nothing), grey(nothing, nothing)] == alone
    assert [grey(found), grey(nothing)] == alone[1:]


def test_a_missing_modality_is_dark_and_so_is_0() -> None:
    values = np.zeros((4, *SHAPE), np.float32)
    values[:, :, :40] = np.arange(-64, 0)[:, None, None]  # as after a normalisation
    values[1] = 0
    corner = labels_of((2, (slice(63, 64), slice(47, 48), slice(0, 1))))  # keeps all in the box
    (t1, t1ce, *_), *_ = panels(draw_tumour(image_of(values), corner))
    assert t1[100, [20, 300, -20], 0].tolist() == sorted(
        {*t1[100, [20, 300, -20], 0].tolist()}
    )  # brighter and brighter
    assert t1[100, -1, 0] == 255 and t1[40 * SCALE :, : 62 * SCALE].max() == 0
    assert t1ce[:30].max() == 255 and t1ce[30:200].max() == 0  # its name alone


def test_spacing_is_respected_and_what_is_0_around_is_cut_off() -> None:
    values = np.zeros((4, 40, 36, 30), np.float32)
    values[:, 10:34, 8:24, 5:15] = 7
    nothing = torch.zeros(1, 40, 36, 30)
    picture = draw_tumour(image_of(values, np.diag([-1.5, -1, 2.5, 1])), nothing)
    # 24x16x10 voxels of 1.5x1x2.5 mm: 36x16x25 mm, at 16 pixels for 1 mm.
    assert picture.shape == (16 * 16 + 2 * 10 * 40 + 2 * GAP, 4 * 24 * 24 + 3 * GAP, 3)
    # Of 1.1x0.9x2.5 mm, at 19 pixels for 0.9 mm.
    oblique = draw_tumour(image_of(values, OBLIQUE), nothing)
    assert oblique.shape == (16 * 19 + 2 * 10 * 53 + 2 * GAP, 4 * 24 * 23 + 3 * GAP, 3)
    assert max(draw_tumour(image_of(values, np.diag([1.0, 1, 1e6, 1])), nothing).shape) < 8000
    assert draw_tumour(torch.zeros(4, 2, 2, 2), torch.zeros(1, 2, 2, 2)).max() == 255  # the names alone


def test_shapes_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match=r"on one grid, got \(4, 64, 48, 32\), \(1, 64, 48, 31\)"):
        draw_tumour(image_of(head()), labels_of()[..., 1:])
    with pytest.raises(ValueError, match=r"shapes must be \(4, W, H, D\)"):
        draw_tumour(image_of(head())[:3], labels_of())


def test_overlays_of_an_evaluation_show_the_image_before_it_was_prepared(tmp_path: Path) -> None:
    raw, output = image_of(head()), {"found": labels_of((1, cube(5, 9))), "true": labels_of((2, cube(5, 20)))}
    engine = Engine(lambda engine, item: None)
    engine.state.batch = [{"id": "a", "image": torch.zeros(4, 2, 2, 2), "raw": raw}, {"id": "b", "image": raw}]
    engine.state.output = [output, output]
    overlays = TumourOverlays(tmp_path, "dice", truth="true", prediction="found")
    overlays.start(engine)
    overlays.draw(engine)
    for case in "ab":
        with Image.open(overlays.pictures[case]) as picture:
            np.testing.assert_array_equal(np.asarray(picture), draw_tumour(raw, output["found"], output["true"]))
