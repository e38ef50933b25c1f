"""Writes what inspection found in pictures: masks, a decision for each, and a table of defects."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from monai.engines import Workflow
from PIL import Image, ImageDraw, ImageFont

from ..atomic import atomic_path
from ..tables import six_digits
from .contours import PREDICTION, draw_contours, rows_first
from .defect_regions import STRIP, Region, Regions
from .findings import PictureFindings, read_findings, refuse_failures, refuse_nan, to_16_bits
from .png import write_png

__all__ = ["SaveDefects", "check_defects"]

COLUMNS = ("picture", "decision", "score", "threshold", "id", "area_px", "centroid_x", "centroid_y", "box_x", "box_y",
           "box_w", "box_h", "mean_probability", "max_probability", "error")  # fmt: skip
COLOURS = {"NG": PREDICTION, "OK": (0, 255, 0)}


class SaveDefects(PictureFindings):
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
        refuse_nan(item, score)
        found = Regions(probability, self.threshold, self.min_area)
        defects = measure_defects(found.regions)
        decision = "NG" if defects else "OK"
        size = probability.shape
        if self.save_overlay:
            overlay = draw_contours(rows_first(item["image"]).transpose(1, 2, 0), np.concatenate(list(found.mask())))
            write_verdict(overlay, decision, score)
            self._write_strips(target, "overlay", overlay.shape, strips_of(overlay))
        if self.save_probability:
            self._write_strips(target, "prob", size, map(to_16_bits, strips_of(probability)))
        self._write_strips(target, "seg", size, (np.where(mask, np.uint8(255), np.uint8(0)) for mask in found.mask()))
        picture = {"decision": decision, "score": six_digits(score), "threshold": self.threshold}
        return [picture | defect for defect in defects or [{}]]

    def save(self, engine: Workflow) -> None:
        """Write the files of the picture just segmented, and let go of it: the next may be as large."""
        super().save(engine)
        engine.state.batch, engine.state.output = [], []

    def _write_strips(self, target: Path, kind: str, shape: tuple[int, ...], strips: Iterable[np.ndarray]) -> None:
        with atomic_path(target.with_name(f"{target.name}_{kind}.png")) as temporary:
            write_png(temporary, shape, strips)


def check_defects(output_dir: str | Path) -> None:
    """Say what an inspection has decided; it stands last in ``run``.

    Args:
        output_dir: folder with ``findings.csv``.

    Raises:
        UserError: some pictures could not be segmented.
    """
    table = Path(output_dir) / "findings.csv"
    pictures = list({row["picture"]: row for row in read_findings(table, COLUMNS)}.values())
    decisions = [row["decision"] for row in pictures]
    logging.getLogger(__name__).info("%d NG, %d OK; table: %s", decisions.count("NG"), decisions.count("OK"), table)
    refuse_failures(pictures, table)


def measure_defects(regions: Sequence[Region]) -> list[dict[str, Any]]:
    """Rows of the table for one picture, one per defect.

    Example:
        >>> (row,) = measure_defects(Regions(np.array([[0.1, 0.75, 1.0]]), threshold=0.5, min_area=1).regions)
        >>> row["id"], row["box_x"], row["box_w"], row["area_px"], row["centroid_x"], row["mean_probability"]
        (1, 1, 2, 2, '1.50', '0.875')
    """
    return [
        {
            "id": number,
            "area_px": region.area,
            "centroid_x": f"{region.left + (region.columns - region.left * region.area) / region.area:.2f}",
            "centroid_y": f"{region.top + (region.rows - region.top * region.area) / region.area:.2f}",
            "box_x": region.left,
            "box_y": region.top,
            "box_w": region.right - region.left,
            "box_h": region.bottom - region.top,
            "mean_probability": six_digits(region.total / region.area),
            "max_probability": six_digits(region.peak),
        }
        for number, region in enumerate(regions, start=1)
    ]


def strips_of(pixels: np.ndarray) -> Iterator[np.ndarray]:
    """Views of a picture, as many whole rows at a time as are worked on at a time elsewhere."""
    rows = max(1, STRIP // pixels.shape[1])
    return (pixels[top : top + rows] for top in range(0, len(pixels), rows))


def write_verdict(picture: np.ndarray, decision: str, score: float) -> None:
    """Write decision and score into the upper left corner of a picture.

    Args:
        picture: uint8; it is written on.
        decision: NG or OK.
        score: in [0, 1].

    Shape:
        (H, W, 3).
    """
    size = max(12, max(picture.shape[:2]) // 40)
    corner = picture[: 3 * size, : 24 * size]  # beyond what the words need
    canvas = Image.fromarray(corner)
    ImageDraw.Draw(canvas).text(
        (size // 2, size // 2),
        f"{decision}  {score:#.3g}",
        COLOURS[decision],
        ImageFont.load_default(size),
        stroke_width=max(1, size // 12),
        stroke_fill=(0, 0, 0),  # readable on any ground
    )
    corner[...] = canvas
