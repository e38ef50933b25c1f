"""How a network is applied to a picture: precision, engine and tiling."""

from .engine import ENGINES, with_engine
from .precision import PrecisionInferer
from .tiled import TiledInferer

__all__ = ["ENGINES", "PrecisionInferer", "TiledInferer", "with_engine"]
