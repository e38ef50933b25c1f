"""How a network is applied to a picture: precision and tiling."""

from .precision import PrecisionInferer
from .tiled import TiledInferer

__all__ = ["PrecisionInferer", "TiledInferer"]
