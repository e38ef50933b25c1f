"""Scores, as pure functions and as MONAI metrics that accumulate them."""

from .instances import InstanceScore
from .overlap import Overlap

__all__ = ["InstanceScore", "Overlap"]
