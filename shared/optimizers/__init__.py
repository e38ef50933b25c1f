"""Optimisers that torch does not have."""

from .rmsprop_tf import RMSpropTF

__all__ = ["RMSpropTF"]
