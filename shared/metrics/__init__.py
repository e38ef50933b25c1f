"""Scores, as pure functions and as MONAI metrics that accumulate them."""

from .defect_counts import DefectCounts
from .instances import InstanceScore
from .overlap import Overlap
from .pixel_average_precision import PixelAveragePrecision

__all__ = ["DefectCounts", "InstanceScore", "Overlap", "PixelAveragePrecision"]
