"""A small evaluator and trainer whose numbers are known."""

import pytest
import torch
from monai.engines import SupervisedEvaluator
from monai.handlers import IgniteMetricHandler, from_engine

from shared.metrics.overlap import Overlap


class Threshold(torch.nn.Module):
    """Finds what is brighter than a half."""

    def forward(self, x):
        return (x > 0.5).float()


@pytest.fixture
def evaluator():
    """Call it with cases and handlers, and run it: ``image`` itself is what is found, ``label`` the truth."""

    def make(cases, handlers):
        loader = [{k: [v] if isinstance(v, str) else v[None] for k, v in case.items()} for case in cases]
        metric = IgniteMetricHandler(metric_fn=Overlap("dice"), output_transform=from_engine(["pred", "label"]))
        return SupervisedEvaluator(
            "cpu", loader, Threshold(), key_val_metric={"dice": metric}, val_handlers=handlers, epoch_length=len(loader)
        )

    return make
