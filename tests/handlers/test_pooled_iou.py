import pytest
import torch
from ignite.engine import Engine

from shared.handlers import PooledIoU


def test_the_order_of_the_list_counts_and_a_repeated_picture_once():
    cases = {0: ([1, 1, 0], [1, 0, 0]), 1: ([1, 1, 1], [1, 1, 1]), 2: ([0, 0, 1], [1, 0, 1])}

    def step(engine, index):
        found, truth = (torch.tensor([values]) for values in cases[index])
        engine.state.batch, engine.state.output = [{"index": index}], [{"pred": found, "label": truth}]
        return engine.state.output

    engine = Engine(step)
    PooledIoU(group_size=2).attach(engine, "iou_pooled")
    engine.run([2, 0, 1, 0])
    assert engine.state.metrics["iou_pooled"] == pytest.approx((2 * (1 + 3) / (2 + 3) + 1 / 2) / 3, abs=1e-5)
    engine.run([2])
    assert engine.state.metrics["iou_pooled"] == pytest.approx(1 / 2, abs=1e-5)
