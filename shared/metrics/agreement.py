"""How far the outputs of a network in another form, precision or engine are from those of the network itself."""

from __future__ import annotations

import math

import torch

__all__ = ["Agreement"]

LEAST_DICE = 0.998
MOST_DIFFERENCE = 0.005
MOST_SHIFT = 4 * MOST_DIFFERENCE  # of logits, in channels without masks: no sigmoid is steeper than 1/4


class Agreement:
    """Compares logits, all pictures pooled.

    Attributes:
        pictures: how many were compared.
        largest: largest difference of any two logits.

    Example:
        >>> agreement = Agreement()
        >>> agreement.add(torch.tensor([[[2.0, -2.0]]]), torch.tensor([[[2.5, 1.0]]]))
        >>> agreement.largest, round(agreement.dice, 3), agreement.is_close()
        (3.0, 0.667, False)
    """

    def __init__(self) -> None:
        self.pictures, self.largest = 0, 0.0
        self._values, self._difference = 0, 0.0
        self._both = self._sizes = self._shift = torch.zeros(1)  # for each channel

    def add(self, expected: torch.Tensor, found: torch.Tensor) -> None:
        """Take in a batch.

        Args:
            expected: logits of the network itself.
            found: those of the other.

        Shape:
            Both ``(N, C, *spatial)``.

        Raises:
            ValueError: the shapes differ.
        """
        if expected.shape != found.shape:
            raise ValueError(f"found must have the shape {tuple(expected.shape)}, got {tuple(found.shape)}")
        expected, found = expected.cpu().double(), found.cpu().double()  # Apple's GPU has no doubles
        p, q = torch.sigmoid(expected), torch.sigmoid(found)
        self.pictures += len(expected)
        # A NaN would lose against any number in a comparison; it must not count as agreement.
        largest = (expected - found).abs().max().item()
        self.largest = math.nan if math.isnan(largest) else max(self.largest, largest)
        self._difference += (p - q).abs().sum().item()
        self._values += p.numel()
        self._both = self._both + _per_channel((p > 0.5) & (q > 0.5))
        self._sizes = self._sizes + _per_channel(p > 0.5) + _per_channel(q > 0.5)
        self._shift = self._shift + _per_channel((expected - found).abs())

    @property
    def dice(self) -> float:
        """Dice of the masks, where a probability exceeds 0.5; NaN if nothing is in any mask."""
        sizes = self._sizes.sum().item()
        return 2 * self._both.sum().item() / sizes if sizes else math.nan

    @property
    def mean_difference(self) -> float:
        """Mean absolute difference of the probabilities; NaN without pictures."""
        return self._difference / self._values if self._values else math.nan

    @property
    def shift(self) -> float:
        """Largest mean absolute difference of the logits of any channel that has nothing in any mask; 0 without one."""
        shifts = self._shift[self._sizes == 0] * len(self._sizes) / max(self._values, 1)
        return shifts.max().item() if len(shifts) else 0.0

    def is_close(self) -> bool:
        """Whether the other may stand for the network itself.

        Where nothing is found all probabilities are near 0, whatever the network computes: -10 everywhere would pass.
        There the logits must agree, so closely that the probabilities would at any level: a sigmoid is nowhere steeper
        than 1/4, and logits 0.02 apart have probabilities 0.005 apart at most, whatever is added to both.
        """
        return self.mean_difference <= MOST_DIFFERENCE and not self.dice < LEAST_DICE and self.shift <= MOST_SHIFT

    def __str__(self) -> str:
        masks = "no masks to compare" if math.isnan(self.dice) else f"Dice of the masks {self.dice:.4f}"
        shift = f", mean difference where there is no mask {self.shift:.1e}" if (self._sizes == 0).any() else ""
        return f"{masks}, mean |dp| {self.mean_difference:.1e}, largest difference of logits {self.largest:.1e}{shift}"


def _per_channel(values: torch.Tensor) -> torch.Tensor:
    return values.double().transpose(0, 1).flatten(1).sum(1)
