"""Pictures of what was found beside what is true, for the worst, the median and the best case."""

from __future__ import annotations

import math
import shutil
import weakref
from pathlib import Path
from typing import Any

import ignite.distributed as idist
import numpy as np
from ignite.engine import Events
from monai.engines import Workflow
from monai.utils import string_list_all_gather
from PIL import Image

from ..atomic import atomic_path, part_name
from .case_report import case_scores
from .contours import draw_contours, rows_first

__all__ = ["Overlays"]

LONGEST = 150  # bytes of a case in a file's name, of which a disk takes 255 at most


class Overlays:
    """Writes overlays of the worst, the median and the best case into ``overlays/`` when an evaluation has ended.

    Each is called ``<rank>_<metric>_<value>_<case>.png``; of a long case the end names it. Cases for which the metric
    is undefined are left out.

    Args:
        output_dir: folder that gets ``overlays/``.
        metric: which metric ranks the cases; the evaluator keeps its details.
        truth: key of the true label map in the evaluator's output.
        prediction: key of the label map found.
    """

    def __init__(self, output_dir: str | Path, metric: str, truth: str = "label", prediction: str = "pred") -> None:
        self.folder = Path(output_dir) / "overlays"
        self.metric, self.truth, self.prediction = metric, truth, prediction
        self.pictures: dict[str, Path] = {}

    def attach(self, engine: Workflow) -> None:
        engine.add_event_handler(Events.STARTED, self.start)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.draw)
        engine.add_event_handler(Events.COMPLETED, self.write)

    def start(self, engine: Workflow) -> None:
        """Forget the pictures of an earlier run."""
        self.pictures, self.waiting = {}, self.folder.with_name(part_name())
        self.waiting.mkdir(parents=True)
        self.clear = weakref.finalize(self, shutil.rmtree, self.waiting, ignore_errors=True)  # at the latest on exit

    def draw(self, engine: Workflow) -> None:
        """Draw the case just seen. Which are kept is known at the end only, so all wait in a folder."""
        for item, output in zip(engine.state.batch, engine.state.output, strict=True):
            file = self.pictures.setdefault(item["id"], self.waiting / f"{len(self.pictures)}.png")
            Image.fromarray(self.picture(item, output)).save(file, compress_level=1)

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
        try:
            self._write(engine)
        finally:
            self.clear()

    def _write(self, engine: Workflow) -> None:
        scores = case_scores(engine, string_list_all_gather(list(self.pictures)))
        ranked = sorted(
            (values[self.metric], case) for case, values in scores.items() if not math.isnan(values[self.metric])
        )
        if not ranked:
            return
        shown = {"worst": ranked[0], "median": ranked[len(ranked) // 2], "best": ranked[-1]}
        chosen = {case for _, case in shown.values()} & self.pictures.keys()
        held: Any = idist.all_gather({case: self.pictures[case].read_bytes() for case in chosen})
        if engine.state.rank > 0:
            return
        pictures = {case: picture for process in held for case, picture in process.items()}
        for old in self.folder.glob(f"*_{self.metric}_*.png"):  # of an earlier evaluation
            old.unlink()
        for rank, (value, case) in shown.items():
            end = case.replace("/", "__").encode()[-LONGEST:].decode(errors="ignore")
            with atomic_path(self.folder / f"{rank}_{self.metric}_{value:.3f}_{end}.png") as temporary:
                temporary.write_bytes(pictures[case])
