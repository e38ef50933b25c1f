"""How a network is applied to a picture: precision, engine, tiling, flips and ensembles."""

from .engine import ENGINES, with_engine
from .ensemble import Ensemble
from .flip import FlipInferer
from .lazy_normalization import LazyNormalizeIntensityd
from .precision import PrecisionInferer
from .tiled import TiledInferer

__all__ = [
    "ENGINES",
    "Ensemble",
    "FlipInferer",
    "LazyNormalizeIntensityd",
    "PrecisionInferer",
    "TiledInferer",
    "with_engine",
]
