"""The table that the 2018 Data Science Bowl asks for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from skimage.io import imread
from skimage.measure import regionprops

from ..atomic import atomic_write_table
from ..errors import UserError
from .findings import read_findings
from .save_instances import SaveInstances

__all__ = ["encode_runs", "write_submission"]


def encode_runs(mask: np.ndarray) -> str:
    """Write a mask as pairs of start and length of its runs, down the columns and counted from 1.

    Args:
        mask: of one nucleus.

    Shape:
        (H, W).

    Reference:
        https://www.kaggle.com/competitions/data-science-bowl-2018/overview/evaluation

    Example:
        >>> encode_runs(np.array([[0, 1, 1], [1, 1, 0]]))
        '2 4'
        >>> encode_runs(np.array([[1, 0], [0, 1]]))
        '1 1 4 1'
    """
    flat = np.concatenate([[0], mask.T.ravel() > 0, [0]]).astype(np.int8)
    edges = np.flatnonzero(np.diff(flat)) + 1
    starts, ends = edges[::2], edges[1::2]
    return " ".join(f"{start} {end - start}" for start, end in zip(starts, ends, strict=True))


def write_submission(output_dir: str | Path) -> None:
    """Write ``submission.csv`` with the columns ``ImageId`` and ``EncodedPixels``, a row per nucleus.

    It is made from the label maps and ``findings.csv`` of an inference. A picture in which nothing was found, or which
    could not be read, has one row with empty runs, as Kaggle wants it.

    Args:
        output_dir: folder of the label maps, and for the table.

    Raises:
        UserError: two pictures have one name, by which Kaggle would know them.
    """
    output = Path(output_dir)
    rows = read_findings(output / "findings.csv", SaveInstances.columns)
    targets = [output / Path(row["picture"]).with_suffix("") for row in rows if not row["id"]]
    if len({target.name for target in targets}) < len(targets):
        raise UserError("submission: pictures in different folders have one name; rename them, Kaggle knows names only")
    cells = []
    for target in targets:
        written = target.with_name(f"{target.name}_seg.png")
        instances = imread(written) if written.is_file() else np.zeros((1, 1), np.uint16)
        runs_found = _encode_instances(instances) or [""]
        cells += [{"ImageId": target.name, "EncodedPixels": runs} for runs in runs_found]
    atomic_write_table(output / "submission.csv", ("ImageId", "EncodedPixels"), cells)


def _encode_instances(instances: np.ndarray) -> list[str]:
    """The runs of each instance; only the columns that it covers are looked at."""
    height, encoded = instances.shape[0], []
    for region in regionprops(instances):
        _, left, _, right = region.bbox
        numbers = np.array(encode_runs(instances[:, left:right] == region.label).split(), dtype=int)
        numbers[::2] += left * height
        encoded.append(" ".join(map(str, numbers)))
    return encoded
