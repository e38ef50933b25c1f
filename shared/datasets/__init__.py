"""What lies on disk: verified, converted, listed, split and read."""

from .balance import balanced_weights
from .brats_listing import list_brats_cases
from .brats_reader import LoadModalitiesd, LoadTumourd
from .datalist import select_cases
from .disk_cache import DiskCacheDataset
from .listing import list_pictures
from .picture import LabelReader, PictureReader
from .plan import plan_of
from .share import own_share
from .tolerant import TolerantDataset

__all__ = [
    "DiskCacheDataset",
    "LabelReader",
    "LoadModalitiesd",
    "LoadTumourd",
    "PictureReader",
    "TolerantDataset",
    "balanced_weights",
    "list_brats_cases",
    "list_pictures",
    "own_share",
    "plan_of",
    "select_cases",
]
