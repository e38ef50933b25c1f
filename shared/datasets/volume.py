"""The one reader of volumes: NIfTI, MetaImage and NRRD, on the grid that the file has."""

from __future__ import annotations

import gzip
import math
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import nibabel as nib
import numpy as np
from monai.data import ITKReader
from monai.utils import MetaKeys

from ..errors import UserError
from .faults import Fault, mistake, refuse_huge
from .files import PACKED, check_promise, open_file

__all__ = [
    "NOT_PLACED",
    "VOLUME_SUFFIXES",
    "Volume",
    "conversion_of",
    "drop_single_axes",
    "grid_difference",
    "read_volume",
    "without_suffix",
]

NIFTI_SUFFIXES = (".nii.gz", ".nii")
VOLUME_SUFFIXES = (*NIFTI_SUFFIXES, ".mha", ".nrrd")  # found in any case
GZIP = b"\x1f\x8b"
OTHER_UNITS = {1: "metres", 3: "micrometres"}  # NIfTI's codes; 2 is mm, and 0 tells nothing
SIDES = (0.05, 50.0)  # mm: finer or coarser than any scan of a head, so that the header must be wrong
PADDING = 2**20  # bytes: no more follow the voxels of a sound NIfTI
HEADER = 2**16  # bytes: the header of a MetaImage or NRRD is shorter
LOCAL = re.compile(rb"^ElementDataFile\s*=\s*LOCAL\s*$|\r?\n\r?\n", re.IGNORECASE | re.MULTILINE)  # ends it
DETACHED = re.compile(rb"^\s*(ElementDataFile\s*=(?!\s*LOCAL\s*$)|data ?file\s*:)", re.IGNORECASE | re.MULTILINE)
TOLERANCE = 0.1  # voxels: headers are rounded, and nothing is seen of less
NOT_PLACED = "the header does not tell where the axes point (qform_code and sform_code are 0)"


