"""Writes what inference found in pictures: label maps and a table of findings."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
from skimage.measure import regionprops

from ..errors import UserError
from ..tables import six_digits
from .contours import draw_contours, rows_first
from .findings import PictureFindings, read_findings, refuse_failures, refuse_nan, to_16_bits

__all__ = ["SaveInstances", "check_findings"]

MOST_INSTANCES = 65535
COLUMNS = ("picture", "count", "id", "class", "area_px", "centroid_x", "centroid_y", "box_x", "box_y", "box_w", "box_h",
           "mean_intensity", "error")  # fmt: skip


class SaveInstances(PictureFindings):
    """Writes ``<stem>_seg.png`` (16 bit, 0 background, 1 .. n instances, the picture's own size) and ``findings.csv``.

    With several classes ``<stem>_class.png`` holds the class of each pixel. Sub-folders of the input are mirrored.
    ``findings.csv`` holds per picture one row with its ``count`` and one row per instance with its ``id`` in the label
    map, area in pixels, centroid and box in pixels from the upper left corner, and mean intensity of the picture as
    stored (mean over its channels).

    A picture that could not be read arrives as an item with an ``error``; it gets a row that says so, as does one
    with more instances than 16 bit can number, and the others are done. The table is renewed every few seconds, so that
    little is lost when the power goes: what is in it is done.

    Args:
        input_dir: folder that was read; names in the table are relative to it.
        output_dir: folder to write to.
        save_probability: also write ``<stem>_prob.png``, 16 bit, 65535 is 1; of several classes the likeliest.
        save_overlay: also write ``<stem>_overlay.png``, the picture with the outlines of what was found.
        skip_existing: keep the rows of an earlier run for the pictures that are not segmented again.
    """

    columns = COLUMNS

    def find(self, item: dict[str, Any], output: dict[str, Any], target: Path) -> list[dict[str, Any]]:
        """Write the maps of a picture and measure its instances."""
        instances, probability = output["pred"].cpu().numpy().T, rows_first(output["probability"])
        refuse_nan(item, probability)
        if instances.max() > MOST_INSTANCES:
            raise UserError(f"{item['file']}: {instances.max()} instances do not fit into 16 bit; cut the picture")
        raw = rows_first(item["raw"])
        if self.save_overlay:
            self._write(target, "overlay", draw_contours(raw.transpose(1, 2, 0), instances))
        if len(probability) > 1:
            classes = np.where(instances > 0, probability.argmax(axis=0) + 1, 0)
            self._write(target, "class", classes.astype(np.uint8))
        if self.save_probability:
            self._write(target, "prob", to_16_bits(probability.max(axis=0)))
        self._write(target, "seg", instances.astype(np.uint16))
        return measure(instances, raw, probability)


def check_findings(output_dir: str | Path) -> None:
    """Say what an inference has done; it stands last in ``run``.

    Args:
        output_dir: folder with ``findings.csv``.

    Raises:
        UserError: some pictures could not be segmented.
    """
    table = Path(output_dir) / "findings.csv"
    rows = [row for row in read_findings(table, COLUMNS) if not row["id"]]
    counts = [int(row["count"]) for row in rows if row["count"]]
    logging.getLogger(__name__).info("%d pictures, %d instances found; table: %s", len(counts), sum(counts), table)
    refuse_failures(rows, table)


def measure(instances: np.ndarray, raw: np.ndarray, probability: np.ndarray) -> list[dict[str, Any]]:
    """Rows of the table for one picture: one with the count, then one per instance.

    Args:
        instances: label map, 0 is background.
        raw: the picture as stored.
        probability: of each class; an instance belongs to the class that is likeliest on the mean.

    Shape:
        ``instances`` (H, W), ``raw`` (C, H, W), ``probability`` (classes, H, W).

    Example:
        >>> rows = measure(np.array([[0, 5, 5]]), np.array([[[9, 2, 4]]]), np.array([[[0.1, 0.9, 0.8]]]))
        >>> rows[0]
        {'count': 1}
        >>> rows[1]["area_px"], rows[1]["centroid_x"], rows[1]["box_x"], rows[1]["box_w"], rows[1]["mean_intensity"]
        (2, '1.50', 1, 2, '3')
    """
    values = np.moveaxis(np.concatenate([raw.mean(axis=0, keepdims=True), probability]), 0, -1)
    regions = regionprops(instances, intensity_image=values)
    rows: list[dict[str, Any]] = [{"count": len(regions)}]
    for region in regions:
        top, left, bottom, right = region.bbox
        row, column = region.centroid
        brightness, *likelihood = region.intensity_mean
        rows.append(
            {
                "id": region.label,
                "class": int(np.argmax(likelihood)) + 1,
                "area_px": int(region.area),
                "centroid_x": f"{column:.2f}",
                "centroid_y": f"{row:.2f}",
                "box_x": left,
                "box_y": top,
                "box_w": right - left,
                "box_h": bottom - top,
                "mean_intensity": six_digits(brightness),
            }
        )
    return rows
