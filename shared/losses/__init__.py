"""Losses that MONAI does not have."""

from .lovasz_hinge import LovaszHingeLoss

__all__ = ["LovaszHingeLoss"]
