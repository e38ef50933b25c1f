"""Writes what inspection found in pictures: masks, a decision for each, and a table of defects."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy.ndimage import find_objects
from skimage.measure import label

from ..errors import UserError
from .findings import FindingsHandler, read_findings, refuse_failures, to_16_bits
from .overlays import PREDICTION, draw_contours, rows_first

__all__ = ["SaveDefects", "check_defects"]

COLUMNS = ("image", "decision", "score", "threshold", "defect", "x", "y", "w", "h", "area", "centroid_x",
           "centroid_y", "mean_probability", "max_probability", "error")  # fmt: skip
COLOURS = {"NG": PREDICTION, "OK": (0, 255, 0)}


class SaveDefects(FindingsHandler):
    """Writes ``<stem>_seg.png`` (8 bit, 0 and 255, the picture's own size) and ``findings.csv``.

    A defect is a connected region (a pixel has eight neighbours) of probabilities above ``threshold`` that covers
    ``min_area`` pixels or more. A picture with a defect is NG, one without is OK. Smaller regions are in neither the
    mask nor the table. Sub-folders of the input are mirrored.

    ``findings.csv`` holds one row per defect, or a single one for a picture that is OK: decision, score (the
    largest probability in the picture, whatever the area) and threshold of the picture; number, box and centroid of
    the defect in pixels, x to the right and y down from the centre of the upper left pixel; area in pixels; mean and
    largest probability in it. A picture that could not be read, or for which the network gave NaN, has one row with
    its ``error`` and no decision.

    Args:
        input_dir: folder that was read, or one picture; names in the table are relative to it.
        output_dir: folder to write to.
        save_probability: also write ``<stem>_prob.png``, 16 bit, 65535 is 1.
        save_overlay: also write ``<stem>_overlay.png``, the picture with the outlines of its defects, decision and
            score.
        skip_existing: keep the rows of an earlier run for the pictures that are not segmented again.
        threshold: a pixel counts above it, in [0, 1).
        min_area: of a defect, in pixels, 1 or more.

    Raises:
        ValueError: ``threshold`` or ``min_area`` out of its range; at work, a probability of several channels.
    """

    columns = COLUMNS

    def __init__(
        self,
        input_dir: str | Path,
        output_dir: str | Path,
        save_probability: bool = False,
        save_overlay: bool = False,
        skip_existing: bool = False,
        threshold: float = 0.5,
        min_area: int = 1,
    ) -> None:
        super().__init__(input_dir, output_dir, save_probability, save_overlay, skip_existing)
        if not 0 <= threshold < 1:
            raise ValueError(f"threshold must be in [0, 1), got {threshold}")
        if not isinstance(min_area, int) or min_area < 1:
            raise ValueError(f"min_area must be a whole number of 1 or more, got {min_area}")
        self.threshold, self.min_area = threshold, min_area

    def find(self, item: dict[str, Any], output: dict[str, Any], target: Path) -> list[dict[str, Any]]:
        """Write the mask of a picture, decide, and measure its defects."""
        channels = rows_first(output["probability"])
        if len(channels) != 1:
            raise ValueError(f"probability must have one channel, got {len(channels)}")
        probability = channels[0]
        score = probability.max()
        if np.isnan(score):  # would be above no threshold, and the picture OK
            raise UserError(f"{item['image_file']}: the network gave NaN; try --amp False, or check its weights")
        labels = label_defects(probability, self.threshold, self.min_area)
        defects = measure_defects(labels, probability)
        decision = "NG" if defects else "OK"
        self._write(target, "seg", np.multiply(labels > 0, np.uint8(255), dtype=np.uint8))
        if self.save_probability:
            self._write(target, "prob", to_16_bits(probability))
        if self.save_overlay:
            contours = draw_contours(rows_first(item["raw"]).transpose(1, 2, 0), labels)
            self._write(target, "overlay", write_verdict(contours, decision, score))
        picture = {"decision": decision, "score": f"{score:.6f}", "threshold": self.threshold}
        return [picture | defect for defect in defects or [{}]]


def check_defects(output_dir: str | Path) -> None:
    """Say what an inspection has decided; it stands last in ``run``.

    Args:
        output_dir: folder with ``findings.csv``.

    Raises:
        UserError: some pictures could not be segmented.
    """
    table = Path(output_dir) / "findings.csv"
    pictures = list({row["image"]: row for row in read_findings(table)}.values())
    decisions = [row["decision"] for row in pictures]
    logging.getLogger(__name__).info("%d NG, %d OK; table: %s", decisions.count("NG"), decisions.count("OK"), table)
    refuse_failures(pictures, table)


def label_defects(probability: np.ndarray, threshold: float, min_area: int) -> np.ndarray:
    """Number the connected regions above a threshold that are large enough, from top to bottom.

    Args:
        probability: of a defect.
        threshold: a pixel counts above it.
        min_area: of a region, in pixels.

    Shape:
        (H, W), also of the result, which is int32: 0 background, 1 .. n.

    Example:
        >>> label_defects(np.array([[0.9, 0.0, 0.0], [0.0, 0.0, 0.7], [0.0, 0.8, 0.0]]), threshold=0.5, min_area=2)
        array([[0, 0, 0],
               [0, 0, 1],
               [0, 1, 0]], dtype=int32)
    """
    mask = np.greater(probability, threshold, order="C")
    labels, count = label(mask, return_num=True, connectivity=2)
    found = labels[mask]  # the rest of the work is done on these alone: a defect is small, a picture can be large
    kept = np.bincount(found, minlength=count + 1) >= min_area
    labels[mask] = np.where(kept, np.cumsum(kept), 0).astype(labels.dtype)[found]
    return labels


def measure_defects(labels: np.ndarray, probability: np.ndarray) -> list[dict[str, Any]]:
    """Rows of the table for one picture, one per defect.

    It looks at the box of each defect alone and lists no coordinates, which for one that fills a large picture would
    take many times the memory of the picture.

    Args:
        labels: label map, 0 is background, numbered without gaps.
        probability: of a defect.

    Shape:
        (H, W) both.

    Example:
        >>> (row,) = measure_defects(np.array([[0, 1, 1]]), np.array([[0.1, 0.75, 1.0]]))
        >>> row["defect"], row["x"], row["w"], row["area"], row["centroid_x"], row["mean_probability"]
        (1, 1, 2, 2, '1.50', '0.875000')
    """
    rows = []
    for number, box in enumerate(find_objects(labels), start=1):
        inside = labels[box] == number
        height, width = inside.shape
        top, left = (side.start for side in box)
        area = int(np.count_nonzero(inside))
        found = probability[box][inside]
        rows.append(
            {
                "defect": number,
                "x": left,
                "y": top,
                "w": width,
                "h": height,
                "area": area,
                "centroid_x": f"{left + np.arange(width) @ inside.sum(axis=0) / area:.2f}",
                "centroid_y": f"{top + np.arange(height) @ inside.sum(axis=1) / area:.2f}",
                "mean_probability": f"{found.mean():.6f}",
                "max_probability": f"{found.max():.6f}",
            }
        )
    return rows


def write_verdict(picture: np.ndarray, decision: str, score: float) -> np.ndarray:
    """Write decision and score into the upper left corner of a picture.

    Args:
        picture: uint8.
        decision: NG or OK.
        score: in [0, 1].

    Shape:
        (H, W, 3), also of the result.
    """
    canvas = Image.fromarray(picture)
    size = max(12, max(canvas.size) // 40)
    ImageDraw.Draw(canvas).text(
        (size // 2, size // 2),
        f"{decision}  {score:.3f}",
        COLOURS[decision],
        ImageFont.load_default(size),
        stroke_width=max(1, size // 12),
        stroke_fill=(0, 0, 0),  # readable on any ground
    )
    return np.asarray(canvas)
