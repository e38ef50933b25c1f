"""MONAI dictionary transforms."""

from .split_nuclei import SplitNucleid

__all__ = ["SplitNucleid"]
