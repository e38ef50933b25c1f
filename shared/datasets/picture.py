"""The one reader of pictures and label maps."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from os import PathLike
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from monai.data import ImageReader
from monai.utils import MetaKeys

from ..errors import UserError
from .faults import Fault, mistake, refuse_huge
from .files import open_file
from .stored_picture import OPENERS, StoredPicture, read_stored, upright
from .stored_tiff import TIFF_SIGNATURES, read_stored_tiff

__all__ = [
    "MAX_PIXELS",
    "PICTURE_SUFFIXES",
    "LabelReader",
    "PictureReader",
    "read_label",
    "read_picture",
    "to_channels",
]

Files = Sequence[str | PathLike] | str | PathLike

PICTURE_SUFFIXES = (".png", ".tif", ".tiff", ".jpg", ".jpeg", ".bmp")  # in any case
MAX_PIXELS = 16_384 * 16_384
LUMA = (0.299, 0.587, 0.114)
STRIP = 256  # rows
INVERTED = np.arange(255, -1, -1, dtype=np.uint8)  # ImageJ's look-up table for masks that are shown black on white
DARK, BRIGHT = 64, 128  # of the brightest colour: what is taken for black, and what is surely not


def read_picture(path: str | Path, max_pixels: int = MAX_PIXELS, file: BinaryIO | None = None) -> np.ndarray:
    """Read a PNG, TIFF, JPEG or BMP as it is meant to be seen, upright, with its numbers as they are stored.

    * Alpha is dropped: transparency is ignored, not blended. RGB with a fourth sample counts as RGB with alpha.
    * A palette is expanded to RGB; CMYK and YCbCr are converted to RGB. Values of 1, 2 or 4 bits are stretched to
      0..255. Where a TIFF says that 0 is white, its integers are inverted.
    * The orientation in EXIF or TIFF is applied.
    * 16 bits stay 16 bits, even if only 12 of them are in use.
    * A TIFF of several pages is refused, unless the others are smaller copies of the first (a pyramid) or masks, or
      its description says that the pages are channels (axis C).

    Args:
        path: the file. Its content counts, not its suffix.
        max_pixels: largest height x width; checked before anything is decoded.
        file: the same, open; then ``path`` is only its name for the errors, e.g. of a member of a zip.

    Returns:
        (H, W, 1) or (H, W, 3) of uint8, uint16 (all other integers, if they fit) or float32 (all floats, finite).

    Raises:
        UserError: the file cannot be read or is none of these; the message tells what to do.

    Reference:
        Orientation: CIPA DC-008 (Exif 2.32), tag 0x0112.
    """
    path = Path(path)
    stored = _read(path, max_pixels, file)
    values = stored.values
    if stored.palette is not None:
        if values.max() >= len(stored.palette):
            raise mistake(path, f"value {values.max()} in a palette of {len(stored.palette)} colours", "save it as RGB")
        values = stored.palette[values[..., 0]]
    elif stored.bits < 8:
        values = values * np.uint8(255 // (2**stored.bits - 1))
    values = _as_picture_type(path, values)
    if stored.zero_is_white and values.dtype.kind == "u":
        values = np.iinfo(values.dtype).max - values
    return upright(values, stored.orientation)


def read_label(path: str | Path, max_pixels: int = MAX_PIXELS, file: BinaryIO | None = None) -> np.ndarray:
    """Read a map of classes or instances: upright, and the numbers as they are stored whatever colours they stand for.

    Of a palette the indices count, of 1-bit files 0 and 1; but where a palette has bright at 0 and black at another
    number, as programs make it that reduce the colours of a mask, what is seen counts if all is grey, unless it is the
    whole inverted ramp of ImageJ. RGB is read where red, green and blue are equal. Alpha is dropped.

    Args:
        path: the file. Its content counts, not its suffix.
        max_pixels: largest height x width; checked before anything is decoded.
        file: the same, open; then ``path`` is only its name for the errors, e.g. of a member of a zip.

    Returns:
        (H, W) of uint8, uint16 or int32; int8 becomes uint8, int16 uint16, whole numbers of other types int32.

    Raises:
        UserError: the file cannot be read, or holds colours or numbers that are negative, broken or too large, or its
            transparency alone says anything, or its palette contradicts its numbers; the message tells what to do.
    """
    path = Path(path)
    stored = _read(path, max_pixels, file)
    values = stored.values
    if (values != values[..., :1]).any():
        raise mistake(path, "a label map in colours", "save the numbers of the classes or instances as grey values")
    if stored.varying_alpha and not np.ptp(values):
        wrong = "a label map of one colour, of which only the transparency varies"
        raise mistake(path, wrong, "save what is transparent as 0 and the rest as grey values, without transparency")
    values = values[..., 0]
    if stored.palette is not None:
        values = _as_seen(path, values, stored.palette)
    return upright(_as_label_type(path, values), stored.orientation)


def _as_seen(path: Path, values: np.ndarray, palette: np.ndarray) -> np.ndarray:
    """The numbers of a label map, or its grey values where a palette shows the number 0 bright and another black."""
    used = np.unique(values)
    if used[-1] >= len(palette) or np.array_equal(palette, np.repeat(INVERTED[:, None], 3, axis=1)):
        return values
    colours = palette[used]
    black = used[colours.max(axis=1) < DARK]
    if used[0] != 0 or palette[0].max() < BRIGHT or not len(black):
        return values
    if len(used) == 2 and (colours == colours[:, :1]).all():
        return np.where(palette[:, 0][values] < DARK, 0, 255).astype(np.uint8)
    wrong = f"a palette in which the number 0, background, is bright and {black[0]} is black"
    raise mistake(path, wrong, "save the numbers as grey values without a palette, 0 for the background")


def to_channels(array: np.ndarray, channels: int) -> np.ndarray:
    """Turn grey into RGB by repetition, or RGB into grey by the luma of ITU-R BT.601, rounded for integers.

    Args:
        array: (H, W, 1) or (H, W, 3).
        channels: 1 or 3.

    Returns:
        (H, W, channels) of the same type.

    Raises:
        ValueError: other numbers of channels.

    Example:
        >>> to_channels(np.array([[[255, 0, 0]]], np.uint8), 1).tolist()
        [[[76]]]
    """
    if array.ndim != 3 or array.shape[2] not in (1, 3):
        raise ValueError(f"array must be (H, W, 1) or (H, W, 3), got {array.shape}")
    if channels not in (1, 3):
        raise ValueError(f"channels must be 1 or 3, got {channels}")
    if array.shape[2] == channels:
        return array
    if channels == 3:
        return np.repeat(array, 3, axis=2)
    grey = np.empty((*array.shape[:2], 1), array.dtype)
    for top in range(0, len(array), STRIP):  # a picture of float64 would take many times the memory of the file
        rows = slice(top, top + STRIP)
        luma = array[rows] @ np.array(LUMA)[:, None]
        grey[rows] = np.rint(luma) if array.dtype.kind in "iu" else luma
    return grey


class PictureReader(ImageReader):
    """``read_picture`` for ``LoadImaged``: ``[C, W, H]`` with ``ensure_channel_first``, as MONAI's own reader gives it.

    Args:
        channels: 1 or 3, to which ``to_channels`` takes every picture; ``None`` leaves them as they are.
        max_pixels: largest height x width; a larger picture is refused before anything is decoded.
        eight_bit: 16 bits become 8, 65535 is 255, for networks that know no others; in training and inference alike.

    Raises:
        ValueError: ``channels`` is none of these.
        UserError: on reading; with ``eight_bit`` also of values that are no integers.

    Example:
        ``LoadImaged("image", reader=PictureReader(), ensure_channel_first=True)``, or in a configuration
        ``"reader": {"_target_": "shared.datasets.PictureReader"}``.
    """

    def __init__(self, channels: int | None = 3, max_pixels: int = MAX_PIXELS, eight_bit: bool = False) -> None:
        if channels not in (1, 3, None):
            raise ValueError(f"channels must be 1, 3 or None, got {channels}")
        self.channels, self.max_pixels, self.eight_bit = channels, max_pixels, eight_bit

    def verify_suffix(self, filename: Files) -> bool:
        return Path(_only(filename)).suffix.lower() in PICTURE_SUFFIXES

    def read(self, data: Files, **kwargs: Any) -> Path:
        """Return the path alone; ``LoadImage`` would hide a mistake found here by trying its other readers."""
        return Path(_only(data))

    def get_data(self, img: Path) -> tuple[np.ndarray, dict[str, Any]]:
        """Read the file; the array is (W, H, C)."""
        picture = read_picture(img, self.max_pixels)
        if self.channels:
            picture = to_channels(picture, self.channels)
        if self.eight_bit:
            picture = _to_eight_bit(img, picture)
        return np.moveaxis(picture, 0, 1), _meta(picture, channel_dim=-1)


class LabelReader(PictureReader):
    """``read_label`` for ``LoadImaged``: ``[1, W, H]`` with ``ensure_channel_first``.

    ``LoadImaged`` turns it into float32 unless told otherwise, which is exact up to 16,777,216.
    """

    def __init__(self) -> None:
        super().__init__(channels=None)

    def get_data(self, img: Path) -> tuple[np.ndarray, dict[str, Any]]:
        """Read the file; the array is (W, H)."""
        label = read_label(img)
        return np.moveaxis(label, 0, 1), _meta(label, channel_dim=float("nan"))


def _only(files: Files) -> str | PathLike:
    """``LoadImage`` hands over a tuple even of one file."""
    if isinstance(files, (str, PathLike)):
        return files
    if len(files) != 1:
        raise ValueError(f"a picture is one file, got {len(files)}: {list(map(str, files))}")
    return files[0]


def _meta(array: np.ndarray, channel_dim: float) -> dict[str, Any]:
    return {
        MetaKeys.SPATIAL_SHAPE: np.array([array.shape[1], array.shape[0]]),
        MetaKeys.ORIGINAL_CHANNEL_DIM: channel_dim,
        "dtype": str(array.dtype),
    }


def _read(path: Path, max_pixels: int, given: BinaryIO | None) -> StoredPicture:
    try:
        with nullcontext(given) if given else open_file(path) as file:
            start = file.read(8)
            opener = next((opener for signature, opener in OPENERS.items() if start.startswith(signature)), None)
            if opener:
                return read_stored(path, file, opener, max_pixels)
            if start.startswith(TIFF_SIGNATURES):
                return read_stored_tiff(path, file, max_pixels)
    except Fault as fault:
        raise UserError(str(fault)) from fault
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError, PermissionError) as error:
        raise mistake(path, f"cannot be opened ({error.strerror})", "name a file that you may read") from error
    except MemoryError as error:
        raise mistake(path, "takes more memory than is free", "cut it into tiles or make it smaller") from error
    except Exception as error:  # Pillow and tifffile raise two dozen types for a damaged file
        detail = f"{error}" or type(error).__name__
        raise mistake(path, f"damaged or unsupported ({detail})", "copy it again, or save it anew as PNG") from error
    if not start:
        raise mistake(path, "an empty file", "copy it again")
    raise mistake(path, "not a PNG, TIFF, JPEG or BMP", "convert it to one of these")


def _as_picture_type(path: Path, values: np.ndarray) -> np.ndarray:
    if values.dtype.kind == "f":
        with np.errstate(over="ignore"):  # becomes infinite, and is refused as such
            values = values.astype(np.float32)
        if not np.isfinite(values).all():
            raise mistake(path, "holds NaN, infinity or values beyond float32", "replace them by numbers")
        refuse_huge(path, values)
        return values
    if values.dtype in (np.uint8, np.uint16):
        return values
    if values.dtype.kind not in "iu":
        raise mistake(path, f"values of the type {values.dtype}", "save it with 8 or 16 bits")
    low, high = int(values.min()), int(values.max())
    if low < 0 or high > 65535:
        raise mistake(path, f"whole numbers from {low} to {high}", "shift or scale them into 0..65535 and save 16 bits")
    return values.astype(np.uint8 if values.dtype == np.int8 else np.uint16)


def _to_eight_bit(path: Path, picture: np.ndarray) -> np.ndarray:
    if picture.dtype.kind == "f":
        raise mistake(path, f"values of the type {picture.dtype}", "save it with 8 or 16 bits")
    return picture if picture.dtype == np.uint8 else np.rint(picture / 257).astype(np.uint8)


def _as_label_type(path: Path, values: np.ndarray) -> np.ndarray:
    if values.dtype.kind not in "iuf":
        raise mistake(path, f"values of the type {values.dtype}", "save whole numbers of 8 or 16 bits")
    if values.dtype.kind == "f" and not (np.isfinite(values).all() and (values == np.rint(values)).all()):
        raise mistake(path, "a label map with broken numbers", "save whole numbers of 8 or 16 bits")
    low, high = values.min(), values.max()
    if low < 0 or high > np.iinfo(np.int32).max:
        raise mistake(path, f"a label map with numbers from {low} to {high}", "number the labels 0, 1, 2, ...")
    if values.dtype in (np.uint8, np.uint16, np.int32):
        return values
    return values.astype({"int8": np.uint8, "int16": np.uint16}.get(values.dtype.name, np.int32))
