"""Pictures of what was found beside what is true, for the worst, the median and the best case."""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import Any

import ignite.distributed as idist
import numpy as np
import torch
from ignite.engine import Events
from monai.engines import Workflow
from monai.utils import string_list_all_gather
from PIL import Image
from skimage.segmentation import find_boundaries

from ..atomic import atomic_path
from .case_report import case_scores

__all__ = ["Overlays", "draw_contours", "rows_first"]

TRUTH = (0, 255, 0)
PREDICTION = (255, 96, 0)
BOTH = (255, 255, 0)
SHOWN = (0.5, 99.8)  # percentiles
STRIP = 2**20  # pixels that are drawn at a time
LONGEST_SIDE = 1024  # smaller pictures are enlarged up to it, so that a contour does not hide what it encloses


def draw_contours(image: np.ndarray, prediction: np.ndarray, truth: np.ndarray | None = None) -> np.ndarray:
    """Draw the outlines of two label maps on a picture: truth green, prediction orange, both yellow.

    Args:
        image: picture of any range; shown between its 0.5 and 99.8 percentiles.
        prediction: label map, 0 is background.
        truth: label map of the same size, if it is known.

    Shape:
        ``image`` (H, W, 3) or (H, W, 1), label maps (H, W). The result is uint8 (k H, k W, 3) with the largest
        whole k for which no side exceeds 1024 pixels, at least 1.
    """
    height, width = image.shape[:2]
    factor = max(1, LONGEST_SIDE // max(height, width))
    dark, bright = np.percentile(image, SHOWN)
    drawn = np.empty((factor * height, factor * width, 3), np.uint8)
    rows = max(1, STRIP // width)
    for top in range(0, height, rows):  # a large picture would take many times its size in float64 and as boundaries
        strip = slice(top, min(top + rows, height))
        shown = np.clip((image[strip] - dark) / (bright - dark or 1), 0, 1)
        colours = np.round(255 * np.broadcast_to(shown, (*shown.shape[:2], 3))).astype(np.uint8)
        part = drawn[factor * strip.start : factor * strip.stop]
        part[...] = _enlarge(colours, factor)
        found = _outline(prediction, strip, factor)
        part[found] = PREDICTION
        if truth is not None:
            true = _outline(truth, strip, factor)
            part[true] = TRUTH
            part[true & found] = BOTH
    return drawn


def _enlarge(pixels: np.ndarray, factor: int) -> np.ndarray:
    return pixels.repeat(factor, axis=0).repeat(factor, axis=1)


def _outline(labels: np.ndarray, strip: slice, factor: int) -> np.ndarray:
    """Boundaries in some rows of a label map, enlarged; the rows above and below have a say in them."""
    above = min(1, strip.start)
    seen = labels[strip.start - above : strip.stop + 1]
    outline = find_boundaries(_enlarge(seen, factor), mode="inner")
    return outline[factor * above : factor * (above + strip.stop - strip.start)]


class Overlays:
    """Writes overlays of the worst, the median and the best case into ``overlays/`` when an evaluation has ended.

    Each is called ``<rank>_<metric>_<value>_<case>.png``. Cases for which the metric is undefined are left out.

    Args:
        output_dir: folder that gets ``overlays/``.
        metric: which metric ranks the cases; the evaluator keeps its details.
        truth: key of the true label map in the evaluator's output.
        prediction: key of the label map found.
    """

    def __init__(self, output_dir: str | Path, metric: str, truth: str = "label", prediction: str = "pred") -> None:
        self.folder = Path(output_dir) / "overlays"
        self.metric, self.truth, self.prediction = metric, truth, prediction
        self.pictures: dict[str, bytes] = {}

    def attach(self, engine: Workflow) -> None:
        engine.add_event_handler(Events.STARTED, self.start)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.draw)
        engine.add_event_handler(Events.COMPLETED, self.write)

    def start(self, engine: Workflow) -> None:
        """Forget the pictures of an earlier run."""
        self.pictures = {}

    def draw(self, engine: Workflow) -> None:
        """Draw the case just seen. Which are kept is known at the end only, so all wait in memory as PNG."""
        for item, output in zip(engine.state.batch, engine.state.output, strict=True):
            buffer = io.BytesIO()
            Image.fromarray(self.picture(item, output)).save(buffer, "png", compress_level=1)
            self.pictures[item["id"]] = buffer.getvalue()

    def picture(self, item: dict[str, Any], output: dict[str, Any]) -> np.ndarray:
        """Draw a case; uint8 (H, W, 3)."""
        image = rows_first(item["image"]).transpose(1, 2, 0)
        return draw_contours(
            image[..., : 3 if image.shape[-1] >= 3 else 1],
            rows_first(output[self.prediction])[0].astype(np.int32),
            rows_first(output[self.truth])[0].astype(np.int32),
        )

    def write(self, engine: Workflow) -> None:
        """Write the overlays of the three cases on the first process, wherever they were drawn."""
        scores = case_scores(engine, string_list_all_gather(list(self.pictures)))
        ranked = sorted(
            (values[self.metric], case) for case, values in scores.items() if not math.isnan(values[self.metric])
        )
        if not ranked:
            return
        shown = {"worst": ranked[0], "median": ranked[len(ranked) // 2], "best": ranked[-1]}
        held: Any = idist.all_gather({case: self.pictures[case] for _, case in shown.values() if case in self.pictures})
        if engine.state.rank > 0:
            return
        pictures = {case: picture for process in held for case, picture in process.items()}
        for old in self.folder.glob(f"*_{self.metric}_*.png"):  # of an earlier evaluation
            old.unlink()
        for rank, (value, case) in shown.items():
            name = f"{rank}_{self.metric}_{value:.3f}_{case.replace('/', '__')}.png"
            with atomic_path(self.folder / name) as temporary:
                temporary.write_bytes(pictures[case])


def rows_first(tensor: torch.Tensor) -> np.ndarray:
    """MONAI's (C, W, H) as (C, H, W)."""
    return tensor.detach().cpu().numpy().transpose(0, 2, 1)
