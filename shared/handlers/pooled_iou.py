"""Reports the pooled IoU of an evaluation."""

from __future__ import annotations

from ignite.engine import Events
from monai.engines import Workflow

from ..metrics.pooled_iou import pooled_iou
from .by_index import gather_by_index

__all__ = ["PooledIoU"]


class PooledIoU:
    """``pooled_iou`` in the order of the data list, whatever order loader and processes take.

    It stands among an evaluator's metrics. Pictures are known by their ``index``; one that several processes saw counts
    once.

    Args:
        prediction: key of the binary prediction in the evaluator's output.
        truth: key of the binary truth.
        group_size: pictures per group.
    """

    def __init__(self, prediction: str = "pred", truth: str = "label", group_size: int = 16) -> None:
        self.prediction, self.truth, self.group_size = prediction, truth, group_size
        self.counts: list[list[float]] = []

    def attach(self, engine: Workflow, name: str) -> None:
        engine.add_event_handler(Events.EPOCH_STARTED, self.start)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.count)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self.finish, name)

    def start(self, engine: Workflow) -> None:
        """Forget an earlier evaluation."""
        self.counts = []

    def count(self, engine: Workflow) -> None:
        """Count the pixels of the pictures just seen."""
        for item, output in zip(engine.state.batch, engine.state.output, strict=True):
            found, true = output[self.prediction] > 0, output[self.truth] > 0
            both, either = (found & true).sum().item(), (found | true).sum().item()
            self.counts.append([int(item["index"]), both, either])

    def finish(self, engine: Workflow, name: str) -> None:
        """Leave the figure among the engine's metrics."""
        counts, once = gather_by_index(self.counts, 3)
        _, intersections, unions = counts[once].T
        engine.state.metrics[name] = pooled_iou(intersections, unions, self.group_size)
