"""A convex surrogate of the Jaccard loss."""

from __future__ import annotations

import torch
from torch import nn

__all__ = ["LovaszHingeLoss", "lovasz_hinge"]


def lovasz_hinge(logits: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Lovász extension of the Jaccard loss over the hinge errors of one picture.

    With the errors ``e = 1 - logit * (2 truth - 1)`` in descending order it is the sum of ``relu(e_k) * (J_k -
    J_{k-1})``, where ``J_k`` is the Jaccard loss of the picture with the k pixels of largest error mispredicted.

    Args:
        logits: of foreground.
        truth: 0 or 1; values between, as resized masks have, enter the formula as they are.

    Shape:
        Both (P,), the result is a scalar.

    Reference:
        Berman, Triki, Blaschko: The Lovász-Softmax loss, CVPR 2018, algorithm 1.
    """
    errors, order = torch.sort(1 - logits * (2 * truth - 1), descending=True)
    sorted_truth = truth[order]
    total = sorted_truth.sum()
    intersection = total - sorted_truth.cumsum(0)
    union = total + (1 - sorted_truth).cumsum(0)
    jaccard = 1 - intersection / union
    steps = torch.cat([jaccard[:1], jaccard[1:] - jaccard[:-1]])
    return torch.dot(torch.relu(errors), steps)


class LovaszHingeLoss(nn.Module):
    """Mean of ``lovasz_hinge`` over the pictures of a batch and their classes, each of which is a channel.

    Shape:
        Logits and truth (N, classes, *spatial).

    Raises:
        ValueError: shapes differ.

    Example:
        >>> truth = torch.tensor([[[0.0, 1.0, 1.0]]])
        >>> LovaszHingeLoss()(2 * truth - 1, truth)  # each pixel is right by exactly the margin
        tensor(0.)
    """

    def forward(self, logits: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
        if logits.shape != truth.shape:
            raise ValueError(f"logits and truth must have one shape, got {logits.shape} and {truth.shape}")
        masks = (x.flatten(0, 1).flatten(1) for x in (logits, truth.to(logits.dtype)))
        return torch.stack([lovasz_hinge(*mask) for mask in zip(*masks, strict=True)]).mean()
