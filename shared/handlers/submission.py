"""The table that the 2018 Data Science Bowl asks for."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
from ignite.engine import Events
from monai.engines import Workflow
from skimage.io import imread

from ..atomic import atomic_write_text

__all__ = ["Submission", "encode_runs"]


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


class Submission:
    """Writes ``submission.csv`` with the columns ``ImageId`` and ``EncodedPixels``, a row per nucleus.

    It belongs after ``SaveInstances``, from whose files it is made. A picture in which nothing was found, or which
    could not be read, has one row with empty runs, as Kaggle wants it.

    Args:
        output_dir: folder of the label maps and ``findings.csv``, and for the table.
    """

    def __init__(self, output_dir: str | Path) -> None:
        self.output_dir = Path(output_dir)

    def attach(self, engine: Workflow) -> None:
        engine.add_event_handler(Events.EPOCH_COMPLETED, self)

    def __call__(self, engine: Workflow) -> None:
        with (self.output_dir / "findings.csv").open(newline="", encoding="utf-8") as file:
            pictures = [row["picture"] for row in csv.DictReader(file) if not row["id"]]
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["ImageId", "EncodedPixels"])
        for picture in pictures:
            target = self.output_dir / Path(picture).with_suffix("")
            written = target.with_name(f"{target.name}_seg.png")
            instances = imread(written) if written.is_file() else np.zeros((1, 1), np.uint16)
            rows = [(target.name, encode_runs(instances == number)) for number in np.unique(instances[instances > 0])]
            writer.writerows(rows or [(target.name, "")])
        atomic_write_text(self.output_dir / "submission.csv", text.getvalue())
