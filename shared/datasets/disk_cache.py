"""Prepared cases that stay on the disk."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from monai.data import PersistentDataset
from monai.utils import convert_to_tensor

from ..atomic_save import atomic_save
from ..errors import UserError, message_behind
from ..source_code import fingerprint_of
from .plain_item import from_plain, to_plain

__all__ = ["DiskCacheDataset"]

PLACE = "index"  # of a case in its list, where other folds hold others


def _name_of(value: Any) -> bytes:
    return fingerprint_of(value).encode()


class DiskCacheDataset(PersistentDataset):
    """``PersistentDataset`` whose files are complete or not there, whatever happens while they are written.

    Each case is kept as it is before the first random transform, under a name made of the case, of the transforms and
    of the code behind these (see ``fingerprint_of``), so that other transforms and edited ones have files of their own
    and all folds share theirs. A file that cannot be read is made anew. Files hold tensors and plain values: reading
    one runs no code, whoever wrote it.

    Args:
        data: cases; neither what their files hold nor their ``index`` in the list is part of the name.
        transform: from a case to an item.
        cache_dir: folder, made if it is not there.

    Raises:
        UserError: in a call, the folder cannot be written to, or read, or an item holds what is no plain value.
    """

    def __init__(
        self,
        data: Sequence[dict[str, Any]],
        transform: Sequence[Callable[..., Any]] | Callable[..., Any],
        cache_dir: str | Path,
    ) -> None:
        super().__init__(data, transform, cache_dir, hash_func=_name_of, hash_transform=_name_of)
        self.folder = Path(cache_dir)

    def _cachecheck(self, item_transformed: dict[str, Any]) -> Any:
        place = {PLACE: item_transformed[PLACE]} if PLACE in item_transformed else {}
        case = {key: value for key, value in item_transformed.items() if key != PLACE}
        file = self.folder / f"{self.hash_func(case).decode()}{self.transform_hash}.pt"
        try:
            return self._load_or_make(file, case) | place
        except OSError as error:  # here, since of a worker's errors the text alone would be left
            if message := message_behind(error):
                raise UserError(message) from error
            raise

    def _load_or_make(self, file: Path, case: dict[str, Any]) -> Any:
        try:
            return from_plain(torch.load(file, weights_only=True))
        except FileNotFoundError:
            pass
        except (OSError, MemoryError):
            raise
        except Exception:  # whatever is made of a file that a power failure cut short or filled with zeros, or of code
            logging.getLogger(__name__).warning("%s cannot be read and is made anew", file)
        item = convert_to_tensor(self._pre_transform(deepcopy(case)), convert_numeric=False, track_meta=True)
        atomic_save(file, to_plain(item))
        return item
