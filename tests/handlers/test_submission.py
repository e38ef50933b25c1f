import csv

import numpy as np
import pytest
from PIL import Image

from shared.errors import UserError
from shared.handlers import write_submission
from shared.handlers.submission import encode_runs


def decode_runs(runs, shape):
    """The way back, written from Kaggle's words."""
    flat = np.zeros(shape[0] * shape[1], bool)
    numbers = [int(n) for n in runs.split()]
    for start, length in zip(numbers[::2], numbers[1::2], strict=True):
        flat[start - 1 : start - 1 + length] = True
    return flat.reshape(shape[::-1]).T


def test_decoding_gives_the_mask_back():
    generator = np.random.default_rng(0)
    for shape in [(1, 1), (1, 7), (5, 1), (11, 13)]:
        for _ in range(5):
            mask = generator.random(shape) > 0.4
            assert np.array_equal(decode_runs(encode_runs(mask), shape), mask)
    assert encode_runs(np.zeros((2, 3))) == ""


def test_a_row_per_nucleus_and_an_empty_one_where_there_is_none(tmp_path):
    labels = np.array([[0, 1, 1], [2, 2, 0]], np.uint16)
    Image.fromarray(labels).save(tmp_path / "a_seg.png")
    Image.fromarray(0 * labels).save(tmp_path / "b_seg.png")
    (tmp_path / "findings.csv").write_text("picture,count,id\na.png,2,\na.png,,1\na.png,,2\nb.png,0,\nbroken.png,,\n")
    write_submission(tmp_path)
    with (tmp_path / "submission.csv").open() as file:
        rows = [(row["ImageId"], row["EncodedPixels"]) for row in csv.DictReader(file)]
    assert [name for name, _ in rows] == ["a", "a", "b", "broken"]
    assert np.array_equal(decode_runs(rows[0][1], labels.shape), labels == 1)
    assert np.array_equal(decode_runs(rows[1][1], labels.shape), labels == 2)
    assert rows[2][1] == rows[3][1] == ""


def test_names_that_kaggle_could_not_tell_apart(tmp_path):
    (tmp_path / "findings.csv").write_text("picture,count,id\na/x.png,0,\nb/x.png,0,\n")
    with pytest.raises(UserError, match="submission: pictures in different folders have one name"):
        write_submission(tmp_path)
    assert not (tmp_path / "submission.csv").exists()
