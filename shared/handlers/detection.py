"""Reports how well an evaluator's network finds defects."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from ignite.engine import Events
from monai.engines import Workflow

from ..metrics import DefectCounts, PixelAveragePrecision
from ..metrics.detection import (
    REFERENCE_THRESHOLDS,
    PictureCounts,
    defective_dice,
    defective_iou,
    detection_cost,
    image_average_precision,
    image_roc_auc,
    iou_ths,
    true_negatives,
    true_positives,
)
from .by_index import gather_by_index

__all__ = ["Detection"]

HALF = 0.5
WHOLE = ("image_auroc", "image_ap", "pixel_ap", "detection_cost")  # of all pictures together


class Detection:
    """Leaves all figures of detection among the evaluator's metrics, and per picture where a picture has one.

    It stands among an evaluator's metrics, under the name of one of its own figures (the key metric, say), or among
    its handlers. Per picture, and as the mean of those that have it:

    * ``dice_defective`` and ``iou_defective`` at ``threshold``, of defective pictures, and ``dice_defective_0.5`` and
      ``iou_defective_0.5`` at one half;
    * ``true_positive_rate`` and ``true_negative_rate`` at ``threshold``, 1 or 0 for a defective or a sound picture;
    * ``IoU_THS_t``, ``true_positive_rate_t`` and ``true_negative_rate_t`` at each t of ``thresholds``, as the
      reference program reports them. The first is a Dice in truth, and 1 where nothing is and nothing was found;
    * ``defect_score``, the threshold from which on nothing is found in the picture, and whether it is ``defective``, as
      details only.

    For all pictures together: ``image_auroc`` and ``image_ap`` of the scores, ``pixel_ap`` of all pixels (see
    ``PixelAveragePrecision``), and ``detection_cost`` at ``threshold``, where a miss costs 20 and a false alarm 1.

    All but the reference's figures are of ``kept``, what inference makes a mask of: see ``AreaOpeningd``.

    Pictures are known by their ``index``; one that several processes saw counts once, but for ``pixel_ap``.

    Args:
        thresholds: those of the reference's figures, each in [0, 1).
        threshold: that of the others, in [0, 1); a pixel is found *above* it.
        prediction: key of the probabilities in the evaluator's output.
        truth: key of the truth, 0 and 1.
        kept: key of the probabilities less what is too small to count; by default ``prediction``.

    Raises:
        ValueError: a threshold is out of its range; in ``attach``, ``name`` is none of the figures.

    Reference:
        NVIDIA DeepLearningExamples, TensorFlow/Segmentation/UNet_Industrial.
    """

    def __init__(
        self,
        thresholds: Sequence[float] = REFERENCE_THRESHOLDS,
        threshold: float = 0.5,
        prediction: str = "probability",
        truth: str = "label",
        kept: str | None = None,
    ) -> None:
        self.thresholds = tuple(thresholds)
        self.prediction, self.truth, self.kept = prediction, truth, kept or prediction
        self.reference, self.own = DefectCounts(thresholds), DefectCounts((HALF, threshold))
        self.pixels = PixelAveragePrecision()
        self.indices: list[int] = []

    def attach(self, engine: Workflow, name: str | None = None) -> None:
        nobody = PictureCounts(*np.zeros((2, 0)), *np.zeros((2, 0, max(2, len(self.thresholds)))))
        known = [*own_figures(nobody), *reference_figures(nobody, self.thresholds), *WHOLE]
        if name is not None and name not in known:
            raise ValueError(f"name must be one of {', '.join(known)}, got {name!r}")
        engine.add_event_handler(Events.EPOCH_STARTED, self.start)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.count)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self.finish)

    def start(self, engine: Workflow) -> None:
        """Forget an earlier evaluation."""
        self.reference.reset()
        self.own.reset()
        self.pixels.reset()
        self.indices = []

    def count(self, engine: Workflow) -> None:
        """Count the pixels of the pictures just seen."""
        keys = (self.prediction, self.kept, self.truth)
        probability, kept, truth = ([item[key] for item in engine.state.output] for key in keys)
        self.reference(probability, truth)
        self.own(kept, truth)
        self.pixels(kept, truth)
        self.indices += [item.get("index", seen) for seen, item in enumerate(engine.state.batch, len(self.indices))]

    def finish(self, engine: Workflow) -> None:
        """Leave the figures with the engine."""
        counts = self.own.aggregate()
        figures = own_figures(counts) | reference_figures(self.reference.aggregate(), self.thresholds)
        details = figures | {"defect_score": counts.score, "defective": counts.true > 0}
        for name, values in details.items():
            engine.state.metric_details[name] = torch.tensor(values, dtype=torch.float64)[:, None]

        _, once = gather_by_index([[index] for index in self.indices], 1)  # in the order of the counts gathered above
        counts = PictureCounts(*(values[once] for values in counts))
        for name, values in figures.items():
            engine.state.metrics[name] = torch.nanmean(torch.tensor(values[once])).item()
        true, found, _ = counts.at(1)
        whole = (
            image_roc_auc(counts.score, true > 0),
            image_average_precision(counts.score, true > 0),
            self.pixels.aggregate().item(),
            detection_cost(true, found),
        )
        engine.state.metrics.update(zip(WHOLE, whole, strict=True))


def own_figures(counts: PictureCounts) -> dict[str, np.ndarray]:
    """The figures of each picture that are not the reference's; what is undefined for it is NaN.

    Args:
        counts: at one half and at the threshold of the figures that have none in their names.
    """
    half, own = counts.at(0), counts.at(1)
    return {
        "dice_defective": defective_dice(*own),
        "iou_defective": defective_iou(*own),
        f"dice_defective_{HALF:g}": defective_dice(*half),
        f"iou_defective_{HALF:g}": defective_iou(*half),
        "true_positive_rate": true_positives(*own[:2]),
        "true_negative_rate": true_negatives(*own[:2]),
    }


def reference_figures(counts: PictureCounts, thresholds: Sequence[float]) -> dict[str, np.ndarray]:
    """The reference's figures of each picture; what is undefined for it is NaN.

    Args:
        counts: at all ``thresholds``.
        thresholds: as they shall stand in the names.
    """
    at = {f"{threshold:g}": counts.at(number) for number, threshold in enumerate(thresholds)}
    figures = {f"IoU_THS_{name}": iou_ths(*those) for name, those in at.items()}
    figures |= {f"true_positive_rate_{name}": true_positives(*those[:2]) for name, those in at.items()}
    return figures | {f"true_negative_rate_{name}": true_negatives(*those[:2]) for name, those in at.items()}
