import numpy as np
import pytest
from PIL import Image

from shared.handlers.png import write_png


@pytest.mark.parametrize(
    ("shape", "dtype"),
    [((1, 1), np.uint8), ((7, 5), np.uint8), ((5, 1), np.uint16), ((6, 9), np.uint16), ((7, 4, 3), np.uint8)],
)
def test_pillow_reads_what_is_written(tmp_path, shape, dtype):
    pixels = np.random.default_rng(0).integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)
    for order, rows in (("C", 1), ("F", 3), ("C", 100)):
        stored = np.asarray(pixels, order=order)
        write_png(tmp_path / "a.png", shape, (stored[top : top + rows] for top in range(0, shape[0], rows)))
        with Image.open(tmp_path / "a.png") as file:
            found = np.asarray(file)
        assert found.dtype == dtype and np.array_equal(found, pixels)


@pytest.mark.parametrize(
    ("strips", "message"),
    [
        ([], "4 rows together, got 0"),
        ([np.zeros((3, 5), np.uint8)], "4 rows together, got 3"),
        ([np.zeros((4, 6), np.uint8)], r"uint8 of \(4, 5\), got uint8 of \(4, 6\)"),
        ([np.zeros((2, 5), np.uint8), np.zeros((2, 5), np.uint16)], "got uint16"),
        ([np.zeros((4, 5))], "uint8 or uint16, got float64"),
    ],
)
def test_strips_that_do_not_fit(tmp_path, strips, message):
    with pytest.raises(ValueError, match=message):
        write_png(tmp_path / "a.png", (4, 5), strips)
