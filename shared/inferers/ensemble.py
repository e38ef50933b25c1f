"""Several networks as one, by the mean of their probabilities."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch.nn import functional

__all__ = ["Ensemble", "mean_logits"]


def mean_logits(outputs: Iterable[torch.Tensor], softmax: bool = False) -> torch.Tensor:
    """Logits of the mean probability of several outputs; one output is held at a time, and a running mean.

    What follows a network then follows the mean just as well, be it sigmoid, softmax or the blending of windows. The
    mean is taken of logarithms: certain outputs, whose probability rounds to 1, keep their finite logits.

    Args:
        outputs: logits, all of one shape, one output at least.
        softmax: the channels are classes of which one is true; else each channel is a question of its own.

    Returns:
        float32 logits. By softmax they are the logarithms of the mean probabilities.

    Shape:
        ``(N, C, *spatial)``, as each output.

    Example:
        >>> mean_logits([torch.tensor([[-1.0, 200.0]]), torch.tensor([[1.0, 200.0]])])
        tensor([[  0., 200.]])
    """
    yes, no, count = torch.empty(0), torch.empty(0), 0
    for output in outputs:
        logits = output.float()
        its_yes = functional.log_softmax(logits, 1) if softmax else functional.logsigmoid(logits)
        yes = torch.logaddexp(yes, its_yes) if count else its_yes
        if not softmax:
            its_no = functional.logsigmoid(-logits)
            no = torch.logaddexp(no, its_no) if count else its_no
        count += 1
    if not count:
        raise ValueError("outputs must be one at least, got none")
    return yes - math.log(count) if softmax else yes - no


class Ensemble(torch.nn.ModuleList):
    """Networks of one architecture as one network, whose probabilities are the mean of theirs.

    Engines take it as one network.

    Args:
        networks: one at least.
        softmax: as for ``mean_logits``.

    Shape:
        As of each network, which gives one tensor of logits.
    """

    def __init__(self, networks: Iterable[torch.nn.Module], softmax: bool = False) -> None:
        super().__init__(networks)
        self.softmax = softmax

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return mean_logits((network(x) for network in self), self.softmax)