class Volume(NamedTuple):
    """Numbers as they are stored, (W, H, D) or (W, H, D, C), and the affine from voxels to millimetres (RAS).

    ``is_placed`` is false if the header tells the size of the voxels alone, so that the rest of the affine is a guess.
    """

    values: np.ndarray
    affine: np.ndarray
    is_placed: bool = True

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the grid: (W, H, D)."""
        return self.values.shape[:3]

    @property
    def orientation(self) -> str:
        """Where the axes point to, e.g. ``LPS``: left, posterior, superior."""
        return "".join(nib.aff2axcodes(self.affine))


def read_volume(path: str | Path) -> Volume:
    """Read a volume without turning, resampling or scaling it; a header's slope and intercept are applied.

    The whole of a compressed file is read, so that its checksum is compared. Whether a NIfTI is compressed is told by
    its content, since browsers unpack files and keep their names.

    Args:
        path: ``.nii`` or ``.nii.gz``, in any case, ``.mha`` or ``.nrrd``. From the fourth on, axes of length 1 are
            dropped.

    Returns:
        Finite numbers and a regular affine, whose voxels are 0.05 to 50 mm long.

    Raises:
        UserError: the file cannot be read, or holds something else; the message tells what to do.
    """
    path = Path(path)
    try:
        with open_file(path) as file:
            is_empty = not file.read(1)
        if is_empty:
            raise mistake(path, "an empty file", "copy it again")
        values, affine, is_placed = _read_nifti(path) if _suffix(path) in NIFTI_SUFFIXES else (*_read_itk(path), True)
    except UserError:
        raise
    except Fault as fault:
        raise UserError(str(fault)) from fault
    except MemoryError as error:
        raise mistake(path, "takes more memory than is free", "resample it to larger voxels") from error
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError, PermissionError) as error:
        raise mistake(path, f"cannot be opened ({error.strerror})", "name a file that you may read") from error
    except Exception as error:  # nibabel, ITK, gzip and zlib raise a dozen types for a damaged file
        detail = " ".join(f"{error}".split())[:160] or type(error).__name__
        raise mistake(path, f"damaged or unsupported ({detail})", "copy it again, or save it as .nii.gz") from error
    values = values.reshape(drop_single_axes(values.shape))
    _check(path, values, affine)
    return Volume(values, affine, is_placed)


def drop_single_axes(shape: Sequence[int]) -> tuple[int, ...]:
    """The shape of a volume without the axes of length 1 after the third, of time or of a vector.

    Example:
        >>> drop_single_axes([5, 1, 3, 1, 4]), drop_single_axes([5, 1, 3, 1, 1])
        ((5, 1, 3, 4), (5, 1, 3))
    """
    return (*shape[:3], *(side for side in shape[3:] if side > 1))


def grid_difference(volume: Volume, other: Volume) -> str | None:
    """Say how the grid of ``volume`` differs from that of ``other``: in shape, orientation or place.

    Where the voxels lie decides, since close to 45 degrees a rounded digit changes the name of the orientation.

    Returns:
        ``None`` if their voxels lie within a tenth of a voxel of each other.

    Example:
        >>> one = Volume(np.zeros((2, 3, 5)), np.eye(4))
        >>> grid_difference(Volume(one.values, np.diag([-1.0, -1, 1, 1])), one)
        'orientation LPS instead of RAS'
    """
    if volume.shape != other.shape:
        shape, wanted = ("x".join(map(str, v.shape)) for v in (volume, other))
        return f"shape {shape} instead of {wanted}"
    corners = np.stack(np.meshgrid(*([0, side - 1] for side in volume.shape), [1], indexing="ij")).reshape(4, -1)
    distance = float(np.linalg.norm((volume.affine - other.affine) @ corners, axis=0).max())
    if distance <= TOLERANCE * np.linalg.norm(other.affine[:3, :3], axis=0).min():
        return None
    if volume.orientation != other.orientation:
        return f"orientation {volume.orientation} instead of {other.orientation}"
    return f"another affine, its voxels lie up to {distance:.3g} mm apart"


def without_suffix(name: str) -> str:
    """Name of a file of this kind without its suffix, ``a`` for ``a.nii.gz``; empty for another kind of file."""
    suffix = _suffix(Path(name))
    return name[: -len(suffix)] if suffix else ""


def conversion_of(names: Iterable[str]) -> str:
    """What to do with files of other kinds, for an error: DICOM and pairs of .hdr and .img; empty if there are none.

    Example:
        >>> conversion_of(["a.hdr", "a.img"]), conversion_of(["notes.txt"])
        ('; convert a.hdr to .nii.gz with nibabel', '')
    """
    for name in names:
        if name.lower().endswith((".dcm", ".ima")) or name.upper() == "DICOMDIR":
            return f"; convert the DICOM files, such as {name}, to .nii.gz with dcm2niix"
        if name.lower().endswith((".hdr", ".img")):
            return f"; convert {name} to .nii.gz with nibabel"
    return ""


def _suffix(path: Path) -> str:
    return next((suffix for suffix in VOLUME_SUFFIXES if path.name.lower().endswith(suffix)), "")


def _read_nifti(path: Path) -> tuple[np.ndarray, np.ndarray, bool]:
    with open_file(path) as file:
        is_packed = file.read(len(GZIP)) == GZIP
        held = os.fstat(file.fileno()).st_size * (PACKED if is_packed else 1)
        file.seek(0)
        stream = gzip.GzipFile(fileobj=file) if is_packed else file
        start = stream.read(nib.Nifti2Header.sizeof_hdr)
        kinds = [kind for kind in (nib.Nifti1Image, nib.Nifti2Image) if kind.header_class.may_contain_header(start)]
        if not kinds:
            raise mistake(path, "not a NIfTI file", "convert it, or give it its true suffix")
        header = kinds[0].header_class(start[: kinds[0].header_class.sizeof_hdr])
        voxels, size = math.prod(max(side, 0) for side in header.get_data_shape()), header.get_data_dtype().itemsize
        needed = max(header.get_data_offset(), 0) + voxels * size
        check_promise(path, needed, needed + voxels * (size + np.dtype(np.float64).itemsize), held)
        stream.seek(0)
        data = stream.read(needed)
        if len(data) < needed:
            check_promise(path, needed, 0, len(data))
        if len(stream.read(PADDING + 1)) > PADDING:  # to the end, where the checksum is
            wrong = f"goes on behind the {needed:,} bytes that its header promises"
            raise mistake(path, wrong, "copy it again, or correct its header")
    image = kinds[0].from_bytes(data)
    unit = int(image.header["xyzt_units"]) % 8
    if unit in OTHER_UNITS:
        wrong = f"a header in {OTHER_UNITS[unit]}"
        raise mistake(path, wrong, "write its spacing and affine in mm, and 2 (mm) as the unit in xyzt_units")
    is_placed = bool(image.header["qform_code"] > 0 or image.header["sform_code"] > 0)
    return np.asanyarray(image.dataobj), np.asarray(image.affine, np.float64), is_placed


def _read_itk(path: Path) -> tuple[np.ndarray, np.ndarray]:
    if not _suffix(path):
        remedy = f"convert it to one of these{conversion_of([path.name])}"
        raise mistake(path, f"none of {', '.join(VOLUME_SUFFIXES)}", remedy)
    if not path.name.endswith(VOLUME_SUFFIXES):
        raise mistake(path, "a suffix in capitals, which ITK does not know", "rename it with small letters")
    with open_file(path) as file:
        start, length = file.read(HEADER), os.fstat(file.fileno()).st_size
    end = LOCAL.search(start)
    if DETACHED.search(start, 0, end.end() if end else len(start)):
        raise mistake(path, "a header whose voxels lie in another file", "save both in one file")
    if not end:
        raise mistake(path, "damaged or unsupported (its header has no end)", "copy it again, or save it as .nii.gz")
    import itk  # noqa: PLC0415 - a second, and only where such a file is read

    header = itk.ImageIOFactory.CreateImageIO(str(path), itk.CommonEnums.IOFileMode_ReadMode)
    if header is None:
        raise mistake(path, "damaged or unsupported (ITK does not know it)", "copy it again, or save it as .nii.gz")
    header.SetFileName(str(path))
    header.ReadImageInformation()
    promised = header.GetImageSizeInBytes()
    check_promise(path, promised, 2 * promised, length * PACKED)
    reader = ITKReader()
    values, meta = reader.get_data(reader.read(str(path)))
    return values, np.asarray(meta[MetaKeys.AFFINE], np.float64)


def _check(path: Path, values: np.ndarray, affine: np.ndarray) -> None:
    if values.ndim not in (3, 4) or 0 in values.shape:
        shape = "x".join(map(str, values.shape))
        raise mistake(path, f"shape {shape}, which is no volume", "save three axes, or four with the modalities last")
    if values.dtype.kind not in "iuf":
        raise mistake(path, f"values of the type {values.dtype}", "save whole numbers or floats")
    if values.dtype.kind == "f":
        bad = int(np.count_nonzero(~np.isfinite(values)))
        if bad:
            raise mistake(path, f"holds NaN or infinity in {bad} voxels", "replace them by numbers")
        refuse_huge(path, values)
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    # A zero in the header, or two axes that point the same way.
    if not np.isfinite(affine).all() or abs(np.linalg.det(affine[:3, :3])) <= 1e-6 * spacing.prod():
        raise mistake(path, "an affine that cannot be inverted", "repair the header")
    least, most = SIDES
    if spacing.min() < least or spacing.max() > most:
        sides = "x".join(f"{side:.3g}" for side in spacing)
        wrong = f"voxels of {sides} mm, where {least:g} to {most:g} can be"
        raise mistake(path, wrong, "correct the spacing in the header, which is in mm")
