"""Pictures of what was found beside what is true, for the worst, the median and the best case."""

from __future__ import annotations

import io
import math
from pathlib import Path

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
    factor = max(1, LONGEST_SIDE // max(image.shape[:2]))

    def enlarge(pixels: np.ndarray) -> np.ndarray:
        return pixels.repeat(factor, axis=0).repeat(factor, axis=1)

    dark, bright = np.percentile(image, SHOWN)
    shown = np.clip((image - dark) / (bright - dark or 1), 0, 1)
    drawn = enlarge(np.round(255 * np.broadcast_to(shown, (*image.shape[:2], 3))).astype(np.uint8))
    found = find_boundaries(enlarge(prediction), mode="inner")
    drawn[found] = PREDICTION
    if truth is not None:
        true = find_boundaries(enlarge(truth), mode="inner")
        drawn[true] = TRUTH
        drawn[true & found] = BOTH
    return drawn


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
            image = rows_first(item["image"]).transpose(1, 2, 0)
            overlay = draw_contours(
                image[..., : 3 if image.shape[-1] >= 3 else 1],
                rows_first(output[self.prediction])[0].astype(np.int32),
                rows_first(output[self.truth])[0].astype(np.int32),
            )
            buffer = io.BytesIO()
            Image.fromarray(overlay).save(buffer, "png", compress_level=1)
            self.pictures[item["id"]] = buffer.getvalue()

    def write(self, engine: Workflow) -> None:
        """Write the overlays that this process holds of the three cases."""
        scores = case_scores(engine, string_list_all_gather(list(self.pictures)))
        ranked = sorted(
            (values[self.metric], case) for case, values in scores.items() if not math.isnan(values[self.metric])
        )
        if not ranked:
            return
        if engine.state.rank == 0:
            for old in self.folder.glob(f"*_{self.metric}_*.png"):  # of an earlier evaluation
                old.unlink()
        for rank, number in (("worst", 0), ("median", len(ranked) // 2), ("best", len(ranked) - 1)):
            value, case = ranked[number]
            if case in self.pictures:
                name = f"{rank}_{self.metric}_{value:.3f}_{case.replace('/', '__')}.png"
                with atomic_path(self.folder / name) as temporary:
                    temporary.write_bytes(self.pictures[case])


def rows_first(tensor: torch.Tensor) -> np.ndarray:
    """MONAI's (C, W, H) as (C, H, W)."""
    return tensor.detach().cpu().numpy().transpose(0, 2, 1)
